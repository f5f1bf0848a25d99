import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadRecordCodecs } from '../../../../runtime/connectors/kit/record-codecs.ts'
import { VirtualKafka } from '../../../../runtime/connectors/kafka/virtual/cluster.ts'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import { fileEntry, kafkaEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'
import { putLines } from '../../../harness/kafka/put-lines.ts'
import { until } from '../../../harness/until.ts'

await loadRecordCodecs()

/** Each number comes twice, before and after: without its state the job would let the second through. */
const NUMBERS = Array.from({ length: 300 }, (_, index) => index)

function rowsIn(folder: string): number[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n'))
    .map((line) => (JSON.parse(line) as { n: number }).n)
}

function put(kafka: VirtualKafka, numbers: readonly number[]): void {
  putLines(
    kafka,
    0,
    numbers.map((n) => JSON.stringify({ n })),
  )
}

test('when checkpoints vanish under a running job, it says so, writes its whole state, and can be resumed from it', async () => {
  const kafka = new VirtualKafka()
  kafka.createTopic('t', 1)
  put(kafka, NUMBERS)
  const job = new InProcessJob(
    {
      checkpoints: { interval: '30ms' },
      graph: [
        {
          id: 'in',
          source: { kafka: { brokers: 'k:9092', topic: 't', format: 'json', startFrom: 'earliest' } },
          schema: { n: 'long' },
        },
        { id: 'once', from: 'in', keyBy: 'n', dedupe: { keep: 'first', ttl: 'forever' } },
        { id: 'out', from: 'once', sink: { file: { path: 'out' } } },
      ],
    },
    new Connectors([fileEntry, kafkaEntry((options) => kafka.connect(options))]),
  )
  onTestFinished(() => job.close())
  await job.start()
  const out = join(job.folder, 'out')
  await until('all came and are committed', () => rowsIn(out).length === NUMBERS.length || undefined)
  rmSync(join(job.folder, 'store'), { recursive: true })
  const { error } = await job.reportWith('in trouble', (report) => report.error?.code === 'CHECKPOINTS_VANISHED')
  expect(error?.message).toContain('is gone from')
  await job.reportWith('well again', (report) => report.error === null)
  job.want('suspended')
  await job.reportWith('suspended', ({ phase }) => phase === 'suspended')
  job.want('running')
  put(kafka, [...NUMBERS, NUMBERS.length])
  await until('what came last is committed', () => {
    kafka.endWaits()
    return rowsIn(out).includes(NUMBERS.length) || undefined
  })
  expect(rowsIn(out).sort((a, b) => a - b)).toEqual([...NUMBERS, NUMBERS.length])
})
