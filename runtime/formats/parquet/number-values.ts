import type { Columns } from '../../memory/batch.ts'
import type { Field } from '../../model/schema.ts'
import { ENCODING, isNull, unwritable, type Bounds, type EncodedValues, type PageValues } from './page-values.ts'

const FIRST_VALUES = 1024
const TWO_32 = 4_294_967_296
const DAY_MS = 86_400_000

/** How numbers of a field are laid out: `unit` is what a value is multiplied with. */
export type NumberLayout =
  | { readonly kind: 'double' }
  | { readonly kind: 'long'; readonly unit: 1 | 1000 }
  | { readonly kind: 'int'; readonly limits: readonly [min: number, max: number] }

export const DATE: NumberLayout = { kind: 'int', limits: [-(2 ** 31), 2 ** 31 - 1] }
export const TIME: NumberLayout = { kind: 'int', limits: [0, DAY_MS - 1] }

/** Numbers as DOUBLE, INT64 or INT32 in PLAIN encoding: little-endian, as typed arrays lie in memory. */
export class NumberValues implements PageValues {
  readonly #field: Field
  readonly #place: number
  readonly #layout: NumberLayout
  #doubles = new Float64Array(FIRST_VALUES)
  #ints = new Int32Array(this.#doubles.buffer)
  #count = 0
  #min = Infinity
  #max = -Infinity

  constructor(field: Field, place: number, layout: NumberLayout) {
    this.#field = field
    this.#place = place
    this.#layout = layout
  }

  get sizeBytes(): number {
    return this.#count * (this.#layout.kind === 'int' ? 4 : 8)
  }

  addColumn(columns: Columns, nulls: Uint8Array | undefined, from: number, to: number): void {
    const values = columns.numbers(this.#place)
    this.#makeRoom(to - from)
    for (let row = from; row < to; row++) if (!isNull(nulls, row)) this.#put(values[row] as number)
  }

  addValue(value: unknown): void {
    this.#makeRoom(1)
    this.#put(value as number)
  }

  takePage(): EncodedValues {
    const bytes = new Uint8Array(this.#doubles.buffer, 0, this.sizeBytes)
    this.#count = 0
    return { bytes, encoding: ENCODING.plain }
  }

  takeBounds(): Bounds | undefined {
    const bounds = this.#min > this.#max ? undefined : { min: this.#min, max: this.#max }
    this.#min = Infinity
    this.#max = -Infinity
    return bounds
  }

  boundBytes(bound: number | Uint8Array): Uint8Array {
    if (typeof bound !== 'number') return bound
    const bytes = Buffer.alloc(this.#layout.kind === 'int' ? 4 : 8)
    if (this.#layout.kind === 'int') bytes.writeInt32LE(bound)
    else if (this.#layout.kind === 'double') bytes.writeDoubleLE(bound)
    else bytes.writeBigInt64LE(BigInt(bound) * BigInt(this.#layout.unit))
    return bytes
  }

  #put(value: number): void {
    const layout = this.#layout
    switch (layout.kind) {
      case 'double':
        // a reader may compare bounds as numbers, to which both zeros are one: it adds +0
        this.#doubles[this.#count] = value
        break
      case 'long':
        this.#putLong(value, layout.unit)
        break
      case 'int': {
        const [min, max] = layout.limits
        if (!(value >= min && value <= max)) throw unwritable(this.#field, value, `is not from ${min} to ${max}`)
        this.#ints[this.#count] = value
      }
    }
    this.#count++
    if (value < this.#min) this.#min = value
    if (value > this.#max) this.#max = value
  }

  #putLong(value: number, unit: number): void {
    const whole = value * unit
    const at = this.#count * 2
    if (Number.isSafeInteger(whole)) {
      this.#ints[at] = whole
      this.#ints[at + 1] = Math.floor(whole / TWO_32)
      return
    }
    if (!Number.isSafeInteger(value)) throw unwritable(this.#field, value, 'is no whole number below 2^53')
    const exact = BigInt(value) * BigInt(unit)
    this.#ints[at] = Number(BigInt.asIntN(32, exact))
    this.#ints[at + 1] = Number(exact >> 32n)
  }

  #makeRoom(more: number): void {
    const needed = this.#count + more
    if (needed <= this.#doubles.length) return
    const old = this.#doubles
    this.#doubles = new Float64Array(Math.max(needed, 2 * old.length))
    // bytes, for a double that is no number may change its bits when it is copied as one
    new Uint8Array(this.#doubles.buffer).set(new Uint8Array(old.buffer))
    this.#ints = new Int32Array(this.#doubles.buffer)
  }
}

/** Booleans, a bit each, the lowest first. */
export class BitValues implements PageValues {
  readonly #place: number
  #bits = new Uint8Array(FIRST_VALUES)
  #count = 0
  #seen = 0

  constructor(place: number) {
    this.#place = place
  }

  get sizeBytes(): number {
    return (this.#count + 7) >> 3
  }

  addColumn(columns: Columns, nulls: Uint8Array | undefined, from: number, to: number): void {
    const values = columns.bits(this.#place)
    for (let row = from; row < to; row++) if (!isNull(nulls, row)) this.#put(values[row] as number)
  }

  addValue(value: unknown): void {
    this.#put(value === true ? 1 : 0)
  }

  takePage(): EncodedValues {
    const bytes = this.#bits.slice(0, this.sizeBytes)
    this.#bits.fill(0, 0, this.sizeBytes)
    this.#count = 0
    return { bytes, encoding: ENCODING.plain }
  }

  takeBounds(): Bounds | undefined {
    const seen = this.#seen
    this.#seen = 0
    return seen === 0 ? undefined : { min: (seen & 1) === 1 ? 0 : 1, max: (seen & 2) === 2 ? 1 : 0 }
  }

  boundBytes(bound: number | Uint8Array): Uint8Array {
    return typeof bound === 'number' ? Uint8Array.of(bound) : bound
  }

  #put(bit: number): void {
    const at = this.#count++
    if (at >> 3 >= this.#bits.length) {
      const old = this.#bits
      this.#bits = new Uint8Array(2 * old.length)
      this.#bits.set(old)
    }
    this.#bits[at >> 3] = (this.#bits[at >> 3] as number) | (bit << (at & 7))
    this.#seen |= 1 << bit
  }
}
