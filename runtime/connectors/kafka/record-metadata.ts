import { MAX_ITEMS } from '../../model/decoding-limits.ts'
import { unreadable } from './unreadable.ts'

const LOG_APPEND_TIME_BIT = 0b1000
const ATTRIBUTES_AT = 21
const FIRST_TIMESTAMP_AT = 27
const MAX_TIMESTAMP_AT = 35
/** A record without a time has this one. */
const NO_TIMESTAMP = -1

/** The key, time and headers of a record. A null key, and a null value of a header, end before they start. */
export interface Metadata {
  readonly timestamp: number | null
  readonly keyStart: number
  readonly keyEnd: number
  readonly headers: readonly HeaderBounds[]
}

export interface HeaderBounds {
  readonly name: string
  readonly start: number
  readonly end: number
}

/** Reads zigzag varints, one after the other. */
class Varints {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes
    this.at = at
  }

  /** Up to 2^53. */
  next(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.bytes[this.at++]
      if (byte === undefined || factor > 2 ** 49) throw unreadable('a number in a record has no end')
      value += (byte & 127) * factor
      if (byte < 128) break
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** A length and the bytes behind it; -1 is null. */
  block(within: number): [start: number, end: number] {
    const length = this.next()
    const start = this.at
    if (length < -1 || start + length > within) throw unreadable(`a key or header of ${length} bytes leaves its record`)
    this.at = start + Math.max(0, length)
    return [start, start + length]
  }
}

/**
 * Reads what the records of one batch say beside their values, for sources whose rows have it: others do not pay for
 * it. `batch` is the batch with its header, `records` its records, unpacked. One entry for each record from offset
 * `from` on, as RecordColumns has them. Throws KAFKA_BATCH_CORRUPT. Layout: DefaultRecord.java of apache/kafka.
 */
export function metadataOf(
  batch: Buffer,
  records: Buffer,
  { count, baseOffset, from }: { count: number; baseOffset: number; from: number },
): Metadata[] {
  const isAppendTime = (batch.readInt16BE(ATTRIBUTES_AT) & LOG_APPEND_TIME_BIT) !== 0
  const first = Number(batch.readBigInt64BE(FIRST_TIMESTAMP_AT))
  const appended = Number(batch.readBigInt64BE(MAX_TIMESTAMP_AT))
  const found: Metadata[] = []
  let items = 0
  const input = new Varints(records, 0)
  for (let index = 0; index < count; index++) {
    const length = input.next()
    const end = input.at + length
    if (length < 0 || end > records.length)
      throw unreadable(`record ${index} ends at ${end} of ${records.length} bytes`)
    input.at++ // attributes, of which there are none
    const timestamp = isAppendTime ? appended : first + input.next()
    if (isAppendTime) input.next()
    const offset = baseOffset + input.next()
    const [keyStart, keyEnd] = input.block(end)
    input.block(end)
    const headers: HeaderBounds[] = []
    items += 1
    for (let left = input.next(); left > 0; left--) {
      items += 1
      if (items > MAX_ITEMS) break
      const [nameStart, nameEnd] = input.block(end)
      const [start, valueEnd] = input.block(end)
      headers.push({ name: records.toString('utf8', nameStart, nameEnd), start, end: valueEnd })
    }
    if (items > MAX_ITEMS) throw unreadable(`its records have more than ${MAX_ITEMS} keys and headers`)
    if (offset >= from)
      found.push({ timestamp: first === NO_TIMESTAMP && !isAppendTime ? null : timestamp, keyStart, keyEnd, headers })
    input.at = end
  }
  return found
}
