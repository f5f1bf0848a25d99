import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import { fileEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'

const ROWS = 600
/** Each number comes twice, half a run apart: without its state the job would let the second through. */
const NUMBERS = Array.from({ length: ROWS }, (_, index) => index % (ROWS / 2))

function rowsIn(folder: string): number[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n'))
    .map((line) => (JSON.parse(line) as { n: number }).n)
}

test('when checkpoints vanish under a running job, it says so, writes its whole state, and can be resumed from it', async () => {
  const job = new InProcessJob(
    {
      checkpoints: { interval: '30ms' },
      graph: [
        { id: 'in', source: { file: { path: 'in.jsonl', format: 'json', rate: '400/s' } }, schema: { n: 'long' } },
        { id: 'once', from: 'in', keyBy: 'n', dedupe: { keep: 'first', ttl: 'forever' } },
        { id: 'out', from: 'once', sink: { file: { path: 'out' } } },
      ],
    },
    new Connectors([fileEntry]),
  )
  onTestFinished(() => job.close())
  mkdirSync(job.folder, { recursive: true })
  writeFileSync(join(job.folder, 'in.jsonl'), NUMBERS.map((n) => `${JSON.stringify({ n })}\n`).join(''))
  await job.start()
  await job.reportWith('with state', ({ checkpoint, recordsIn }) => (checkpoint?.id ?? 0) > 2 && recordsIn > 100)
  rmSync(join(job.folder, 'store'), { recursive: true })
  const { error } = await job.reportWith('in trouble', (report) => report.error?.code === 'CHECKPOINTS_VANISHED')
  expect(error?.message).toContain('is gone from')
  await job.reportWith('well again', (report) => report.error === null)
  job.want('suspended')
  await job.reportWith('suspended', ({ phase }) => phase === 'suspended')
  job.want('running')
  await job.reportWith('finished', ({ phase }) => phase === 'finished')
  expect(rowsIn(join(job.folder, 'out')).sort((a, b) => a - b)).toEqual(NUMBERS.slice(0, ROWS / 2))
})
