import { RowBatch } from '../../runtime/memory/batch.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { infer } from '../../cli/infer.ts'
import { kafkaConnector } from '../../runtime/connectors/kafka/connector.ts'
import { compileRowClass } from '../../runtime/codegen/rows/row.ts'
import type { Split } from '../../runtime/connectors/source.ts'
import type { Row } from '../../runtime/model/schema.ts'
import { connectKafka } from '../../runtime/connectors/kafka/real/client.ts'
import { kafkaBedMissing, startKafka } from '../harness/beds/kafka-bed.ts'
import type { KafkaBed } from '../harness/beds/kafka-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { schemaOf } from '../harness/formats.ts'
import { sinkContext, sourceContext } from '../harness/kafka/connector-contexts.ts'
import { registryPorts } from '../harness/schema-registry.ts'
import { quietPorts } from '../harness/source-context.ts'

const REGISTRY = 'http://registry:8081'
const PROTO =
  'syntax = "proto3"; message R { int64 id = 1; optional string name = 2; bytes hash = 3; repeated string tags = 4; }'
const SCHEMA = schemaOf({ id: 'long', name: 'string?', hash: 'bytes', tags: 'array<string>' })
const ROWS = Array.from(
  { length: 5000 },
  (_, id): Row => ({
    id,
    name: id % 3 === 0 ? null : `ž"${id}`,
    hash: '\0\xff',
    tags: id % 2 === 0 ? [] : ['a,b', '"'],
  }),
)
const why = await kafkaBedMissing()

