import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import { VirtualKafka } from '../../../../runtime/connectors/kafka/virtual/cluster.ts'
import { fileEntry, kafkaEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

/** Rows of files, slowly, into a topic or a folder. */
function jobInto(sink: object, kafka: VirtualKafka, restore?: string): InProcessJob {
  const job = new InProcessJob(
    {
      checkpoints: { interval: '30ms' },
      graph: [
        { id: 'in', source: { file: { path: 'in.jsonl', format: 'json', rate: '500/s' } }, schema: { n: 'long' } },
        { id: 'out', from: 'in', sink },
      ],
    },
    new Connectors([fileEntry, kafkaEntry((options) => kafka.connect(options))]),
    undefined,
    restore === undefined ? {} : { start: { restore } },
  )
  cleanups.push(() => job.close())
  mkdirSync(job.folder, { recursive: true })
  writeFileSync(
    join(job.folder, 'in.jsonl'),
    Array.from({ length: 1000 }, (_, n) => `${JSON.stringify({ n })}\n`).join(''),
  )
  return job
}

const kafkaSink = { kafka: { brokers: 'k:9092', topic: 't', format: 'json' } }

function kafkaWithTopic(): VirtualKafka {
  const kafka = new VirtualKafka()
  kafka.createTopic('t', 1)
  return kafka
}

/** Runs until some output is committed, then suspends. */
async function suspended(job: InProcessJob): Promise<void> {
  await job.start()
  await job.reportWith('with output', ({ checkpoint, recordsOut }) => (checkpoint?.id ?? 0) > 2 && recordsOut > 50)
  job.want('suspended')
  await job.reportWith('suspended', ({ phase }) => phase === 'suspended')
}

test('when Kafka has forgotten a suspended job, it starts again all the same', async () => {
  const kafka = kafkaWithTopic()
  const job = jobInto(kafkaSink, kafka)
  await suspended(job)
  kafka.forget()
  job.want('running')
  const report = await job.reportWith(
    'running or failed',
    ({ phase, attempt }) => phase === 'failed' || (phase === 'running' && attempt === 2),
  )
  expect(report.error).toBeNull()
  expect(report.phase).toBe('running')
})

test('when Kafka has forgotten the job that a savepoint is of, another job starts from it all the same', async () => {
  const kafka = kafkaWithTopic()
  const first = jobInto(kafkaSink, kafka)
  await first.start()
  await first.reportWith('with output', ({ checkpoint, recordsOut }) => (checkpoint?.id ?? 0) > 2 && recordsOut > 50)
  const savepoint = await first.savepoint('mine')
  kafka.forget()
  const second = jobInto(
    kafkaSink,
    kafka,
    join(first.folder, 'store', 'job', savepoint.path.replace('/manifest.json', '')),
  )
  await second.start()
  const report = await second.reportWith('running or failed', ({ phase }) => phase === 'failed' || phase === 'running')
  expect(report.error).toBeNull()
  expect(report.phase).toBe('running')
})

test('when results were moved away while a job was suspended, it starts again all the same', async () => {
  const job = jobInto({ file: { path: 'out' } }, kafkaWithTopic())
  await suspended(job)
  rmSync(join(job.folder, 'out'), { recursive: true })
  job.want('running')
  const report = await job.reportWith(
    'running or failed',
    ({ phase, attempt }) => phase === 'failed' || (phase === 'running' && attempt === 2),
  )
  expect(report.error).toBeNull()
})
