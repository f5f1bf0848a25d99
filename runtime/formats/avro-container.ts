import { crc32, deflateRawSync, inflateRawSync, zstdDecompressSync } from 'node:zlib'
import { compressors } from 'hyparquet-compressors'
import { clipped } from '../model/clipped.ts'
import { MillraceError } from '../model/errors.ts'
import { parseAvroSchema, type AvroType } from './avro-schema.ts'
import { ByteInput } from './byte-input.ts'
import { ByteOutput } from './byte-output.ts'

/**
 * Avro's object container files: a header with the schema, then blocks of records, each behind a marker of 16 bytes
 * that tells where blocks begin. Source: Avro 1.12 specification, "Object Container Files".
 */
export const MARKER_BYTES = 16
/** A header beyond that is a mistake; without a bound it would fill the memory. */
export const MOST_HEADER_BYTES = 1024 * 1024
/** The size of a block, packed or not. */
export const MOST_BLOCK_BYTES = 64 * 1024 * 1024
/** Records of no bytes would not end. */
const MOST_BLOCK_RECORDS = 16 * 1024 * 1024
/** Two varints. */
export const MOST_BLOCK_HEAD_BYTES = 20

const MAGIC = Buffer.from('Obj\x01', 'latin1')

export interface ContainerHeader {
  readonly schema: AvroType & { kind: 'record' }
  readonly codec: Codec
  readonly marker: Buffer
}

/** Unpacks a block. Throws AVRO_FILE_INVALID, also beyond MOST_BLOCK_BYTES. */
export type Codec = (packed: Uint8Array) => Buffer

export interface BlockHead {
  readonly records: number
  readonly sizeBytes: number
  /** Bytes that the head itself has. */
  readonly headBytes: number
}

/** `bytes` are the first of a file, MOST_HEADER_BYTES unless it is shorter. Throws AVRO_FILE_INVALID. */
export function containerHeader(bytes: Buffer): ContainerHeader {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw invalidAvroFile('it does not begin as files of Avro do')
  const input = new ByteInput()
  input.open(bytes, MAGIC.length, bytes.length)
  const metadata = valid('its header', () => metadataOf(input))
  const marker = Buffer.from(valid('its header', () => input.bytes.subarray(input.take(MARKER_BYTES), input.at)))
  const schema = metadata.get('avro.schema')
  if (schema === undefined) throw invalidAvroFile('its header has no schema')
  return { schema: recordSchema(schema), codec: codecOf(metadata.get('avro.codec') ?? 'null'), marker }
}

/** `bytes` begin with a block, or with as much of it as the file has. Throws AVRO_FILE_INVALID. */
export function blockHead(bytes: Buffer): BlockHead {
  const input = new ByteInput()
  input.open(bytes, 0, bytes.length)
  const [records, sizeBytes] = valid('the head of a block', () => [countOf(input), countOf(input)] as const)
  if (records > MOST_BLOCK_RECORDS || sizeBytes > MOST_BLOCK_BYTES)
    throw invalidAvroFile(
      `a block has ${records} records of ${sizeBytes} bytes, more than ${MOST_BLOCK_RECORDS} or ${MOST_BLOCK_BYTES}`,
    )
  return { records, sizeBytes, headBytes: input.at }
}

/** The number of records of a whole file. Throws AVRO_FILE_INVALID. */
export function recordsOf(bytes: Buffer): number {
  const { marker } = containerHeader(bytes)
  let records = 0
  for (let at = bytes.indexOf(marker) + MARKER_BYTES; at < bytes.length; ) {
    const head = blockHead(bytes.subarray(at, at + MOST_BLOCK_HEAD_BYTES))
    records += head.records
    at += head.headBytes + head.sizeBytes + MARKER_BYTES
  }
  return records
}

