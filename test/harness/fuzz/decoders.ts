import { crc32c } from '@node-rs/crc32'
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { compileRowClass } from '../../../runtime/codegen/rows/row.ts'
import { parseActions } from '../../../runtime/connectors/delta/log-actions.ts'
import { checkAppendable, checkReadable } from '../../../runtime/connectors/delta/table-protocol.ts'
import { tableColumns } from '../../../runtime/connectors/delta/table-schema.ts'
import { StateBuilder } from '../../../runtime/connectors/delta/table-state.ts'
import { FlumeRequests } from '../../../runtime/connectors/flume/flume-rpc.ts'
import { NettyReader } from '../../../runtime/connectors/flume/netty-frames.ts'
import { avroHeader, AvroSplit } from '../../../runtime/connectors/file/avro-split.ts'
import { MARKER_BYTES } from '../../../runtime/formats/avro-container.ts'
import { AvroWriter } from '../../../runtime/formats/avro-file-writer.ts'
import { openParquetFile, ParquetSplit } from '../../../runtime/connectors/file/parquet-split.ts'
import { loadRecordCodecs } from '../../../runtime/connectors/kit/record-codecs.ts'
import { CODEC, decompress } from '../../../runtime/connectors/kafka/compression.ts'
import { BATCH_HEADER_BYTES, RecordBatchReader } from '../../../runtime/connectors/kafka/record-batch-reader.ts'
import { RecordBatchWriter } from '../../../runtime/connectors/kafka/record-batch-writer.ts'
import { RecordColumns } from '../../../runtime/connectors/kafka/record-columns.ts'
import { EntryMessages } from '../../../runtime/connectors/pulsar/entry-messages.ts'
import { encodeOutgoing, entryOf, MessageBatch } from '../../../runtime/connectors/pulsar/message-batch.ts'
import { decodeEntry, encodeEntryFrame, FrameReader } from '../../../runtime/connectors/pulsar/protocol/frames.ts'
import type { FormatContext } from '../../../runtime/formats/format.ts'
import { readFormat } from '../../../runtime/formats/formats.ts'
import { namedField, type Row, type Schema } from '../../../runtime/model/schema.ts'
import { parseValueType } from '../../../runtime/model/value-type.ts'
import type { Files } from '../../../runtime/ports/files.ts'
import { connectorDecoders } from './connector-decoders.ts'

/** A decoder as it is fuzzed. */
export interface FuzzedDecoder {
  name: string
  /** What it reads: each must be read without an error. */
  samples: readonly Buffer[]
  /** Reads bytes to their end. May throw MillraceErrors, no others. */
  decode(bytes: Buffer): void | Promise<void>
  /** Makes right again what would refuse every mutation, such as a checksum. */
  seal?(bytes: Buffer): void
}

