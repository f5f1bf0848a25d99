import type { Row } from '../model/schema.ts'
import type { RowErrorHandler } from './contracts.ts'
import type { PaneTexts, RowLog } from './rows/row-log.ts'

/** A stretch of time of one side: its rows in parts by the top bits of their hash, so that no part is large. */
export interface JoinPane {
  /** No other pane of its side ever had it. */
  readonly serial: number
  readonly start: number
  readonly end: number
  readonly parts: (RowLog | undefined)[]
  /** The texts of all its rows. */
  readonly texts: PaneTexts
}

/** What the generated loops read and fill; one per join, set before each call. */
export interface JoinHost {
  /** Rows before this moment of event time are late: the watermark (interval), or one more than it (window). */
  passed: number
  /** The same as restored, by key group, while the watermark has not come up to it. */
  held: Float64Array | null
  /** Which key groups ever had a row. */
  readonly seen: Uint8Array
  /** Processing time. */
  now: number
  /** Rows of the running batch that were late. */
  readonly late: Row[]
  paneAt(side: 0 | 1, time: number): JoinPane
  part(side: 0 | 1, pane: JoinPane, part: number): RowLog
  /** The newest row of a log is one of the group that was restored. Called for a side whose rows are marked later. */
  rowRestored(side: 0 | 1, log: RowLog, group: number): void
}

export interface JoinSideCode {
  create(texts: PaneTexts, part: number): RowLog
  /**
   * Takes rows[from..count): puts matches among the panes of the other side to `out` and keeps what may yet match.
   * Stops early when `out` is full; returns where to continue. A window join only keeps.
   */
  take(
    rows: readonly Row[],
    from: number,
    count: number,
    others: readonly JoinPane[],
    host: JoinHost,
    out: Row[],
    onError: RowErrorHandler,
  ): number
  /** Puts out the rows of an outer side, from row `from`, that had no match; stops early as `take` does. */
  alone(
    log: RowLog,
    from: number,
    window: { start: number; end: number },
    host: JoinHost,
    out: Row[],
    onError: RowErrorHandler,
  ): number
  /** Adds to words[g] what rows [from, to) of each key group take in a snapshot, in words of 4 bytes. */
  measure(log: RowLog, from: number, to: number, words: Int32Array): void
  /** Writes rows [from, to) as records, each at word places[g] of its group's views, which moves on. */
  dump(
    log: RowLog,
    from: number,
    to: number,
    places: Int32Array,
    ints: readonly Int32Array[],
    doubles: readonly Float64Array[],
  ): void
  /** Takes back the records of words [from, to). False when they do not fit into that. */
  restore(
    block: { ints: Int32Array; doubles: Float64Array; bytes: Buffer },
    from: number,
    to: number,
    host: JoinHost,
  ): boolean
  /** The fields that are kept, as text: a restore refuses another text. */
  shape: string
  /** Words of a row in a snapshot without its text, or one more. */
  recordWords: number
}

export interface JoinCode {
  left: JoinSideCode
  right: JoinSideCode
  /** A closing window: rows of a left log against the right logs of the same part; stops early as `take` does. */
  fire(
    log: RowLog,
    from: number,
    rights: readonly RowLog[],
    window: { start: number; end: number },
    host: JoinHost,
    out: Row[],
    onError: RowErrorHandler,
  ): number
}
