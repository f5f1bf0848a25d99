import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { connector as file } from '../../../../runtime/connectors/file/connector.ts'
import { declaration as fileDeclaration } from '../../../../runtime/connectors/file/declaration.ts'
import { Connectors, type Connector } from '../../../../runtime/connectors/registry.ts'
import type { KafkaClient } from '../../../../runtime/connectors/kafka/client.ts'
import { VirtualKafka } from '../../../../runtime/connectors/kafka/virtual/cluster.ts'
import { kafkaEntry, loadedEntry, nexmarkEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'
import { until } from '../../../harness/until.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

/** Bids into a Kafka in memory, the calls named in `stuck` get no answer, ever. */
async function startJob(kafka: VirtualKafka, stuck: Set<keyof KafkaClient>, interval: string): Promise<InProcessJob> {
  const waiting: string[] = []
  const stuckKafka = kafkaEntry(
    (options) =>
      new Proxy(kafka.connect(options), {
        get(client, name: keyof KafkaClient) {
          const member = client[name]
          if (typeof member !== 'function') return member
          return (...args: never[]): unknown => {
            if (!stuck.has(name)) return (member as (...args: never[]) => unknown).apply(client, args)
            waiting.push(name)
            return new Promise(() => undefined)
          }
        },
      }),
  )
  const job = new InProcessJob(
    {
      checkpoints: { interval },
      graph: [
        { id: 'bids', source: { nexmark: { events: 100_000_000, rate: '2000/s' } } },
        { id: 'out', from: 'bids', sink: { kafka: { brokers: 'k:9092', topic: 't' } } },
      ],
    },
    new Connectors([nexmarkEntry, stuckKafka]),
  )
  cleanups.push(() => job.close())
  await job.start()
  await until('a call is stuck, or records flow', () =>
    waiting.length > 0 || kafka.transactionIds('Ongoing').length > 0 ? true : undefined,
  )
  return job
}

function virtualKafka(): VirtualKafka {
  const kafka = new VirtualKafka()
  kafka.createTopic('t', 1)
  return kafka
}

describe('stopping a worker', () => {
  test('while its sink waits for Kafka, it does not wait with it, and the open transaction is aborted', async () => {
    const kafka = virtualKafka()
    const job = await startJob(kafka, new Set(['produce']), '1h')
    await until('the transaction is open', () => (kafka.transactionIds('Ongoing').length === 1 ? true : undefined))
    for (const worker of job.workers.values()) await worker.close()
    expect(kafka.transactionIds('Ongoing')).toEqual([])
    expect(kafka.transactionIds('CompleteAbort').length).toBe(1)
  })

  test('while its sink is being opened, it does not wait for Kafka', async () => {
    const job = await startJob(virtualKafka(), new Set(['metadata']), '1h')
    for (const worker of job.workers.values()) await worker.close()
  })

  test('when the job is suspended, no transaction is left open and readers wait for nothing', async () => {
    const kafka = virtualKafka()
    const job = await startJob(kafka, new Set(), '50ms')
    await job.reportWith('past three checkpoints', ({ checkpoint }) => (checkpoint?.id ?? 0) >= 3)
    job.want('suspended')
    await job.reportWith('suspended', ({ phase }) => phase === 'suspended')
    expect(kafka.transactionIds('Ongoing')).toEqual([])
    expect(kafka.transactionIds('CompleteCommit').length).toBeGreaterThan(0)
  })

  test('when the job has failed for good, what still ran of it is stopped and leaves no transaction open', async () => {
    const kafka = virtualKafka()
    const whenOpen: Connector = {
      ...file,
      source: (options) => ({
        ...file.source(options),
        reader: (context, rows) => {
          const reader = file.source(options).reader(context, rows)
          const poll = reader.poll.bind(reader)
          reader.poll = (most) => (kafka.transactionIds('Ongoing').length > 0 ? poll(most) : Promise.resolve(undefined))
          return reader
        },
      }),
    }
    const job = new InProcessJob(
      {
        checkpoints: { interval: '1h' },
        graph: [
          { id: 'bids', source: { nexmark: { events: 100_000_000, rate: '2000/s' } } },
          { id: 'out', from: 'bids', sink: { kafka: { brokers: 'k:9092', topic: 't' } } },
          { id: 'bad', source: { file: { path: 'in.jsonl', format: 'json' } }, schema: { n: 'long' }, onError: 'fail' },
          { id: 'none', from: 'bad', sink: { file: { path: 'out' } } },
        ],
      },
      new Connectors([
        nexmarkEntry,
        loadedEntry(fileDeclaration, whenOpen),
        kafkaEntry((options) => kafka.connect(options)),
      ]),
    )
    cleanups.push(() => job.close())
    writeFileSync(join(job.folder, 'in.jsonl'), 'no JSON\n')
    await job.start()
    await job.reportWith('failed', ({ phase }) => phase === 'failed')
    await until('no transaction is open', () => (kafka.transactionIds('Ongoing').length === 0 ? true : undefined))
    expect(kafka.transactionIds('CompleteCommit')).toEqual([])
  })
})
