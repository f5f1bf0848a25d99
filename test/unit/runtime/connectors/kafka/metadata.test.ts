import { beforeEach, describe, expect, test } from 'vitest'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import { loadRecordCodecs } from '../../../../../runtime/connectors/kit/record-codecs.ts'
import { declaration, readSinkOptions, readSourceOptions } from '../../../../../runtime/connectors/kafka/declaration.ts'
import { metadataOf } from '../../../../../runtime/connectors/kafka/record-metadata.ts'
import { type RecordHeader, RecordBatchWriter } from '../../../../../runtime/connectors/kafka/record-batch-writer.ts'
import { kafkaSink } from '../../../../../runtime/connectors/kafka/sink.ts'
import { kafkaSource } from '../../../../../runtime/connectors/kafka/source.ts'
import { VirtualKafka } from '../../../../../runtime/connectors/kafka/virtual/cluster.ts'
import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import type { Field, Row, Schema } from '../../../../../runtime/model/schema.ts'
import { MAX_ITEMS } from '../../../../../runtime/model/decoding-limits.ts'
import type { Ports } from '../../../../../runtime/ports/ports.ts'
import { sinkContext, sourceContext } from '../../../../harness/kafka/connector-contexts.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'

await loadRecordCodecs()

const DAY_MS = 86_400_000
const field = (name: string, type: Field['type'], nullable = false): Field => ({ name, type, nullable })
const SCHEMA: Schema = {
  fields: [
    field('id', 'string', true),
    field('n', 'long', true),
    field('at', 'timestamp'),
    field('part', 'long'),
    field('place', 'long'),
    field('topic', 'string'),
    field('trace', 'string', true),
  ],
}
const METADATA = {
  key: 'id',
  timestamp: 'at',
  topic: 'topic',
  partition: 'part',
  offset: 'place',
  headers: { 'trace-id': 'trace' },
}
const NO_HEADERS: readonly RecordHeader[] = []

let kafka: VirtualKafka
let ports: Ports

beforeEach(() => {
  kafka = new VirtualKafka()
  kafka.createTopic('t', 1)
  ports = jumpingPorts()
})

function put(fill: (writer: RecordBatchWriter) => void): void {
  const { producerId, epoch } = kafka.initProducerId(null)
  const writer = new RecordBatchWriter(64)
  fill(writer)
  const batch = writer.finish({ producerId, epoch, sequence: 0, transactional: false }, 'none')
  expect(kafka.produce(1, null, [{ topic: 't', partition: 0, batch }])[0]?.errorCode).toBe(0)
}

async function rowsOf(options: object, schema: Schema = SCHEMA): Promise<{ rows: Row[]; bad: string[] }> {
  const source = kafkaSource(
    (client) => kafka.connect(client),
    readSourceOptions({ brokers: 'k:9092', topic: 't', bounded: true, metadata: METADATA, ...options }),
  )
  const bad: string[] = []
  const context = {
    ...sourceContext(ports),
    schema,
    onBadRecord: (error: Error) => {
      bad.push(error.message)
    },
  }
  const reader = source.reader(context, compileRowClass(schema))
  await reader.open(await source.enumerator(context).discover([], 1))
  const rows: Row[] = []
  while (!reader.isFinished()) rows.push(...((await reader.poll(2))?.batch.rows() ?? []))
  return { rows: rows.map((row) => ({ ...row })), bad }
}

const header = (name: string, value: string): RecordHeader => ({ name: Buffer.from(name), value: Buffer.from(value) })

