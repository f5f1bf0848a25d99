import { MAX_DEPTH, MAX_ITEMS } from '../model/decoding-limits.ts'
import { utf8Text } from '../model/utf8-text.ts'
import { refuseRecord } from './record-errors.ts'

/** Reads the parts of one binary record; every read past the end is RECORD_INVALID. */
export class ByteInput {
  bytes: Buffer = Buffer.alloc(0)
  at = 0
  end = 0
  #depth = 0
  #items = 0

  open(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes
    this.at = start
    this.end = end
    this.#depth = 0
    this.#items = 0
  }

  get isAtEnd(): boolean {
    return this.at >= this.end
  }

  byte(): number {
    if (this.at >= this.end) refuseRecord('the record ends within a value')
    return this.bytes[this.at++] ?? 0
  }

  /** Moves over `length` bytes and returns where they begin. */
  take(length: number): number {
    if (length < 0 || length > this.end - this.at)
      refuseRecord(`a value of ${length} bytes begins ${this.end - this.at} bytes before the end of the record`)
    const from = this.at
    this.at += length
    return from
  }

  /** A base-128 varint of up to 64 bits, as two words. Returns the low one; the high one is in `high`. */
  varint(): number {
    let byte = this.byte()
    let low = byte & 127
    this.high = 0
    for (let shift = 7; byte > 127; shift += 7) {
      if (shift > 63) refuseRecord('a varint has more than ten bytes')
      byte = this.byte()
      const part = byte & 127
      if (shift < 28) low |= part << shift
      else if (shift === 28) {
        low |= part << 28
        this.high = part >>> 4
      } else this.high |= part << (shift - 32)
    }
    return low >>> 0
  }

  high = 0

  text(length: number): string {
    const from = this.take(length)
    return utf8Text(this.bytes, from, this.at) ?? refuseRecord('a text is not UTF-8')
  }

  latin1(length: number): string {
    const from = this.take(length)
    return this.bytes.toString('latin1', from, this.at)
  }

  float(): number {
    return this.bytes.readFloatLE(this.take(4))
  }
  double(): number {
    return this.bytes.readDoubleLE(this.take(8))
  }

  /** Runs `read` with the end of the record at the end of the next `length` bytes, all of which it must take. */
  within<T>(length: number, read: () => T): T {
    const outer = this.end
    this.at = this.take(length)
    this.end = this.at + length
    const value = read()
    if (this.at !== this.end) refuseRecord(`${this.end - this.at} bytes are left behind a part of the record`)
    this.end = outer
    return value
  }

  /** Called before so many items of a list or map are read; all of one record have one limit. */
  countItems(count: number): void {
    this.#items += count
    if (this.#items > MAX_ITEMS) refuseRecord(`the lists of the record have more than ${MAX_ITEMS} items`)
  }

  /** Runs `read` one level deeper. */
  nested<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH) refuseRecord(`the record is nested more than ${MAX_DEPTH} deep`)
    const value = read()
    this.#depth--
    return value
  }
}

/** The words of a signed 64-bit integer → the number. Throws RECORD_INVALID beyond 2^53 - 1. */
export function exactLong(low: number, high: number): number {
  const value = (high | 0) * 4_294_967_296 + (low >>> 0)
  return Number.isSafeInteger(value) ? value : refuseLong(BigInt.asIntN(64, wordsOf(low, high)))
}

/** As exactLong, of an unsigned one. */
export function exactUnsigned(low: number, high: number): number {
  const value = (high >>> 0) * 4_294_967_296 + (low >>> 0)
  return Number.isSafeInteger(value) ? value : refuseLong(wordsOf(low, high))
}

/** The digits of a signed 64-bit integer, as rows carry a bigint. */
export function bigintOfWords(low: number, high: number): string {
  return String(BigInt.asIntN(64, wordsOf(low, high)))
}

/** As bigintOfWords, of an unsigned one. Throws RECORD_INVALID beyond 2^63 - 1. */
export function bigintOfUnsignedWords(low: number, high: number): string {
  const value = wordsOf(low, high)
  return high >= 0 ? String(value) : refuseRecord(`${value} lies beyond 2^63 - 1; decimal(20,0) holds it`)
}

function wordsOf(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
}

function refuseLong(value: bigint): never {
  refuseRecord(`${value} lies beyond 2^53; bigint has 64 bits`)
}
