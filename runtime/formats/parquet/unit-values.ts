import type { Columns } from '../../memory/batch.ts'
import type { Field } from '../../model/schema.ts'
import { ENCODING, isNull, unwritable, type Bounds, type EncodedValues, type PageValues } from './page-values.ts'

const FIRST_BYTES = 8 * 1024
/** So many digits are exact in a double. */
const EXACT_DIGITS = 15
const TWO_32 = 4_294_967_296
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30

/**
 * Decimals and 64-bit integers, which rows carry as texts of all their digits, as whole numbers of 4 or 8 bytes
 * (little-endian) or of `width` bytes (big-endian). They never pass through a double that could not hold them.
 */
export class UnitValues implements PageValues {
  readonly #field: Field
  readonly #place: number
  readonly #width: number
  readonly #isFixed: boolean
  #page = Buffer.alloc(FIRST_BYTES)
  #used = 0
  readonly #scratch = Buffer.alloc(64)
  /** Of whole numbers that a double holds; undefined once there was another one. */
  #bounds: { min: number; max: number } | undefined

  constructor(field: Field, place: number, layout: { readonly width: number; readonly isFixed: boolean }) {
    this.#field = field
    this.#place = place
    this.#width = layout.width
    this.#isFixed = layout.isFixed
    this.#bounds = this.#noBounds()
  }

  get sizeBytes(): number {
    return this.#used
  }

  addColumn(columns: Columns, nulls: Uint8Array | undefined, from: number, to: number): void {
    const { bytes, starts, ends } = columns.texts(this.#place)
    for (let row = from; row < to; row++)
      if (!isNull(nulls, row)) this.#putDigits(bytes, starts[row] as number, ends[row] as number)
  }

  addValue(value: unknown): void {
    const text = String(value)
    if (text.length > this.#scratch.length) throw unwritable(this.#field, text, 'has too many digits')
    this.#putDigits(this.#scratch, 0, this.#scratch.write(text, 0, 'latin1'))
  }

  takePage(): EncodedValues {
    const bytes = this.#page.subarray(0, this.#used)
    this.#used = 0
    return { bytes, encoding: ENCODING.plain }
  }

  takeBounds(): Bounds | undefined {
    const bounds = this.#bounds
    this.#bounds = this.#noBounds()
    return bounds === undefined || bounds.min > bounds.max ? undefined : bounds
  }

  boundBytes(bound: number | Uint8Array): Uint8Array {
    if (typeof bound !== 'number') return bound
    const bytes = Buffer.alloc(this.#width)
    if (this.#width === 4) bytes.writeInt32LE(bound)
    else bytes.writeBigInt64LE(BigInt(bound))
    return bytes
  }

  /** Bounds help to skip files by their numbers, which hardly anybody does by a decimal. */
  #noBounds(): { min: number; max: number } | undefined {
    return this.#field.logical?.kind === 'bigint' ? { min: Infinity, max: -Infinity } : undefined
  }

  #seen(value: number): void {
    const bounds = this.#bounds
    if (bounds === undefined) return
    if (!Number.isSafeInteger(value)) this.#bounds = undefined
    else {
      if (value < bounds.min) bounds.min = value
      if (value > bounds.max) bounds.max = value
    }
  }

  #putDigits(bytes: Uint8Array, start: number, end: number): void {
    const isNegative = bytes[start] === MINUS
    let value = 0
    let digits = 0
    for (let at = isNegative ? start + 1 : start; at < end; at++) {
      const byte = bytes[at] as number
      if (byte === POINT) continue
      const digit = byte - ZERO
      if (digit < 0 || digit > 9) throw unwritable(this.#field, latin1(bytes, start, end), 'is no number')
      value = value * 10 + digit
      digits++
    }
    if (this.#used + this.#width > this.#page.length) this.#grow()
    if (digits <= EXACT_DIGITS && !this.#isFixed) this.#putNumber(isNegative ? -value : value)
    else this.#putBig(BigInt(latin1(bytes, start, end).replace('.', '')))
    this.#used += this.#width
  }

  #putNumber(value: number): void {
    const at = this.#used
    this.#seen(value)
    if (this.#width === 4) {
      if (value !== (value | 0)) throw unwritable(this.#field, value, 'has too many digits')
      this.#page.writeInt32LE(value + 0, at)
      return
    }
    this.#page.writeUInt32LE(value >>> 0, at)
    this.#page.writeInt32LE(Math.floor(value / TWO_32), at + 4)
  }

  #putBig(value: bigint): void {
    this.#seen(Number(value))
    if (BigInt.asIntN(8 * this.#width, value) !== value)
      throw unwritable(this.#field, value, `has more than ${8 * this.#width} bits`)
    if (!this.#isFixed) {
      if (this.#width === 4) this.#page.writeInt32LE(Number(value), this.#used)
      else this.#page.writeBigInt64LE(value, this.#used)
      return
    }
    let rest = value
    for (let at = this.#used + this.#width - 1; at >= this.#used; at--, rest >>= 8n)
      this.#page[at] = Number(BigInt.asUintN(8, rest))
  }

  #grow(): void {
    const old = this.#page
    this.#page = Buffer.alloc(2 * old.length)
    this.#page.set(old)
  }
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}
