import type { RowWriter } from '../../codegen/contracts.ts'
import type { Row } from '../../model/schema.ts'
import { recordCodecs } from '../kit/record-codecs.ts'
import { CODEC, compress } from './compression.ts'
import type { WritableCodec } from './compression.ts'
import { BATCH_HEADER_BYTES } from './record-batch-reader.ts'

/** Whose batch it is, for the broker's de-duplication; -1 everywhere for a producer without an id. */
export interface BatchOwner {
  producerId: bigint
  epoch: number
  sequence: number
  transactional: boolean
}

export interface RecordHeader {
  name: Buffer
  value: Buffer
}

/** More than the varints and the attributes of one record can take. */
const RECORD_OVERHEAD_BYTES = 32
const MOST_DISTANCE_MS = 2 ** 31
const NO_HEADERS: readonly RecordHeader[] = []

/**
 * Encodes records into one record batch (format 2): bytes go straight into one growing buffer and the header is
 * written at the end. Used once.
 */
export class RecordBatchWriter {
  count = 0
  #bytes: Buffer
  #at = BATCH_HEADER_BYTES
  #firstTimestamp = 0
  #lastTimestamp = 0
  /** How long the varints of the last row's record and value were: the next one's are mostly as long. */
  #lengthBytes = 2
  #valueLengthBytes = 2

  /** `spare` is the buffer of an earlier batch to write into; without one, a fresh one for `expectedBytes`. */
  constructor(expectedBytes: number, spare?: Buffer) {
    this.#bytes = spare ?? Buffer.allocUnsafe(BATCH_HEADER_BYTES + expectedBytes)
  }

  /** The buffer written into: whoever needs the bytes of `finish` no longer may give it to another batch. */
  get buffer(): Buffer {
    return this.#bytes
  }

  /** Size before compression. */
  get sizeBytes(): number {
    return this.#at
  }

  /** False for a time that is too far from the first one of the batch: the distance is written in 32 bits. */
  holds(timestamp: number): boolean {
    return this.count === 0 || Math.abs(timestamp - this.#firstTimestamp) < MOST_DISTANCE_MS
  }

  /** `timestamp` is ms since the epoch, one that the batch `holds`. */
  append(
    key: Buffer | null,
    value: Buffer | null,
    timestamp: number,
    headers: readonly RecordHeader[] = NO_HEADERS,
  ): void {
    const timestampDelta = this.#noteTimestamp(timestamp)
    const keyLength = key === null ? -1 : key.length
    const valueLength = value === null ? -1 : value.length
    const headerBytes = headersBytes(headers)
    this.#reserve(Math.max(0, keyLength) + Math.max(0, valueLength) + headerBytes + RECORD_OVERHEAD_BYTES)
    this.#varint(
      1 +
        varintBytes(timestampDelta) +
        varintBytes(this.count) +
        varintBytes(keyLength) +
        Math.max(0, keyLength) +
        varintBytes(valueLength) +
        Math.max(0, valueLength) +
        headerBytes,
    )
    this.#bytes[this.#at++] = 0
    this.#varint(timestampDelta)
    this.#varint(this.count)
    this.#varint(keyLength)
    if (key !== null) this.#copy(key)
    this.#varint(valueLength)
    if (value !== null) this.#copy(value)
    this.#varint(headers.length)
    for (const header of headers) {
      this.#varint(header.name.length)
      this.#copy(header.name)
      this.#varint(header.value.length)
      this.#copy(header.value)
    }
    this.count++
  }

