import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { INLINE_STATE_BYTES, inlineBytesOfSubtask } from '../../../../runtime/coordinator/inline-state.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'
import { quietPorts } from '../../../harness/source-context.ts'

const EVENTS = 4_000
/** 46 of 50 events of Nexmark are bids. */
const BIDS = 3_680

let job: InProcessJob | undefined
afterEach(async () => {
  await job?.close()
  job = undefined
})

function filesIn(folder: string, suffix = ''): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix) && !entry.name.startsWith('.'))
    .map(({ parentPath, name }) => join(parentPath, name))
}

test.each([
  ['little state is kept in the manifests alone', INLINE_STATE_BYTES, false],
  ['nothing may stay inline, each state is a file', 0, true],
])('when %s, a job that is suspended goes on with all of it', async (_, inlineStateBytes, hasFiles) => {
  job = new InProcessJob(
    {
      checkpoints: { interval: '50ms' },
      graph: [
        { id: 'bids', source: { nexmark: { events: EVENTS, type: 'bid', rate: '4000/s' } } },
        { id: 'keyed', from: 'bids', map: { key: 'auction % 10' } },
        { id: 'sums', from: 'keyed', keyBy: 'key', aggregate: { n: 'count()' }, emit: 'everyRow' },
        { id: 'out', from: 'sums', sink: { file: { path: 'out', format: 'json' } } },
      ],
    },
    builtinConnectors,
    quietPorts(),
    { inlineStateBytes },
  )
  await job.start()
  await job.reportWith('checkpointing', ({ checkpoint }) => (checkpoint?.id ?? 0) > 2)
  job.want('suspended')
  const { checkpoint } = await job.reportWith('suspended', ({ phase }) => phase === 'suspended')
  expect(checkpoint?.sizeBytes).toBeGreaterThan(0)
  expect(filesIn(join(job.folder, 'store'), '.state').length > 0).toBe(hasFiles)
  job.want('running')
  await job.reportWith('finished', ({ phase }) => phase === 'finished')
  const rows = filesIn(join(job.folder, 'out')).flatMap((path) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { key: number; n: number }),
  )
  expect(rows.length).toBe(BIDS)
  const byKey = Map.groupBy(rows, ({ key }) => key)
  for (const counts of byKey.values())
    expect(counts.map(({ n }) => n).sort((a, b) => a - b)).toEqual(Array.from(counts, (_count, index) => index + 1))
})

test.each([
  [1, 16 * 1024],
  [20, 6553],
  [1000, 131],
  [1_000_000, 0],
])('of %s subtasks each has at most %s bytes in the manifest', (subtasks, bytes) => {
  expect(inlineBytesOfSubtask(INLINE_STATE_BYTES, subtasks)).toBe(bytes)
})
