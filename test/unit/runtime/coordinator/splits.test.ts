import { afterEach, describe, expect, test } from 'vitest'
import { loadRecordCodecs } from '../../../../runtime/connectors/kit/record-codecs.ts'
import { VirtualKafka } from '../../../../runtime/connectors/kafka/virtual/cluster.ts'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import { fileEntry, kafkaEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'
import { putLines } from '../../../harness/kafka/put-lines.ts'

await loadRecordCodecs()

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

function put(kafka: VirtualKafka, partition: number, count: number): void {
  putLines(
    kafka,
    partition,
    Array.from({ length: count }, (_, n) => `{"n":${n}}`),
  )
}

async function startJob(kafka: VirtualKafka, partitions: number, replicas: number): Promise<InProcessJob> {
  kafka.createTopic('t', partitions)
  const job = new InProcessJob(
    {
      replicas,
      checkpoints: { interval: '50ms' },
      graph: [
        {
          id: 'in',
          source: {
            kafka: { brokers: 'k:9092', topic: 't', format: 'json', startFrom: 'latest', partitionDiscovery: '100ms' },
          },
          schema: { n: 'long' },
        },
        { id: 'out', from: 'in', sink: { file: { path: 'out' } } },
      ],
    },
    new Connectors([fileEntry, kafkaEntry((options) => kafka.connect(options))]),
  )
  cleanups.push(() => job.close())
  await job.start()
  await job.reportWith('running', ({ phase }) => phase === 'running')
  return job
}

describe('splits that come to be while a job runs', () => {
  test('when a topic gets partitions, they are read from their beginning in the same attempt and checkpoints hold them', async () => {
    const kafka = new VirtualKafka()
    const job = await startJob(kafka, 1, 2)
    put(kafka, 0, 10)
    kafka.growTopic('t', 2)
    put(kafka, 1, 20)
    put(kafka, 2, 40)
    const { checkpoint } = await job.reportWith('reading all', ({ recordsIn }) => {
      kafka.endWaits()
      return recordsIn === 70
    })
    const after = await job.reportWith(
      'past two more checkpoints',
      (report) => (report.checkpoint?.id ?? 0) > (checkpoint?.id ?? 0) + 1,
    )
    expect({ attempt: after.attempt, restarts: after.restarts, recordsIn: after.recordsIn }).toEqual({
      attempt: 1,
      restarts: 0,
      recordsIn: 70,
    })
    job.want('suspended')
    await job.reportWith('suspended', ({ phase }) => phase === 'suspended')
    put(kafka, 2, 5)
    job.want('running')
    const again = await job.reportWith('reading the rest', ({ attempt, recordsIn }) => attempt === 2 && recordsIn >= 5)
    expect(again.recordsIn).toBe(5)
  })
})