  /**
   * Appends a record whose value is the row as `writer` writes it, straight into the batch: what stands before the
   * value and tells its length is written afterwards. False, and nothing done, when the batch would be longer than
   * `mostBytes` and is not empty.
   */
  appendRow(key: Buffer | null, row: Row, writer: RowWriter, timestamp: number, mostBytes: number): boolean {
    const keyLength = key === null ? -1 : key.length
    const timestampDelta = this.count === 0 ? 0 : timestamp - this.#firstTimestamp
    const between =
      1 + varintBytes(timestampDelta) + varintBytes(this.count) + varintBytes(keyLength) + Math.max(0, keyLength)
    const guess = this.#at + this.#lengthBytes + between + this.#valueLengthBytes
    let length = writer.encodeInto(row, this.#bytes, guess)
    while (length < 0 || guess + length + RECORD_OVERHEAD_BYTES > this.#bytes.length) {
      this.#reserve(this.#bytes.length)
      length = writer.encodeInto(row, this.#bytes, guess)
    }
    const body = between + varintBytes(length) + length + 1
    const valueAt = this.#at + varintBytes(body) + between + varintBytes(length)
    if (valueAt + length > mostBytes && this.count > 0) return false
    if (valueAt !== guess) this.#bytes.copyWithin(valueAt, guess, guess + length)
    this.#lengthBytes = varintBytes(body)
    this.#valueLengthBytes = varintBytes(length)
    this.#noteTimestamp(timestamp)
    const bytes = this.#bytes
    let at = putVarint(bytes, this.#at, body)
    bytes[at] = 0
    at = putVarint(bytes, at + 1, timestampDelta)
    at = putVarint(bytes, at, this.count)
    at = putVarint(bytes, at, keyLength)
    if (key !== null) at += key.copy(bytes, at)
    at = putVarint(bytes, at, length) + length
    bytes[at] = 0
    this.#at = at + 1
    this.count++
    return true
  }

  finish(owner: BatchOwner, codec: WritableCodec): Buffer {
    const batch = codec === 'none' ? this.#bytes.subarray(0, this.#at) : this.#compressed(codec)
    batch.writeBigInt64BE(0n, 0)
    batch.writeInt32BE(batch.length - 12, 8)
    batch.writeInt32BE(-1, 12)
    batch[16] = 2
    batch.writeInt16BE(CODEC[codec] | (owner.transactional ? 0b10000 : 0), 21)
    batch.writeInt32BE(this.count - 1, 23)
    batch.writeBigInt64BE(BigInt(this.#firstTimestamp), 27)
    batch.writeBigInt64BE(BigInt(this.#lastTimestamp), 35)
    batch.writeBigInt64BE(owner.producerId, 43)
    batch.writeInt16BE(owner.epoch, 51)
    batch.writeInt32BE(owner.sequence, 53)
    batch.writeInt32BE(this.count, 57)
    batch.writeUInt32BE(recordCodecs().crc32c(batch.subarray(21)), 17)
    return batch
  }

  #compressed(codec: WritableCodec): Buffer {
    const records = compress(codec, this.#bytes.subarray(BATCH_HEADER_BYTES, this.#at))
    const batch = Buffer.allocUnsafe(BATCH_HEADER_BYTES + records.length)
    records.copy(batch, BATCH_HEADER_BYTES)
    return batch
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + bytes))
    this.#bytes.copy(grown, 0, 0, this.#at)
    this.#bytes = grown
  }

  /** Returns how much later than the first of the batch. */
  #noteTimestamp(timestamp: number): number {
    if (this.count === 0) this.#firstTimestamp = this.#lastTimestamp = timestamp
    else if (timestamp > this.#lastTimestamp) this.#lastTimestamp = timestamp
    return timestamp - this.#firstTimestamp
  }

  #copy(bytes: Buffer): void {
    bytes.copy(this.#bytes, this.#at)
    this.#at += bytes.length
  }

  #varint(value: number): void {
    this.#at = putVarint(this.#bytes, this.#at, value)
  }
}

/** Returns the place behind it. */
function putVarint(bytes: Buffer, at: number, value: number): number {
  let rest = zigzag(value)
  let p = at
  for (; rest > 127; rest >>>= 7) bytes[p++] = (rest & 127) | 128
  bytes[p++] = rest
  return p
}

function headersBytes(headers: readonly RecordHeader[]): number {
  let bytes = varintBytes(headers.length)
  for (const { name, value } of headers)
    bytes += varintBytes(name.length) + name.length + varintBytes(value.length) + value.length
  return bytes
}

function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0
}

function varintBytes(value: number): number {
  const bits = zigzag(value)
  return bits < 0x80 ? 1 : bits < 0x4000 ? 2 : bits < 0x200000 ? 3 : bits < 0x10000000 ? 4 : 5
}
