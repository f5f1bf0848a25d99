import { MillraceError } from '../../model/errors.ts'
import type { Field, Row } from '../../model/schema.ts'
import { rowKey, type RowKey } from './key-columns.ts'

/** Rows in memory have this much of text together at most, about. */
const MOST_CHARACTERS = 32 * 1024 * 1024
const MOST_ROWS = 128 * 1024

/** The last row of each key since the rows were taken. */
export class KeyedRows {
  readonly #key: readonly Field[]
  readonly #tombstone: string | undefined
  readonly #rows = new Map<RowKey, Row>()
  #characters = 0

  /** `tombstone` is the field that says of a row that it deletes its key. */
  constructor(key: readonly Field[], tombstone: string | undefined) {
    this.#key = key
    this.#tombstone = tombstone
  }

  /** Throws RECORD_INVALID for a row without a key. */
  add(row: Row): void {
    const values = this.#key.map(({ name }) => row[name])
    const key = rowKey(values)
    if (key === undefined) throw this.#keyless(values)
    this.#rows.set(key, row)
    for (const value of Object.values(row)) this.#characters += typeof value === 'string' ? value.length : 8
  }

  /** True when there is no room for more. */
  get isFull(): boolean {
    return this.#rows.size >= MOST_ROWS || this.#characters >= MOST_CHARACTERS
  }

  /** Takes out all rows: those to be kept, and those that delete the row of their key. */
  take(): { readonly kept: Row[]; readonly deleted: Row[] } {
    const kept: Row[] = []
    const deleted: Row[] = []
    for (const row of this.#rows.values()) (this.#isTombstone(row) ? deleted : kept).push(row)
    this.#rows.clear()
    this.#characters = 0
    return { kept, deleted }
  }

  #isTombstone(row: Row): boolean {
    return this.#tombstone !== undefined && row[this.#tombstone] === true
  }

  #keyless(values: readonly unknown[]): MillraceError {
    const missing = this.#key.filter((_, place) => values[place] === null || values[place] === undefined)
    return new MillraceError(
      'RECORD_INVALID',
      `a row has no ${missing.map(({ name }) => name).join(' and ')}, which is its key in a Delta table`,
      { domain: 'user', hint: 'filter rows without a key before the sink' },
    )
  }
}
