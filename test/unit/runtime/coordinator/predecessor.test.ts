import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { VirtualKafka } from '../../../../runtime/connectors/kafka/virtual/cluster.ts'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import type { JobTarget } from '../../../../runtime/model/job.ts'
import { fileEntry, kafkaEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'
import { until } from '../../../harness/until.ts'

function jobOf(uid: string, kafka: VirtualKafka, start: Pick<JobTarget, 'restore' | 'predecessor'> = {}): InProcessJob {
  const job = new InProcessJob(
    {
      checkpoints: { interval: '30ms' },
      graph: [
        { id: 'in', source: { file: { path: 'in.jsonl', format: 'json', rate: '100/s' } }, schema: { n: 'long' } },
        { id: 'out', from: 'in', sink: { kafka: { brokers: 'k:9092', topic: 't', format: 'json' } } },
      ],
    },
    new Connectors([fileEntry, kafkaEntry((options) => kafka.connect(options))]),
    undefined,
    { start, uid },
  )
  onTestFinished(() => job.close())
  mkdirSync(job.folder, { recursive: true })
  writeFileSync(join(job.folder, 'in.jsonl'), '{"n":1}\n'.repeat(3000))
  return job
}

/** Leaves a transaction open as a worker does that is killed. */
async function leaveOpen(kafka: VirtualKafka, transactionalId: string): Promise<void> {
  const client = kafka.connect({ brokers: ['k:9092'], clientId: 'killed' })
  const key = { transactionalId, ...(await client.initProducerId(transactionalId, 900_000)) }
  await client.addPartitions(key, [{ topic: 't', partition: 0 }])
}

const openOf = (kafka: VirtualKafka, uid: string): string[] =>
  kafka.transactionIds('Ongoing').filter((id) => id.startsWith(`millrace-${uid}-`))

/** A savepoint of a job that has gone since, and has left a transaction open. */
async function savepointOfGone(kafka: VirtualKafka): Promise<string> {
  const gone = jobOf('gone', kafka)
  await gone.start()
  await gone.reportWith('running', ({ checkpoint }) => (checkpoint?.id ?? 0) > 1)
  const { path } = await gone.savepoint('last')
  // Its folder is needed until the end of the test.
  await Promise.all([...gone.workers.values()].map((worker) => worker.close()))
  await leaveOpen(kafka, 'millrace-gone-out-3-1-0')
  return dirname(join(gone.folder, 'store', 'job', path))
}

function kafkaWithTopic(): VirtualKafka {
  const kafka = new VirtualKafka()
  kafka.createTopic('t', 1)
  return kafka
}

test('when a job is gone, one that starts from its savepoint ends what it left open, and still does in later attempts', async () => {
  const kafka = kafkaWithTopic()
  const next = jobOf('next', kafka, { restore: await savepointOfGone(kafka), predecessor: 'gone' })
  await next.start()
  await until('nothing of the job that is gone is open', () => openOf(kafka, 'gone').length === 0 || undefined)
  next.want('suspended')
  await next.reportWith('suspended', ({ phase }) => phase === 'suspended')
  await leaveOpen(kafka, 'millrace-gone-out-4-1-0')
  next.want('running')
  await until('nothing of it is open again', () => openOf(kafka, 'gone').length === 0 || undefined)
})

test.each([['nobody'], [undefined]])(
  'when the predecessor is %s, what the job that wrote the savepoint has open stays open',
  async (predecessor) => {
    const kafka = kafkaWithTopic()
    const restore = await savepointOfGone(kafka)
    const next = jobOf('next', kafka, { restore, ...(predecessor === undefined ? {} : { predecessor }) })
    await next.start()
    await next.reportWith(
      'past three checkpoints of its own',
      ({ checkpoint }) => (checkpoint?.attempt ?? 0) > 0 && (checkpoint?.id ?? 0) > 6,
    )
    expect(openOf(kafka, 'gone')).toContain('millrace-gone-out-3-1-0')
  },
)