const BATCH = { producerId: 7n, epoch: 3, sequence: 5, transactional: false }
const TEXT = Buffer.from(Array.from({ length: 60 }, (_, i) => `{"n":${i * 31},"word":"w${i % 7}"}`).join('\n'))
const PACKED = {
  none: (bytes: Buffer): Buffer => bytes,
  gzip: (bytes: Buffer): Buffer => gzipSync(bytes),
  snappy: (bytes: Buffer): Buffer => Buffer.from(snappyCompress(bytes)),
  lz4: (bytes: Buffer): Buffer => Buffer.from(lz4Compress(bytes)),
  zstd: (bytes: Buffer): Buffer => zstdCompressSync(bytes),
}
type CodecName = keyof typeof PACKED
const CODECS: readonly CodecName[] = ['gzip', 'snappy', 'lz4', 'zstd']
const FLAT = {
  long: 'long',
  int: 'long?',
  double: 'double',
  flag: 'boolean',
  word: 'string',
  text: 'string?',
  name: 'string',
  plain: 'long?',
  at: 'timestamp',
}
const RICH = {
  n: 'long',
  price: 'double?',
  ok: 'boolean',
  word: 'string',
  at: 'timestamp',
  tags: 'array<string>',
  counts: 'map<long>',
  place: 'row{x: double, y: double?}?',
  amount: 'decimal(12,2)',
  hash: 'bytes',
  any: 'json?',
}
const PROTO = `syntax = "proto3";
message R {
  int64 n = 1; optional double price = 2; bool ok = 3; string word = 4; int64 at = 5; repeated string tags = 6;
  map<string, int64> counts = 7; Place place = 8; string amount = 9; bytes hash = 10;
}
message Place { double x = 1; optional double y = 2; }
message Tree { string name = 1; repeated Tree inner = 2; repeated sint64 deltas = 3; }`
/** A Tree called a, with a delta and in it a Tree called b with three. */
const TREE = Buffer.from('0a016112080a01621a030204061a0102', 'hex')
const NULLS = {
  type: 'record',
  name: 'Node',
  fields: [
    { name: 'lists', type: { type: 'array', items: { type: 'array', items: 'null' } } },
    { name: 'next', type: ['null', 'Node'] },
  ],
}
/** Two lists of two and one nulls, and a Node without any behind them. */
const NODE = Buffer.from('04040002000002'.concat('0000'), 'hex')
const ROWS: readonly (readonly unknown[])[] = [
  [7, 2.5, true, 'wörd', 1_700_000_000_000, ['a', 'b'], { k: 1, l: -2 }, { x: 1, y: null }, '12.50', '\x00\xff', null],
  [-900_719_925_474_099, null, false, '', 0, [], {}, null, '-0.01', '', null],
]
const { any: _any, ...PLAIN } = RICH
const PLAIN_ROWS = ROWS.map((values) => values.slice(0, -1))
const PARQUET = join(import.meta.dirname, '..', '..', 'fixtures', 'parquet')

/** All of them, ready to run. */
export async function fuzzedDecoders(): Promise<FuzzedDecoder[]> {
  await loadRecordCodecs()
  return [
    kafkaBatches(),
    ...CODECS.map(compression),
    await format('avro', 'avro', RICH, ROWS),
    await format('avro of lists of nulls', { avro: { schema: NULLS } }, { lists: 'json', next: 'json?' }, [], [NODE]),
    await format('protobuf', { protobuf: { schema: PROTO } }, PLAIN, PLAIN_ROWS),
    await format(
      'protobuf of trees',
      { protobuf: { schema: PROTO, message: 'Tree' } },
      { name: 'string', inner: 'json', deltas: 'array<long>' },
      [],
      [TREE],
    ),
    await format('json', 'json', RICH, ROWS),
    await format('json of flat rows', 'json', FLAT_JSON, FLAT_JSON_ROWS),
    await format('csv', 'csv', RICH, ROWS),
    await format('raw', 'raw', { text: 'string' }, [['text, of any kind: ž €'], ['']]),
    deltaLog(),
    flumeCalls(),
    pulsarEntries(),
    avroFile(),
    parquet('parquet', 'flat.parquet', FLAT),
    parquet('parquet of lists', 'lists.parquet', { id: 'long', tags: 'json?' }),
    ...connectorDecoders(),
  ]
}

const FLAT_JSON = { n: 'long', price: 'double', word: 'string', at: 'timestamp' }
const FLAT_JSON_ROWS = [
  [1, 2.5, 'one', 1_700_000_000_000],
  [2, -0.25, 'two', 1_700_000_000_001],
]

const COMMIT = [
  {
    protocol: {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: ['timestampNtz'],
      writerFeatures: ['timestampNtz'],
    },
  },
  {
    metaData: {
      id: 'table',
      schemaString: '{"type":"struct","fields":[{"name":"n","type":"long","nullable":true,"metadata":{"a":"b"}}]}',
      partitionColumns: ['day'],
      configuration: { 'delta.appendOnly': 'true' },
    },
  },
  { txn: { appId: 'app', version: 3 } },
  { remove: { path: 'day=1/a%20b.parquet', dataChange: false } },
  {
    add: {
      path: 'day=1/c.parquet',
      partitionValues: { day: '1' },
      size: 7,
      modificationTime: 1,
      dataChange: true,
      stats: '{}',
    },
  },
]

