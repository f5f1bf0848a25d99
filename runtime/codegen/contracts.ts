/**
 * The shapes of generated code. Everything in this folder turns schemas and checked expressions into
 * JavaScript; emitter.ts is the only place where names and literals become code. Each generated function
 * belongs to one stream or chain: sharing one between streams turns it megamorphic (5 times slower,
 * research note "data plane", section 1).
 */
import type { Batch } from '../memory/batch.ts'
import type { Row } from '../model/schema.ts'
import type { Timestamp } from '../model/time.ts'

/** Where the rows of a segment of a chain go. `rows[0..count)` are valid; the array is reused by the caller. */
export type RowsConsumer = (rows: Row[], count: number) => void

/**
 * One generated loop over the stateless operators of a chain up to its next stateful end.
 * Reads rows[0..count), writes what passes to `out` and returns how many. A row whose expression throws is
 * handed to `onError(error, row, operatorId)` and left out.
 */
export interface ChainLoop {
  (rows: readonly Row[], count: number, out: Row[], onError: RowErrorHandler): number
  /** How many rows each step has held back because its condition was false, in the order of the steps. */
  readonly dropped: Float64Array
}

export type RowErrorHandler = (error: unknown, row: Row, operatorId: string) => void

/** rows[0..count) → key group of each, into `groups`. Equal keys give equal groups in every process for ever. */
export type KeyGrouper = (rows: readonly Row[], count: number, groups: Uint16Array) => void

/** Largest event time of rows[0..count); rows whose event time is null are reported by the scanner before. */
export type MaxEventTime = (rows: readonly Row[], count: number) => Timestamp

/**
 * Columnar codec of one stream, the format of wire frames (see codec.ts for the layout).
 * Encoding never fails for rows that obey the schema.
 */
export interface BatchCodec {
  /**
   * Encodes rows[0..count). The bytes are 8-byte aligned and change when any codec encodes the next batch: a caller
   * that keeps them copies them.
   */
  encode(rows: readonly Row[], count: number): Uint8Array
  /** Decodes a buffer made by encode into `out` and returns the count. Throws FRAME_CORRUPT on bad bounds. */
  decode(bytes: Uint8Array, out: Row[]): number
  /** The batch of a buffer made by encode, valid while its bytes stay and until the next one is read. */
  read(bytes: Uint8Array): Batch
}

/**
 * Scans newline-free JSON texts of one schema into rows. Keys in any order, unknown keys skipped; falls back
 * to JSON.parse where the fast path does not hold, so that it is always right. A bad record throws MillraceError
 * RECORD_INVALID naming field, expected and found.
 */
export interface RowScanner {
  /**
   * Says that the next records are in `bytes`, which do not change until the next call: their strings are then cut from
   * one text instead of one per record. Without it, and for records of other buffers, `row` does the same, slower.
   */
  open?(bytes: Buffer): void
  /**
   * What must be there before these records can be read (a schema from a registry); undefined when nothing is
   * missing.
   */
  prepare?(records: RecordBounds): Promise<void> | undefined
  /** Parses bytes[start..end) as one record. */
  row(bytes: Buffer, start: number, end: number): Row
}

/**
 * Where records are in a buffer: bytes[valueStarts[i]..valueEnds[i]) for i < count; a null record ends before it
 * starts.
 */
export interface RecordBounds {
  bytes: Buffer
  count: number
  valueStarts: Int32Array
  valueEnds: Int32Array
}

/** Writes rows of one stream as the bytes of one record each, without anything between them. */
export interface RowWriter {
  /**
   * Writes the record at buffer[at..) and returns its length; -1 when there may be no room for it, and then
   * the bytes behind `at` are undefined: the caller calls again with a longer buffer. Throws VALUE_INVALID for a
   * value that the format cannot say (NaN, infinity).
   */
  encodeInto(row: Row, buffer: Buffer, at: number): number
}
