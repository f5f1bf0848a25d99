import type { Columns } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import { valueTypeText } from '../../model/value-type.ts'
import type { Field } from '../../model/schema.ts'

/** Encoding of parquet.thrift. */
export const ENCODING = { plain: 0, rle: 3, dictionary: 8 } as const

/** The values of a page as they are written behind its levels. */
export interface EncodedValues {
  readonly bytes: Uint8Array
  readonly encoding: number
}

/**
 * The smallest and the largest value of a column: numbers as rows carry them, texts and bytes as their bytes. Undefined
 * where there is no value or the order is not known.
 */
export interface Bounds {
  readonly min: number | Uint8Array
  readonly max: number | Uint8Array
}

/**
 * Gathers the values of one column that are not null, a page at a time. Values are copied. `add…` throw RECORD_INVALID
 * for a value that the column cannot hold.
 */
export interface PageValues {
  /** Adds rows [from, to) of a batch but for those whose bit in `nulls` is set. */
  addColumn(columns: Columns, nulls: Uint8Array | undefined, from: number, to: number): void
  /** Adds a value as a row carries it, never null. */
  addValue(value: unknown): void
  /** The size of the page so far. */
  readonly sizeBytes: number
  /** The page so far; valid until something is added. */
  takePage(): EncodedValues
  /** Called at the end of a row group: PLAIN values that its pages refer to, valid until something is added. */
  takeDictionary?(): { readonly bytes: Uint8Array; readonly count: number } | undefined
  /** The statistics of the values since the last call. */
  takeBounds(): Bounds | undefined
  /** A bound as the statistics of a row group write it. */
  boundBytes(bound: number | Uint8Array): Uint8Array
}

export function isNull(nulls: Uint8Array | undefined, row: number): boolean {
  return nulls !== undefined && ((nulls[row >> 3] as number) & (1 << (row & 7))) !== 0
}

/** RECORD_INVALID: Parquet has no place for the value. */
export function unwritable(field: Field, value: unknown, why: string): MillraceError {
  return new MillraceError(
    'RECORD_INVALID',
    `field '${field.name}' (${valueTypeText(field)}) cannot be written to Parquet: ${String(value).slice(0, 100)} ${why}`,
    { domain: 'user', hint: 'filter such rows before the sink, or declare another type' },
  )
}