describe.skipIf(why !== undefined)(`formats on a real Kafka${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-formats-'))
  const ports = { ...quietPorts(), httpClient: registryPorts().ports.httpClient }
  let bed: KafkaBed

  beforeAll(async () => {
    bed = await startKafka({ dir })
  })
  afterAll(async () => {
    await bed?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  async function write(topic: string, format: unknown): Promise<void> {
    const options = { brokers: bed.bootstrap, topic, format, key: 'id', createTopic: { partitions: 2 } }
    const writer = kafkaConnector(connectKafka)
      .sink(options)
      .writer({ ...sinkContext(ports), schema: SCHEMA })
    await writer.open([])
    await writer.write(new RowBatch([...ROWS]))
    await writer.commit?.(await writer.prepareCommit(1))
    await writer.close()
  }

  async function readBack(topic: string, format: unknown): Promise<Row[]> {
    const source = kafkaConnector(connectKafka).source({ brokers: bed.bootstrap, topic, format, bounded: true })
    const context = { ...sourceContext(ports), schema: SCHEMA }
    const enumerator = source.enumerator(context)
    const reader = source.reader(context, compileRowClass(SCHEMA))
    await reader.open(await enumerator.discover([], 1))
    const rows: Row[] = []
    while (!reader.isFinished())
      rows.push(...((await reader.poll(1024))?.batch.rows() ?? []).map((row) => ({ ...row })))
    await reader.close()
    await enumerator.close()
    expect(context.reported.bad).toEqual([])
    return rows.sort((a, b) => Number(a['id']) - Number(b['id']))
  }

  test.each([
    ['json', 'json'],
    ['csv', { csv: { delimiter: ';' } }],
    ['avro', 'avro'],
    ['avro-registry', { avro: { registry: REGISTRY } }],
    ['protobuf', { protobuf: { schema: PROTO } }],
    ['protobuf-registry', { protobuf: { schema: PROTO, registry: REGISTRY } }],
  ])('what the sink writes as %s the source reads back', async (topic, format) => {
    await write(topic, format)
    // the broker ends a transaction in its partitions after it has answered
    await expect.poll(async () => (await readBack(topic, format)).length, { timeout: 20_000 }).toBe(ROWS.length)
    expect(await readBack(topic, format)).toEqual(ROWS)
  })

  test('millrace infer reads the topic of JSON records', async () => {
    await write('sample', 'json')
    await expect.poll(async () => (await readBack('sample', 'json')).length, { timeout: 20_000 }).toBe(ROWS.length)
    let out = ''
    await infer(
      { from: 'sample', brokers: bed.bootstrap, output: 'json' },
      {
        ports,
        connect: connectKafka,
        out: (text) => {
          out += text
        },
      },
    )
    expect(JSON.parse(out)).toMatchObject({
      records: ROWS.length,
      schema: { id: 'long', name: 'string?', hash: 'string', tags: 'array<string>' },
    })
  })

  describe('beside the values', () => {
    const client = (): Kafka =>
      new Kafka({ clientId: 'independent', brokers: [bed.bootstrap], logLevel: logLevel.NOTHING })
    const FIELDS = {
      id: 'string?',
      n: 'long?',
      at: 'timestamp',
      topic: 'string',
      part: 'long',
      place: 'bigint',
      trace: 'string?',
    }

    test('what another client wrote is in the fields that the source names', async () => {
      const admin = client().admin()
      await admin.createTopics({ topics: [{ topic: 'beside', numPartitions: 1 }], waitForLeaders: true })
      await admin.disconnect()
      const producer = client().producer()
      await producer.connect()
      const messages = Array.from({ length: 300 }, (_, n) => ({
        key: n % 3 === 0 ? null : `k${n}`,
        value: n % 7 === 0 ? null : JSON.stringify({ n }),
        timestamp: String(1_700_000_000_000 + n),
        headers: n % 2 === 0 ? { 'trace-id': `t${n}`, other: 'x' } : {},
      }))
      await producer.send({ topic: 'beside', messages })
      await producer.disconnect()
      const source = kafkaConnector(connectKafka).source({
        brokers: bed.bootstrap,
        topic: 'beside',
        bounded: true,
        tombstones: 'rows',
        metadata: {
          key: 'id',
          timestamp: 'at',
          topic: 'topic',
          partition: 'part',
          offset: 'place',
          headers: { 'trace-id': 'trace' },
        },
      })
      const context = { ...sourceContext(ports), schema: schemaOf(FIELDS) }
      const enumerator = source.enumerator(context)
      const reader = source.reader(context, compileRowClass(context.schema))
      await reader.open(await enumerator.discover([], 1))
      const rows: Row[] = []
      while (!reader.isFinished())
        rows.push(...((await reader.poll(100))?.batch.rows() ?? []).map((row) => ({ ...row })))
      await reader.close()
      await enumerator.close()
      expect(rows).toEqual(
        Array.from({ length: 300 }, (_, n) => ({
          id: n % 3 === 0 ? null : `k${n}`,
          n: n % 7 === 0 ? null : n,
          at: 1_700_000_000_000 + n,
          topic: 'beside',
          part: 0,
          place: String(n),
          trace: n % 2 === 0 ? `t${n}` : null,
        })),
      )
    })

    test('topics are read by a pattern of their names, also one that is made later', async () => {
      const admin = client().admin()
      const make = (topic: string) =>
        admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true })
      await make('sales-north')
      await make('other-sales-north')
      const source = kafkaConnector(connectKafka).source({
        brokers: bed.bootstrap,
        topicPattern: 'sales-.*',
        metadata: { topic: 'topic' },
      })
      const context = { ...sourceContext(ports), schema: schemaOf({ topic: 'string', n: 'long' }) }
      const discover = async (known: readonly Split[]): Promise<Split[]> => {
        const enumerator = source.enumerator(context)
        return enumerator.discover(known, 1).finally(() => enumerator.close())
      }
      const first = await discover([])
      expect(first.map(({ id }) => id)).toEqual(['sales-north/0'])
      await make('sales-south')
      const all = await discover(first)
      expect(all.map(({ id }) => id)).toEqual(['sales-north/0', 'sales-south/0'])
      const producer = client().producer()
      await producer.connect()
      for (const topic of ['sales-north', 'sales-south', 'other-sales-north'])
        await producer.send({ topic, messages: [{ value: '{"n":1}' }] })
      const reader = source.reader(context, compileRowClass(context.schema))
      await reader.open(all)
      const topics: unknown[] = []
      while (topics.length < 2) topics.push(...((await reader.poll(10))?.batch.rows() ?? []).map((row) => row['topic']))
      expect(topics.sort()).toEqual(['sales-north', 'sales-south'])
      await reader.close()
      await producer.disconnect()
      await admin.disconnect()
    })

    test('what the sink writes another client finds: keys, headers, times and tombstones', async () => {
      const schema = schemaOf({ id: 'string', n: 'long', at: 'timestamp', trace: 'string?', gone: 'boolean' })
      const writer = kafkaConnector(connectKafka)
        .sink({
          brokers: bed.bootstrap,
          topic: 'written-beside',
          createTopic: { partitions: 1 },
          key: 'id',
          headers: { 'trace-id': 'trace' },
          timestamp: 'at',
          tombstone: 'gone',
        })
        .writer({ ...sinkContext(ports), schema })
      const wanted = Array.from({ length: 300 }, (_, n) => ({
        // days apart, so that batches cannot hold them all
        row: { id: `k${n % 10}`, n, at: n * 86_400_000, trace: n % 2 === 0 ? `t${n}` : null, gone: n % 7 === 0 },
        key: `k${n % 10}`,
        value: n % 7 === 0 ? null : JSON.stringify({ id: `k${n % 10}`, n }),
        timestamp: String(n * 86_400_000),
        trace: n % 2 === 0 ? `t${n}` : undefined,
      }))
      await writer.open([])
      await writer.write(new RowBatch(wanted.map(({ row }) => row)))
      await writer.commit?.(await writer.prepareCommit(1))
      await writer.close()
      const consumer = client().consumer({ groupId: 'beside' })
      await consumer.connect()
      await consumer.subscribe({ topic: 'written-beside', fromBeginning: true })
      const found: object[] = []
      await consumer.run({
        eachMessage: async ({ message: { key, value, timestamp, headers } }) => {
          const trace = headers?.['trace-id']?.toString()
          found.push({ key: String(key), value: value === null ? null : String(value), timestamp, trace })
        },
      })
      await waitFor('all are read', 60_000, async () => found.length >= wanted.length)
      await consumer.disconnect()
      expect(found).toEqual(wanted.map(({ key, value, timestamp, trace }) => ({ key, value, timestamp, trace })))
    })
  })
})