describe('a source', () => {
  test('gives what records say beside their values to the fields that it names', async () => {
    put((writer) => {
      writer.append(Buffer.from('a'), Buffer.from('{"n":1}'), 1000, [header('trace-id', 'x'), header('trace-id', 'y')])
      writer.append(null, Buffer.from('{"n":2}'), 900, [header('other', 'x')])
    })
    put((writer) => {
      writer.append(Buffer.from('ü'), Buffer.from('{"n":3}'), 5000, NO_HEADERS)
    })
    const { rows, bad } = await rowsOf({})
    expect(bad).toEqual([])
    const place = { part: 0, topic: 't' }
    expect(rows).toEqual([
      { id: 'a', n: 1, at: 1000, place: 0, trace: 'y', ...place },
      { id: null, n: 2, at: 900, place: 1, trace: null, ...place },
      { id: 'ü', n: 3, at: 5000, place: 2, trace: null, ...place },
    ])
  })

  test('has a bad record where a text of the key or of a header is not UTF-8, and takes it as bytes', async () => {
    const latin1 = Buffer.from('Müller', 'latin1')
    put((writer) => {
      writer.append(latin1, Buffer.from('{"n":1}'), 1000, [header('trace-id', 'x')])
      writer.append(Buffer.from('a'), Buffer.from('{"n":2}'), 1000, [{ name: Buffer.from('trace-id'), value: latin1 }])
      writer.append(Buffer.from('\uFFFD'), Buffer.from('{"n":3}'), 1000, NO_HEADERS)
    })
    const { rows, bad } = await rowsOf({})
    expect(rows.map(({ id }) => id)).toEqual(['\uFFFD'])
    expect(bad).toEqual([
      expect.stringContaining("field 'id' is not UTF-8: M\uFFFDller"),
      expect.stringContaining("field 'trace' is not UTF-8: M\uFFFDller"),
    ])
    const bytes: Field['logical'] = { kind: 'bytes' }
    const raw = { fields: SCHEMA.fields.map((one) => (one.type === 'string' ? { ...one, logical: bytes } : one)) }
    const plain = { ...METADATA, topic: undefined }
    const asBytes = { fields: raw.fields.filter(({ name }) => name !== 'topic') }
    expect((await rowsOf({ metadata: plain }, asBytes)).rows).toMatchObject([
      { id: 'M\xfcller' },
      { id: 'a', trace: 'M\xfcller' },
      { id: '\xef\xbf\xbd' },
    ])
  })

  test('gives the time of the broker where that is the time of the topic', async () => {
    const writer = new RecordBatchWriter(64)
    writer.append(null, Buffer.from('{}'), 1000)
    writer.append(null, Buffer.from('{}'), 2000)
    const bytes = Buffer.from(writer.finish({ producerId: -1n, epoch: -1, sequence: -1, transactional: false }, 'none'))
    bytes.writeInt16BE(0b1000, 21)
    bytes.writeBigInt64BE(777n, 35)
    const found = metadataOf(bytes, bytes.subarray(61), { count: 2, baseOffset: 0, from: 0 })
    expect(found.map(({ timestamp }) => timestamp)).toEqual([777, 777])
  })

  test('makes a row of a tombstone where it is told to, and has a bad record otherwise', async () => {
    put((writer) => {
      writer.append(Buffer.from('a'), null, 1000)
    })
    expect(await rowsOf({ tombstones: 'rows' })).toMatchObject({ rows: [{ id: 'a', n: null, at: 1000 }], bad: [] })
    expect(await rowsOf({})).toMatchObject({ rows: [], bad: ['t/0 offset 0: the record has no value (a tombstone)'] })
  })

  test('has a bad record where a field that may not be null gets no key', async () => {
    put((writer) => {
      writer.append(null, Buffer.from('{"n":1}'), 1000)
    })
    const strict = { fields: SCHEMA.fields.map((one) => (one.name === 'id' ? { ...one, nullable: false } : one)) }
    expect(await rowsOf({}, strict)).toEqual({ rows: [], bad: ['the record has no id, and it may not be null'] })
  })

  test.each([
    [{ metadata: { key: 'idd' } }, 'metadata.key', 'there is no field "idd" in the schema'],
    [{ metadata: { timestamp: 'n' } }, 'metadata.timestamp', '"n" is long, and must be timestamp'],
    [{ metadata: { headers: { x: 'n' } } }, 'metadata.headers.x', '"n" is long, and must be string or bytes'],
    [{ metadata: { key: 'id' }, tombstones: 'rows' }, 'tombstones', 'a tombstone has no at'],
  ])('with %j has a problem at %s', (options, path, message) => {
    const written = { brokers: 'k:9092', topic: 't', ...options }
    expect(declaration.source?.checkSchema?.(written, SCHEMA)).toContainEqual(
      expect.objectContaining({ path, message }),
    )
  })
})