function deltaLog(): FuzzedDecoder {
  return {
    name: 'delta log',
    samples: [Buffer.from(COMMIT.map((action) => JSON.stringify(action)).join('\n'))],
    decode(bytes) {
      const builder = new StateBuilder('files')
      builder.apply(0, parseActions(bytes, 'a commit'))
      const { protocol, metadata } = builder
      if (protocol === undefined || metadata === undefined) return
      checkReadable('t', protocol, metadata)
      checkAppendable('t', protocol, metadata)
      tableColumns('t', metadata.schemaString)
    },
  }
}

/** Bytes that a real agent sent: test/fixtures/flume. */
function flumeCalls(): FuzzedDecoder {
  return {
    name: 'flume calls',
    samples: [readFileSync(join(import.meta.dirname, '..', '..', 'fixtures', 'flume', 'agent-1.11.0.bin'))],
    decode(bytes) {
      const requests = new FlumeRequests(1_000)
      for (const message of new NettyReader(1_000_000).push(bytes)) requests.decode(message.bytes)
    },
  }
}

function pulsarEntries(): FuzzedDecoder {
  const entryBytes = (compression: 'none' | 'zlib' | 'zstd'): Buffer => {
    const batch = new MessageBatch()
    for (let n = 0; n < 8; n++) {
      const value = n === 3 ? null : Buffer.from(`{"n":${n}}`.repeat(n))
      const properties = [{ name: 'p', value: String(n) }]
      batch.append(encodeOutgoing({ value, key: `key ${n}`, isKeyBase64: n === 5, eventTime: n + 1, properties }))
    }
    const message = { consumerId: 1, messageId: { ledger: 7, entry: 9 } }
    return encodeEntryFrame({ message }, entryOf(batch.pack(compression), 'p', 1, 1_700_000_000_000))
  }
  return {
    name: 'pulsar entries',
    samples: (['none', 'zlib', 'zstd'] as const).map(entryBytes),
    decode(bytes) {
      const messages = new EntryMessages('heads too')
      for (const { command, rest } of new FrameReader(1_000_000).push(bytes))
        if (command.message !== undefined) messages.decode(decodeEntry(rest))
    },
    seal: sealPulsarEntry,
  }
}

/** Sets the checksum of the first frame, so that what is under it is read. */
function sealPulsarEntry(bytes: Buffer): void {
  if (bytes.length < 8) return
  const end = 4 + bytes.readUInt32BE(0)
  const checksumAt = 8 + bytes.readUInt32BE(4) + 2
  if (checksumAt + 4 <= end && end <= bytes.length)
    bytes.writeUInt32BE(crc32c(bytes.subarray(checksumAt + 4, end)), checksumAt)
}

function kafkaBatches(): FuzzedDecoder {
  return {
    name: 'kafka batches',
    samples: (['none', ...CODECS] as const).map((codec) => batchOf(codec)),
    decode(bytes) {
      const reader = new RecordBatchReader(bytes, 0, [], 'topic/0')
      const columns = new RecordColumns()
      while (reader.next(columns));
    },
    seal: sealBatches,
  }
}

function batchOf(codec: CodecName): Buffer {
  const writer = new RecordBatchWriter(16)
  for (let i = 0; i < 12; i++)
    writer.append(
      i % 3 === 0 ? null : Buffer.from(`key ${i}`),
      Buffer.from(`{"n":${i}}`.repeat(i)),
      1_700_000_000_000 + i,
    )
  const bytes = Buffer.from(writer.finish(BATCH, 'none'))
  const batch = Buffer.concat([
    bytes.subarray(0, BATCH_HEADER_BYTES),
    PACKED[codec](bytes.subarray(BATCH_HEADER_BYTES)),
  ])
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt16BE(CODEC[codec], 21)
  sealBatches(batch)
  return batch
}