/** The beginning of a file whose blocks `writeBlock` makes. */
export function writeHeader(schema: object, marker: Uint8Array): Buffer {
  const text = JSON.stringify(schema)
  const output = new ByteOutput()
  output.open(Buffer.allocUnsafe(Buffer.byteLength(text) + 100), 0)
  output.zigzag(2)
  for (const [name, value] of [
    ['avro.schema', text],
    ['avro.codec', 'deflate'],
  ] as const) {
    output.text(name, 'utf8', (out, bytes) => {
      out.zigzag(bytes)
    })
    output.text(value, 'utf8', (out, bytes) => {
      out.zigzag(bytes)
    })
  }
  output.zigzag(0)
  return Buffer.concat([MAGIC, output.bytes.subarray(0, output.at), marker])
}

export function writeBlock(records: number, bytes: Uint8Array, marker: Uint8Array): Buffer {
  const packed = deflateRawSync(bytes)
  const output = new ByteOutput()
  output.open(Buffer.allocUnsafe(MOST_BLOCK_HEAD_BYTES), 0)
  output.zigzag(records)
  output.zigzag(packed.length)
  return Buffer.concat([output.bytes.subarray(0, output.at), packed, marker])
}

export function invalidAvroFile(why: string, cause?: unknown): MillraceError {
  return new MillraceError('AVRO_FILE_INVALID', `no file of Avro: ${why}`, {
    domain: 'user',
    ...(cause === undefined ? {} : { cause }),
  })
}

function metadataOf(input: ByteInput): Map<string, string> {
  const metadata = new Map<string, string>()
  for (;;) {
    let entries = longOf(input)
    if (entries === 0) return metadata
    if (entries < 0) {
      entries = -entries
      longOf(input)
    }
    for (let entry = 0; entry < entries; entry++) {
      const name = input.text(countOf(input))
      metadata.set(name, input.text(countOf(input)))
    }
  }
}

function longOf(input: ByteInput): number {
  const low = input.varint()
  const { high } = input
  const value = BigInt.asIntN(64, (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0))
  const long = Number((value >> 1n) ^ -(value & 1n))
  if (!Number.isSafeInteger(long)) throw invalidAvroFile(`it has a length of ${long}`)
  return long
}

function countOf(input: ByteInput): number {
  const count = longOf(input)
  if (count < 0) throw invalidAvroFile(`it has a length of ${count}`)
  return count
}

function recordSchema(text: string): AvroType & { kind: 'record' } {
  try {
    return parseAvroSchema(JSON.parse(text))
  } catch (cause) {
    throw invalidAvroFile(`its schema cannot be read: ${clipped(text)}`, cause)
  }
}

function codecOf(name: string): Codec {
  const unpack = CODECS.get(name)
  if (unpack === undefined)
    throw invalidAvroFile(`its blocks are packed with ${clipped(name)}; known are ${[...CODECS.keys()].join(', ')}`)
  return (packed) => valid(`a block of ${name}`, () => unpack(packed))
}

const LIMIT = { maxOutputLength: MOST_BLOCK_BYTES }

const CODECS: ReadonlyMap<string, Codec> = new Map<string, Codec>([
  ['null', (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)],
  ['deflate', (bytes) => inflateRawSync(bytes, LIMIT)],
  ['snappy', unpackSnappy],
  ['zstandard', (bytes) => zstdDecompressSync(bytes, LIMIT)],
])

/** Behind the block stands the CRC-32 of what it unpacks to; before it, as a varint, how long that is. */
function unpackSnappy(packed: Uint8Array): Buffer {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)
  const input = new ByteInput()
  const end = bytes.length - 4
  input.open(bytes, 0, Math.max(0, end))
  const length = input.varint()
  if (length > MOST_BLOCK_BYTES || input.high !== 0)
    throw invalidAvroFile(`a block unpacks to more than ${MOST_BLOCK_BYTES} bytes`)
  const unpacked = Buffer.from(compressors.SNAPPY?.(bytes.subarray(0, end), length) ?? [])
  if (unpacked.length !== length || crc32(unpacked) !== bytes.readUInt32BE(end))
    throw invalidAvroFile('a block of snappy does not have its checksum')
  return unpacked
}

function valid<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof MillraceError && cause.code === 'AVRO_FILE_INVALID') throw cause
    throw invalidAvroFile(`${what} cannot be read`, cause)
  }
}
