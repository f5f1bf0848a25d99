import { MillraceError } from '../../model/errors.ts'
import { fieldOf, type Field, type Row, type Schema } from '../../model/schema.ts'
import type { Timestamp } from '../../model/time.ts'
import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import type { KeyGroupRange } from '../../plan/key-groups.ts'
import type { RowErrorHandler, RowsConsumer } from '../../codegen/contracts.ts'
import type { RowTime } from '../../codegen/windows/pane-table.ts'
import type { RowClass } from '../../codegen/rows/row.ts'
import type { KeyTables } from '../../state/key-tables.ts'

/**
 * The state of one windowed aggregate: typed columns in open-addressing tables per key group. `time` is the
 * watermark, or, where rows count at the time they come, the clock's, which must not go back.
 */
export interface WindowTable extends KeyTables {
  /**
   * Adds rows[0..count). Rows whose windows are all gone are put into `late` from its
   * beginning; returns how many those are.
   */
  add(rows: readonly Row[], count: number, time: Timestamp, onError: RowErrorHandler, late?: Row[]): number
  /**
   * Fires every window that ends at or before `watermark` (end ≤ watermark + 1; of processing time end ≤ time), in
   * slices: emits at most about `budgetRows` rows through `emit` and returns true when there is more to do now.
   * Resumable: the next call continues where this one stopped; do not call add and `live` before it returns false.
   * A result whose sum over several panes leaves the exact range goes to `onError`; without it, fire throws.
   */
  fire(time: Timestamp, budgetRows: number, emit: RowsConsumer, onError?: RowErrorHandler): boolean
  /** After add: emits, for windows that had fired and are kept for late rows, the keys that late rows changed. */
  refire(watermark: Timestamp, emit: RowsConsumer, onError?: RowErrorHandler): void
  /** Emits what windows that have not fired hold for the keys that changed since the last call. Needs tracking. */
  early(emit: RowsConsumer, onError?: RowErrorHandler): void
  /** End of the next window to fire; undefined when there is none. */
  nextEnd(): Timestamp | undefined
  /** How far windows have fired; minus infinity at first. */
  firedUntil(): Timestamp
}

/** The options of every table of windows. */
export interface KeyedTableOptions {
  keys: readonly Field[]
  aggregates: readonly Aggregate[]
  inputSchema: Schema
  /** Of: the key fields, windowStart, windowEnd, the aggregates' fields. */
  outputRowClass: RowClass
  /** Absent: rows count at the time they come. */
  eventTime?: { field: string; offsetMs: number }
  /** How long windows are kept for late rows after they have fired. */
  latenessMs?: number
  /** Whether `early` will be asked for. */
  tracking?: 'early' | 'none'
  maxParallelism: number
  /** The key groups that are this table's own; all when absent. */
  groups?: KeyGroupRange
  /** Named to the error handler of add. */
  operatorId?: string
}

export function rowTime({ eventTime, inputSchema }: Pick<KeyedTableOptions, 'eventTime' | 'inputSchema'>): RowTime {
  if (eventTime === undefined) return { kind: 'processing' }
  const field = fieldOf(inputSchema, eventTime.field)
  if (field === undefined)
    throw new MillraceError('UNKNOWN_FIELD', `event time '${eventTime.field}' is not a field of the window's input`)
  return { kind: 'event', field, offsetMs: eventTime.offsetMs }
}

/** The own groups that have fired any window, with the end of the last one. */
export function endedGroups(ended: Float64Array, own: KeyGroupRange): [group: number, end: number][] {
  return [...ended.subarray(own.first, own.endExclusive).entries()].flatMap(([index, end]) =>
    end === -Infinity ? [] : [[own.first + index, end] as [number, number]],
  )
}
