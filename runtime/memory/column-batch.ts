import type { Field, Row } from '../model/schema.ts'
import { storageOf } from '../model/type-traits.ts'
import type { Batch, Columns, TextColumn } from './batch.ts'

/** Rows of a batch, at most. */
export const COLUMN_ROWS = 1024

interface TextBytes {
  bytes: Uint8Array
  readonly offsets: Uint32Array
}

/**
 * A batch that an operator writes as columns, again and again: it is the taker's until the call that it was passed to
 * resolves, then it is cleared. Its writer fills the arrays of row `count`, each field of it, and raises `count`.
 */
export class ColumnBatch implements Batch, Columns {
  count = 0
  readonly #numbers: readonly Float64Array[]
  readonly #bits: readonly Uint8Array[]
  readonly #texts: readonly TextBytes[]
  readonly #nulls: readonly Uint8Array[]
  /** Fields of which a row is null. */
  readonly #hasNulls: Uint8Array
  readonly #makeRows: (columns: Columns, count: number) => Row[]
  #rows: Row[] | undefined

  constructor(fields: readonly Field[], makeRows: (columns: Columns, count: number) => Row[]) {
    const sized = (field: Field, storage: 'number' | 'bit' | 'text', length: number): number =>
      storageOf(field) === storage || (storage === 'text' && storageOf(field) === 'json') ? length : 0
    this.#numbers = fields.map((field) => new Float64Array(sized(field, 'number', COLUMN_ROWS)))
    this.#bits = fields.map((field) => new Uint8Array(sized(field, 'bit', COLUMN_ROWS)))
    this.#texts = fields.map((field) => ({
      bytes: new Uint8Array(sized(field, 'text', 16 * COLUMN_ROWS)),
      offsets: new Uint32Array(sized(field, 'text', COLUMN_ROWS + 1)),
    }))
    this.#nulls = fields.map(() => new Uint8Array(COLUMN_ROWS / 8))
    this.#hasNulls = new Uint8Array(fields.length)
    this.#makeRows = makeRows
  }

  get columns(): Columns {
    return this
  }

  clear(): void {
    this.count = 0
    this.#rows = undefined
    for (let field = 0; field < this.#hasNulls.length; field++)
      if (this.#hasNulls[field] === 1) (this.#nulls[field] as Uint8Array).fill(0)
    this.#hasNulls.fill(0)
  }

  /** Makes the field of a row null; of a text it has to be written, as no bytes, too. */
  setNull(field: number, row: number): void {
    const nulls = this.#nulls[field] as Uint8Array
    nulls[row >> 3] = (nulls[row >> 3] as number) | (1 << (row & 7))
    this.#hasNulls[field] = 1
  }

  /**
   * Writes the text of a row as a copy of bytes[from..from + length), behind that of the row before it. False when it is
   * not ASCII; it may then be written again.
   */
  putText(field: number, row: number, bytes: Uint8Array, from: number, length: number): boolean {
    const text = this.#texts[field] as TextBytes
    const at = text.offsets[row] as number
    if (at + length > text.bytes.length) {
      const old = text.bytes
      text.bytes = new Uint8Array(Math.max(at + length, old.length * 2))
      text.bytes.set(old)
    }
    const to = text.bytes
    let all = 0
    if (length > 64) {
      to.set(bytes.subarray(from, from + length), at)
      for (let i = at; i < at + length; i++) all |= to[i] as number
    } else for (let i = 0; i < length; i++) all |= to[at + i] = bytes[from + i] as number
    text.offsets[row + 1] = at + length
    return all < 128
  }

  numbers(field: number): Float64Array {
    return this.#numbers[field] as Float64Array
  }

  bits(field: number): Uint8Array {
    return this.#bits[field] as Uint8Array
  }

  texts(field: number): TextColumn {
    return this.#texts[field] as TextBytes
  }

  nulls(field: number): Uint8Array | undefined {
    return this.#hasNulls[field] === 1 ? this.#nulls[field] : undefined
  }

  rows(): Row[] {
    return (this.#rows ??= this.#makeRows(this, this.count))
  }
}
