import { MillraceError } from '../../model/errors.ts'
import type { AbortedTransaction } from './client.ts'
import { recordCodecs } from '../kit/record-codecs.ts'
import { decompress } from './compression.ts'
import { metadataOf } from './record-metadata.ts'
import type { RecordColumns } from './record-columns.ts'
import { unreadable } from './unreadable.ts'

/** Bytes of a record batch before its records (magic 2, frozen since Kafka 0.11). */
export const BATCH_HEADER_BYTES = 61
const LENGTH_AT = 8
const LENGTH_ENDS_AT = 12
const LAST_DELTA_AT = 23
const CRC_STARTS_AT = 21
const MAGIC = 2
const CODEC_BITS = 0b111
const TRANSACTIONAL_BIT = 0b10000
const CONTROL_BIT = 0b100000
const ABORT_MARKER = 0

/**
 * Walks the record batches of one fetched partition in order, leaving out control batches and, when `aborted`
 * is given, the records of aborted transactions.
 *
 * The list of one fetch covers exactly that fetch, so nothing has to be remembered between fetches. It must be
 * sorted here: brokers sort it by the end of the transactions (kafkajs trusts the order and delivers aborted
 * records; research note "Kafka clients", section 4).
 */
export class RecordBatchReader {
  /** Where to go on after the batches walked so far: behind the batch, not behind its last record, since
   *  compaction and markers leave holes that would otherwise be asked for again for ever. */
  nextOffset: number
  readonly #bytes: Buffer
  readonly #where: string
  readonly #from: number
  readonly #aborted: AbortedTransaction[]
  readonly #filtersAborted: boolean
  readonly #abortedNow = new Set<bigint>()
  #at = 0
  #nextAborted = 0

  constructor(bytes: Buffer, from: number, aborted: readonly AbortedTransaction[] | null, where: string) {
    this.#bytes = bytes
    this.#from = from
    this.#where = where
    this.nextOffset = from
    this.#filtersAborted = aborted !== null
    this.#aborted = [...(aborted ?? [])].sort((a, b) => a.firstOffset - b.firstOffset)
  }

  /**
   * Decodes the next batch that has records to deliver into `columns` and returns true; false at the end.
   * `nextOffset` has moved in both cases. A batch cut off at the end is left for the next fetch.
   */
  next(columns: RecordColumns): boolean {
    const bytes = this.#bytes
    while (this.#at + BATCH_HEADER_BYTES <= bytes.length) {
      const start = this.#at
      const end = endOfBatch(bytes, start)
      if (end > bytes.length) return false
      if (end < start + BATCH_HEADER_BYTES)
        throw this.#corrupt(
          start,
          unreadable(`it says that it is ${end - start} bytes long, its header has ${BATCH_HEADER_BYTES}`),
        )
      this.#check(start, end)
      const base = readOffset(bytes, start)
      const last = base + bytes.readInt32BE(start + LAST_DELTA_AT)
      if (last < base) throw this.#corrupt(start, unreadable(`its last offset, ${last}, is before its first`))
      this.#at = end
      this.nextOffset = Math.max(this.nextOffset, last + 1)
      if (last >= this.#from && this.#delivers(start, end, last)) {
        this.#decode(start, end, base, columns)
        if (columns.count > 0) return true
      }
    }
    columns.count = 0
    return false
  }

  #check(start: number, end: number): void {
    const bytes = this.#bytes
    if (bytes[start + 16] !== MAGIC) {
      throw new MillraceError(
        'KAFKA_BATCH_UNSUPPORTED',
        `${this.#where} has a record batch of format ${bytes[start + 16]} at offset ${readOffset(bytes, start)}; only format 2 (Kafka 0.11 and later) is read`,
        { domain: 'dependency' },
      )
    }
    const expected = bytes.readUInt32BE(start + 17)
    const found = recordCodecs().crc32c(bytes.subarray(start + CRC_STARTS_AT, end))
    if (expected !== found) {
      throw new MillraceError(
        'KAFKA_BATCH_CORRUPT',
        `${this.#where} has a broken record batch at offset ${readOffset(bytes, start)}: its checksum is ${expected}, its bytes give ${found}`,
        { domain: 'dependency', retriable: true },
      )
    }
  }

  #delivers(start: number, end: number, last: number): boolean {
    const bytes = this.#bytes
    const attributes = bytes.readInt16BE(start + 21)
    const isControl = (attributes & CONTROL_BIT) !== 0
    if (!this.#filtersAborted) return !isControl
    const producer = bytes.readBigInt64BE(start + 43)
    for (
      let next = this.#aborted[this.#nextAborted];
      next !== undefined && next.firstOffset <= last;
      next = this.#aborted[++this.#nextAborted]
    ) {
      this.#abortedNow.add(next.producerId)
    }
    if (isControl) {
      if (markerType(bytes, start + BATCH_HEADER_BYTES, end) === ABORT_MARKER) this.#abortedNow.delete(producer)
      return false
    }
    return (attributes & TRANSACTIONAL_BIT) === 0 || !this.#abortedNow.has(producer)
  }

  #decode(start: number, end: number, base: number, columns: RecordColumns): void {
    const bytes = this.#bytes
    const codec = bytes.readInt16BE(start + 21) & CODEC_BITS
    const body = bytes.subarray(start + BATCH_HEADER_BYTES, end)
    try {
      const records = codec === 0 ? body : decompress(codec, body)
      const count = bytes.readInt32BE(start + 57)
      columns.decode(records, count, base, this.#from)
      if (columns.wantsMetadata)
        columns.metadata = metadataOf(bytes.subarray(start, end), records, {
          count,
          baseOffset: base,
          from: this.#from,
        })
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'KAFKA_BATCH_CORRUPT') throw this.#corrupt(start, error)
      throw error
    }
  }

  #corrupt(start: number, { message, cause }: MillraceError): MillraceError {
    return new MillraceError(
      'KAFKA_BATCH_CORRUPT',
      `${this.#where} has a record batch at offset ${readOffset(this.#bytes, start)} that cannot be read: ${message}`,
      {
        domain: 'dependency',
        hint: 'The broker holds the batch so: start behind it without state, or delete it (kafka-delete-records).',
        ...(cause === undefined ? {} : { cause }),
      },
    )
  }
}

/** What a batch says of its end; it may lie anywhere. */
export function endOfBatch(bytes: Buffer, start: number): number {
  return start + LENGTH_ENDS_AT + bytes.readInt32BE(start + LENGTH_AT)
}

export function readOffset(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 4294967296 + bytes.readUInt32BE(at + 4)
}

/**
 * A control record's key is (version int16, type int16) behind five varints and the attributes; -1 when it is not in
 * the batch.
 */
function markerType(bytes: Buffer, start: number, end: number): number {
  let at = skipVarint(bytes, start)
  at = skipVarint(bytes, at + 1)
  at = skipVarint(bytes, at)
  at = skipVarint(bytes, at)
  return at + 4 <= end ? bytes.readInt16BE(at + 2) : -1
}

function skipVarint(bytes: Buffer, start: number): number {
  let at = start
  while ((bytes[at] ?? 0) > 127) at++
  return at + 1
}
