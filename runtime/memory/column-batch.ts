import type { Field, Row } from '../model/schema.ts'
import { isKeptAsText, storageOf } from '../model/type-traits.ts'
import { type Batch, BATCH_ROWS, type Columns, type TextColumn } from './batch.ts'

/**
 * A batch that an operator writes as columns, again and again: it is the taker's until the call that it was passed to
 * resolves, then it is cleared. Its writer fills the arrays of row `count`, each field of it, and raises `count`.
 */
export class ColumnBatch implements Batch, Columns {
  count = 0
  readonly #numbers: readonly Float64Array[]
  readonly #bits: readonly Uint8Array[]
  readonly #starts: readonly Uint32Array[]
  readonly #ends: readonly Uint32Array[]
  /** The texts of all fields; the same memory seen in two ways. */
  #words = new Int32Array(16 * BATCH_ROWS)
  #bytes = new Uint8Array(this.#words.buffer)
  #used = 0
  readonly #nulls: readonly Uint8Array[]
  /** Fields of which a row is null. */
  readonly #hasNulls: Uint8Array
  readonly #makeRows: (columns: Columns, count: number) => Row[]
  #rows: Row[] | undefined

  constructor(fields: readonly Field[], makeRows: (columns: Columns, count: number) => Row[]) {
    const rowsOf = (isHeld: boolean): number => (isHeld ? BATCH_ROWS : 0)
    this.#numbers = fields.map((field) => new Float64Array(rowsOf(storageOf(field) === 'number')))
    this.#bits = fields.map((field) => new Uint8Array(rowsOf(storageOf(field) === 'bit')))
    this.#starts = fields.map((field) => new Uint32Array(rowsOf(isKeptAsText(field))))
    this.#ends = fields.map((field) => new Uint32Array(rowsOf(isKeptAsText(field))))
    this.#nulls = fields.map(() => new Uint8Array(BATCH_ROWS / 8))
    this.#hasNulls = new Uint8Array(fields.length)
    this.#makeRows = makeRows
  }

  get columns(): Columns {
    return this
  }

  clear(): void {
    this.count = 0
    this.#rows = undefined
    this.#used = 0
    for (let field = 0; field < this.#hasNulls.length; field++)
      if (this.#hasNulls[field] === 1) (this.#nulls[field] as Uint8Array).fill(0)
    this.#hasNulls.fill(0)
  }

  /** Makes the field of a row null, which has to be written too, of a text as no bytes. */
  setNull(field: number, row: number): void {
    const nulls = this.#nulls[field] as Uint8Array
    nulls[row >> 3] = (nulls[row >> 3] as number) | (1 << (row & 7))
    this.#hasNulls[field] = 1
  }

  /** Writes the text of a row as a copy of bytes[from..from + length). False when it is not ASCII: then it is not there. */
  putText(field: number, row: number, bytes: Uint8Array, from: number, length: number): boolean {
    const at = this.#take(length)
    const to = this.#bytes
    let all = 0
    for (let i = 0; i < length; i++) all |= to[at + i] = bytes[from + i] as number
    this.placeText(field, row, at, length)
    return all < 128
  }

  /**
   * Copies words[from..from + count), which hold texts of one row, and returns where their first byte is; they are ASCII.
   * `placeText` says then which of them are texts of which fields.
   */
  putWords(words: Int32Array, from: number, count: number): number {
    const at = this.#take(count * 4)
    const to = this.#words
    for (let i = 0, first = at >> 2; i < count; i++) to[first + i] = words[from + i] as number
    return at
  }

  placeText(field: number, row: number, at: number, length: number): void {
    ;(this.#starts[field] as Uint32Array)[row] = at
    ;(this.#ends[field] as Uint32Array)[row] = at + length
  }

  #take(bytes: number): number {
    const at = this.#used
    this.#used = (at + bytes + 3) & ~3
    if (this.#used > this.#bytes.length) {
      const old = this.#words
      this.#words = new Int32Array(Math.max(this.#used >> 2, old.length * 2))
      this.#words.set(old)
      this.#bytes = new Uint8Array(this.#words.buffer)
    }
    return at
  }

  numbers(field: number): Float64Array {
    return this.#numbers[field] as Float64Array
  }

  bits(field: number): Uint8Array {
    return this.#bits[field] as Uint8Array
  }

  texts(field: number): TextColumn {
    return {
      bytes: this.#bytes,
      starts: this.#starts[field] as Uint32Array,
      ends: this.#ends[field] as Uint32Array,
    }
  }

  nulls(field: number): Uint8Array | undefined {
    return this.#hasNulls[field] === 1 ? this.#nulls[field] : undefined
  }

  rows(): Row[] {
    return (this.#rows ??= this.#makeRows(this, this.count))
  }
}