/** Sets the checksum of the first batch, so that what is under it is read. */
function sealBatches(bytes: Buffer): void {
  if (bytes.length < BATCH_HEADER_BYTES) return
  const end = 12 + bytes.readInt32BE(8)
  if (end >= BATCH_HEADER_BYTES && end <= bytes.length) bytes.writeUInt32BE(crc32c(bytes.subarray(21, end)), 17)
}

function compression(codec: CodecName): FuzzedDecoder {
  return {
    name: codec,
    samples: [PACKED[codec](TEXT), PACKED[codec](Buffer.alloc(3000))],
    decode(bytes) {
      decompress(CODEC[codec], bytes)
    },
  }
}

async function format(
  name: string,
  options: unknown,
  types: Readonly<Record<string, string>>,
  rows: readonly (readonly unknown[])[],
  made: readonly Buffer[] = [],
): Promise<FuzzedDecoder> {
  const schema = schemaOf(types)
  const { format: found, problems } = readFormat(options)
  if (problems.length > 0) throw new Error(`${name}: ${problems.map(({ message }) => message).join('; ')}`)
  const Rows = compileRowClass(schema)
  const context: FormatContext = { schema, ports: {} as FormatContext['ports'], baseDir: '.' }
  const writer = rows.length === 0 ? undefined : await found.writer(context)
  const scanner = await found.scanner(context, Rows)
  const recordOf = (row: Row): Buffer => {
    const buffer = Buffer.alloc(4096)
    return buffer.subarray(0, writer?.encodeInto(row, buffer, 0))
  }
  return {
    name,
    samples: [...made, ...rows.map((values) => recordOf(new Rows(...values)))],
    decode(bytes) {
      scanner.open?.(bytes)
      scanner.row(bytes, 0, bytes.length)
    },
  }
}

function parquet(name: string, file: string, types: Readonly<Record<string, string>>): FuzzedDecoder {
  const schema = schemaOf(types)
  const rows = compileRowClass(schema)
  return {
    name,
    samples: [readFileSync(join(PARQUET, file))],
    async decode(bytes) {
      const opened = await openParquetFile(filesOf(bytes), file)
      for (let group = 0; group < opened.metadata.row_groups.length; group++) {
        const split = new ParquetSplit({
          file: opened,
          group,
          next: undefined,
          schema,
          rows,
          eventTimeField: undefined,
          onBadRecord: () => undefined,
        })
        while ((await split.read(1024)) !== undefined);
      }
    },
  }
}

function avroFile(): FuzzedDecoder {
  const schema = schemaOf(RICH)
  const rows = compileRowClass(schema)
  const writer = new AvroWriter(schema, Buffer.alloc(MARKER_BYTES, 7))
  const blocks = [ROWS, ROWS].map((values) => {
    for (const row of values) writer.add(new rows(...row))
    return writer.take()
  })
  return {
    name: 'avro file',
    samples: [Buffer.concat(blocks)],
    async decode(bytes) {
      const file = {
        path: 'x.avro',
        sizeBytes: bytes.length,
        read: (offset: number, length: number) =>
          Promise.resolve(new Uint8Array(bytes.subarray(offset, offset + length))),
      }
      const header = await avroHeader(file)
      const split = new AvroSplit({
        file,
        header,
        start: 0,
        end: bytes.length,
        next: undefined,
        schema,
        rows,
        eventTimeField: undefined,
        onBadRecord: () => undefined,
      })
      while ((await split.read(1024)) !== undefined);
    },
  }
}

/** One file, whatever its path. */
function filesOf(bytes: Buffer): Files {
  return {
    exists: () => Promise.resolve(true),
    sizeBytes: () => Promise.resolve(bytes.length),
    read: (_path: string, offset: number, length: number) =>
      Promise.resolve(new Uint8Array(bytes.subarray(offset, offset + length))),
  } as unknown as Files
}

function schemaOf(types: Readonly<Record<string, string>>): Schema {
  return {
    fields: Object.entries(types).map(([name, text]) => {
      const type = parseValueType(text)
      if (type === undefined) throw new Error(`no type: ${text}`)
      return namedField(name, type)
    }),
  }
}