describe('metadata of a damaged batch', () => {
  test.each([
    ['a record has more headers', 1, (most: number) => Buffer.alloc(most * 2 + 2)],
    ['it has more records', MAX_ITEMS + 1, undefined],
  ])('is refused when %s than the limit', (_what, count, headers) => {
    const writer = new RecordBatchWriter(64)
    writer.append(null, Buffer.from('{}'), 1000)
    const batch = writer.finish({ producerId: -1n, epoch: -1, sequence: -1, transactional: false }, 'none')
    const records =
      headers === undefined
        ? Buffer.alloc(count * 7, Buffer.from('0c000000010100', 'hex'))
        : recordWith(MAX_ITEMS + 1, headers(MAX_ITEMS))
    expect(() => metadataOf(Buffer.from(batch), records, { count, baseOffset: 0, from: 0 })).toThrow(
      'more than 1000000',
    )
  })

  test('with any byte changed is refused or is metadata, and ends', () => {
    const writer = new RecordBatchWriter(64)
    writer.append(Buffer.from('key'), Buffer.from('value'), 1000, [header('name', 'text')])
    writer.append(null, null, 2000)
    const batch = writer.finish({ producerId: -1n, epoch: -1, sequence: -1, transactional: false }, 'none')
    const records = batch.subarray(61)
    for (let at = 0; at < records.length; at++) {
      for (const byte of [0, 1, 127, 128, 255]) {
        const damaged = Buffer.from(records)
        damaged[at] = byte
        try {
          metadataOf(batch, damaged, { count: 2, baseOffset: 0, from: 0 })
        } catch (error) {
          expect(error).toMatchObject({ code: 'KAFKA_BATCH_CORRUPT' })
        }
      }
    }
  })
})

describe('a sink', () => {
  const OPTIONS = {
    brokers: 'k:9092',
    topic: 't',
    delivery: 'atLeastOnce',
    key: 'id',
    headers: { 'trace-id': 'trace' },
    timestamp: 'at',
    tombstone: 'gone',
  }
  const WRITTEN: Schema = {
    fields: [
      field('id', 'string', true),
      field('n', 'long', true),
      field('at', 'timestamp', true),
      field('trace', 'string', true),
      field('gone', 'boolean'),
    ],
  }

  async function write(rows: readonly Row[]): Promise<void> {
    const sink = kafkaSink((client) => kafka.connect(client), readSinkOptions(OPTIONS))
    const writer = sink.writer({ ...sinkContext(ports), schema: WRITTEN })
    await writer.open([])
    await writer.write(new RowBatch([...rows]))
    await writer.prepareCommit(1)
    await writer.close()
  }

  test('writes the headers, times and tombstones that a source reads, and leaves their fields out of the value', async () => {
    await write([
      { id: 'a', n: 1, at: 100 * DAY_MS, trace: 'x', gone: false },
      { id: 'b', n: 2, at: 10 * DAY_MS, trace: null, gone: false },
      { id: 'a', n: 3, at: 50 * DAY_MS, trace: 'y', gone: true },
    ])
    const { rows } = await rowsOf({ tombstones: 'rows' })
    expect(rows.map(({ id, n, at, trace }) => ({ id, n, at: Number(at) / DAY_MS, trace }))).toEqual([
      { id: 'a', n: 1, at: 100, trace: 'x' },
      { id: 'b', n: 2, at: 10, trace: null },
      { id: 'a', n: null, at: 50, trace: 'y' },
    ])
    const raw = { fields: [field('value', 'string')] }
    const { rows: values } = await rowsOf({ metadata: undefined, format: 'raw' }, raw)
    expect(values).toEqual([{ value: '{"id":"a","n":1}' }, { value: '{"id":"b","n":2}' }])
  })

  test.each([
    [{ id: null, n: 1, at: 0, trace: null, gone: true }, 'a tombstone for topic t has no key'],
    [{ id: 'a', n: 1, at: -1, trace: null, gone: false }, 'at is -1: Kafka takes no time of a record before 1970'],
  ])('refuses %j', async (row, message) => {
    await expect(write([row])).rejects.toMatchObject({ code: 'VALUE_INVALID', message })
  })

  test.each([
    [{ tombstone: 'n', key: 'id' }, 'tombstone'],
    [{ tombstone: 'gone' }, 'tombstone'],
    [{ timestamp: 'n' }, 'timestamp'],
    [{ headers: { x: 'nothing' } }, 'headers.x'],
  ])('with %j has a problem at %s', (options, path) => {
    const problems = declaration.sink?.checkSchema?.({ brokers: 'k:9092', topic: 't', ...options }, WRITTEN) ?? []
    expect(problems.map((problem) => problem.path)).toContain(path)
  })
})

/** One record without key and value, and with so many headers, whose bytes these are. */
function recordWith(count: number, headers: Buffer): Buffer {
  const varint = (value: number): Buffer => {
    const bytes: number[] = []
    for (let rest = value * 2; ; rest = Math.floor(rest / 128)) {
      if (rest < 128) return Buffer.from([...bytes, rest])
      bytes.push((rest % 128) + 128)
    }
  }
  const body = Buffer.concat([Buffer.from('0000000101', 'hex'), varint(count), headers])
  return Buffer.concat([varint(body.length), body])
}
