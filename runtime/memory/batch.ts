import type { Row } from '../model/schema.ts'

/** Rows of one batch at most, also on the wire; what a channel gathers before it must be flushed. */
export const BATCH_ROWS = 1024

/**
 * What sources, exchanges, stages and sinks hand to each other: at most 1024 rows of one stream, as columns, as rows,
 * or as both. Who reads values in typed loops takes the columns; user code, generated row loops and everything that
 * has not moved to columns asks for the rows, which are then made once.
 *
 * The batch is the giver's: it, its columns and the array of its rows are valid until the call that it was passed to
 * resolves, for columns lie in buffers that are used again (a frame, the giver's scratch). The row objects are made for
 * the taker: they stay valid and are never written again. Who keeps values of columns copies them.
 */
export interface Batch {
  readonly count: number
  /** Absent where only rows are there. Not asked for again after `rows` was called, whose values are the same. */
  readonly columns: Columns | undefined
  /** The rows at [0, count) of an array that the taker may change. Every call gives the same. */
  rows(): Row[]
}

/**
 * The values of a batch by the place of their field in the schema. Values at [count, …) mean nothing. The arrays are
 * made on demand, and the same call gives the same array.
 */
export interface Columns {
  /** A field stored as a number; 0 where it is null. */
  numbers(field: number): Float64Array
  /** A field stored as a bit: 1 is true, 0 is false or null. */
  bits(field: number): Uint8Array
  /** The text of a field stored as a text or as JSON; empty where it is null. */
  texts(field: number): TextColumn
  /** Which rows are null, a bit each, row i at bit i & 7 of byte i >> 3; undefined when none is. */
  nulls(field: number): Uint8Array | undefined
}

/**
 * Texts in UTF-8: text i is bytes[starts[i]..ends[i]). All are ASCII, so that a byte is a character: a batch with any
 * other text has rows only. Where the texts of a row or of a column lie to each other says the giver alone.
 */
export interface TextColumn {
  readonly bytes: Uint8Array
  readonly starts: Uint32Array
  readonly ends: Uint32Array
}

/** A batch of rows that are there. */
export class RowBatch implements Batch {
  readonly count: number
  readonly columns = undefined
  readonly #rows: Row[]

  /** The rows at [0, count) of the array; all of them when no count is given. */
  constructor(rows: Row[], count = rows.length) {
    this.count = count
    this.#rows = rows
  }

  rows(): Row[] {
    return this.#rows
  }
}
