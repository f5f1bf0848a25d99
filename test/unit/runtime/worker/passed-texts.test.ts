import { afterEach, describe, expect, test } from 'vitest'
import { loadRecordCodecs } from '../../../../runtime/connectors/kit/record-codecs.ts'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import { RecordBatchReader } from '../../../../runtime/connectors/kafka/record-batch-reader.ts'
import { RecordBatchWriter } from '../../../../runtime/connectors/kafka/record-batch-writer.ts'
import { RecordColumns } from '../../../../runtime/connectors/kafka/record-columns.ts'
import { VirtualKafka } from '../../../../runtime/connectors/kafka/virtual/cluster.ts'
import { kafkaEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'

await loadRecordCodecs()

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

const TEXTS = ['plain', '', 'a "quote" and \\', 'Grüße 流', 'tab\t', 'x'.repeat(300), null]
const records = Array.from({ length: 3000 }, (_, n) => ({
  n,
  name: `name ${n % 13}`,
  text: TEXTS[n % TEXTS.length],
  unread: 'u'.repeat(n % 5),
  id: n * 1e6,
  at: 1_700_000_000_000 + n,
}))

/** Three batches, so that rows of one poll come from several. */
function fill(kafka: VirtualKafka): void {
  kafka.createTopic('in', 1)
  const { producerId, epoch } = kafka.initProducerId(null)
  for (let from = 0; from < records.length; from += 1000) {
    const writer = new RecordBatchWriter(64)
    for (const record of records.slice(from, from + 1000))
      writer.append(null, Buffer.from(JSON.stringify(record)), 1_700_000_000_000)
    kafka.produce(1, null, [
      {
        topic: 'in',
        partition: 0,
        batch: writer.finish(
          { producerId, epoch, sequence: from, transactional: false },
          from === 1000 ? 'zstd' : 'none',
        ),
      },
    ])
  }
}

function written(kafka: VirtualKafka): string[] {
  const values: string[] = []
  const columns = new RecordColumns()
  for (let offset = 0; ; ) {
    const [fetched] = kafka.fetch(1, {
      isolation: 'read_committed',
      maxWaitMs: 0,
      maxBytes: 1e7,
      partitionMaxBytes: 1e7,
      partitions: [{ topic: 'out', partition: 0, offset }],
    })
    const reader = new RecordBatchReader(fetched?.records ?? Buffer.alloc(0), offset, fetched?.aborted ?? null, 'out')
    while (reader.next(columns))
      for (let i = 0; i < columns.count; i++)
        values.push(columns.bytes.toString('utf8', columns.valueStarts[i], columns.valueEnds[i]))
    if (reader.nextOffset === offset) return values
    offset = reader.nextOffset
  }
}

async function startJob(
  kafka: VirtualKafka,
  graph: object[],
  sink: object = {},
  source: object = {},
): Promise<InProcessJob> {
  kafka.createTopic('out', 1)
  const connect = (options: Parameters<VirtualKafka['connect']>[0]): ReturnType<VirtualKafka['connect']> =>
    kafka.connect(options)
  const job = new InProcessJob(
    {
      checkpoints: { interval: '50ms' },
      graph: [
        {
          id: 'in',
          source: { kafka: { brokers: 'k:9092', topic: 'in', format: 'json', bounded: true } },
          schema: { n: 'long', name: 'string', text: 'string?', unread: 'string', id: 'long', at: 'timestamp' },
          ...source,
        },
        ...graph,
        { id: 'out', from: 'last', sink: { kafka: { brokers: 'k:9092', topic: 'out', format: 'json', ...sink } } },
      ],
    },
    new Connectors([kafkaEntry(connect)]),
  )
  cleanups.push(() => job.close())
  await job.start()
  return job
}

const MAPPED = [
  { id: 'some', from: 'in', filter: 'n % 3 !== 0' },
  { id: 'last', from: 'some', map: { text: 'text', copy: 'text', name: 'name', n: 'n * 2', id: 'id', at: 'at' } },
]

describe('values that go from Kafka to Kafka unread', () => {
  test.each([
    ['', {}],
    [', where the sink looks at one for its key', { key: 'name' }],
    [', where it looks at a number', { key: 'id' }],
  ])('come out byte for byte as JSON writes them, whatever they hold%s', async (_, sink) => {
    const kafka = new VirtualKafka()
    fill(kafka)
    const job = await startJob(kafka, MAPPED, { ...sink, timestampFormat: 'epochMillis' })
    await job.reportWith('finished', ({ phase }) => phase === 'finished')
    expect(written(kafka)).toEqual(
      records
        .filter(({ n }) => n % 3 !== 0)
        .map(({ text, name, n, id, at }) => JSON.stringify({ text, copy: text, name, n: n * 2, id, at })),
    )
  })

  test('when a row is refused, the error shows its texts', async () => {
    const kafka = new VirtualKafka()
    fill(kafka)
    const job = await startJob(
      kafka,
      [{ id: 'last', from: 'in', set: { n: 'n === 7 ? Number.MAX_SAFE_INTEGER + n : n' } }],
      {},
      { onError: 'fail' },
    )
    const { error } = await job.reportWith('failed', ({ phase }) => phase === 'failed')
    expect(error?.message).toContain(
      '{"n":7,"name":"name 7","text":"plain","unread":"uu","id":7000000,"at":1700000000007}',
    )
  })
})
