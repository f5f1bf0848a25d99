import type { StateKey } from '../memory/state-key.ts'
import type { SpillSettings } from '../memory/arena/cold-segments.ts'
import type { RowClass } from '../codegen/rows/row.ts'
import type { Field, Row, Schema } from '../model/schema.ts'
import type { Timestamp } from '../model/time.ts'
import type { FrozenState, SnapshotExtent } from '../model/snapshot.ts'
import { LogStateStore } from './log-state-store.ts'

/** What one operator keeps under its key: named tables that are checkpointed as one, by key group. */
export interface StateShape {
  key: readonly Field[]
  tables: Readonly<Record<string, TableShape>>
}

/** What a table of rows holds and for how long. */
interface RowsShape {
  schema: Schema
  ttlMs?: number
  /** The class of the rows that come out; absent: a generated one. */
  rowClass?: RowClass
  /**
   * Fields of the rows that always carry the key they are kept under, in its order: it is not kept a second time
   * then.
   */
  keyIn?: readonly string[]
  /** Present when the changes of the table are told to somebody, whom it names: `LogStateStore.changes`. */
  mirror?: string
}

export type TableShape =
  | ({ kind: 'value' } & RowsShape)
  | ({ kind: 'list' } & RowsShape)
  /** Rows under a second key; `userKey` names the fields of it. */
  | ({ kind: 'map'; userKey: readonly Field[] } & RowsShape)
  /**
   * Rows under a number beside the key, without an order: an operator that knows where they lie finds them by
   * `LogStateStore.records`.
   */
  | ({ kind: 'slots'; userKey: readonly Field[] } & RowsShape)
  | { kind: 'timers' }

/**
 * Rows given to a table are copied or kept, as the table likes, and must not change; rows that come out are objects of
 * one's own that stay valid. A row whose time to live (counted from its last write, in processing time) is over is
 * absent.
 */
export interface ValueTable {
  /**
   * Keys of a batch, at most 1024, that are about to be asked for: a look ahead, so that their cache misses
   * overlap.
   */
  expect(groups: Uint16Array, keys: readonly StateKey[], count: number): void
  get(group: number, key: StateKey): Row | undefined
  set(group: number, key: StateKey, row: Row): void
  delete(group: number, key: StateKey): boolean
  /** Every key of the group, in no order; the table must not be changed meanwhile. */
  each(group: number, visit: (key: StateKey, row: Row) => void): void
  readonly size: number
}

/** An entry of a mirrored table that was changed; `row` is undefined where there is none any more. */
export interface Change {
  readonly key: StateKey
  /** Of maps. */
  readonly userKey: StateKey | undefined
  readonly row: Row | undefined
}

/** What became of the entries of a mirrored table. */
export interface TableChanges {
  /**
   * Each entry once that was written, removed or found to be expired since the last call. The first call after a
   * restore adds all entries that were not told to the same mirror before. The table must not be changed until the last
   * one is taken.
   */
  take(): Iterable<Change>
}

export interface ListTable {
  append(group: number, key: StateKey, row: Row): void
  /** In the order of appending; empty when there are none. */
  rows(group: number, key: StateKey): Row[]
  /** Drops the rows for which `keep` is false and returns how many those were. */
  retain(group: number, key: StateKey, keep: (row: Row) => boolean): number
  delete(group: number, key: StateKey): boolean
  each(group: number, visit: (key: StateKey, rows: Row[]) => void): void
  /** Rows, not keys. */
  readonly size: number
}

export interface MapTable {
  get(group: number, key: StateKey, userKey: StateKey): Row | undefined
  set(group: number, key: StateKey, userKey: StateKey, row: Row): void
  delete(group: number, key: StateKey, userKey: StateKey): boolean
  /** The entries under one key in the order in which they first came, as in a JavaScript Map. */
  entries(group: number, key: StateKey): [userKey: StateKey, row: Row][]
  clear(group: number, key: StateKey): void
  readonly size: number
}

/** Moments at which a key wants to be called. */
export interface TimerTable {
  /** One per key and time: asking twice is asking once. */
  at(group: number, key: StateKey, time: Timestamp): void
  cancel(group: number, key: StateKey, time: Timestamp): void
  /**
   * Takes out timers that are due at or before `time`, earliest first, at most `limit`; new ones set by `fire` and due
   * take part. True when there are more: call again after a turn of the loop.
   */
  due(time: Timestamp, limit: number, fire: (group: number, key: StateKey, time: Timestamp) => void): boolean
  /** No timer is due before; undefined when there is none. That of a timer since cancelled may be given. */
  next(): Timestamp | undefined
  readonly size: number
}

export interface StateStore {
  value(name: string): ValueTable
  list(name: string): ListTable
  map(name: string): MapTable
  timers(name: string): TimerTable
  memory(): StateMemory
  /** Entries of all tables; those whose time is over count until they are come across. */
  size(): number
  /**
   * Blocks by key group, with the shape they were written with, to be read while work goes on; several of a group
   * are to be restored in their order.
   */
  freeze(extent: SnapshotExtent): FrozenState
  /** Called once, after the last block. */
  restored(): void
  /** Gives back what is not memory; nothing may be asked afterwards. */
  close(): void
  /**
   * Before the first change. Throws STATE_CORRUPT, or STATE_INCOMPATIBLE when a table it holds has another shape
   * now.
   */
  restore(group: number, bytes: Uint8Array): void
}

/** Bytes of rows in memory, of those on disk, and of the file they are in; garbage in them included. */
export interface StateMemory {
  residentBytes: number
  onDiskBytes: number
  fileBytes: number
}

export interface StateOptions {
  maxParallelism: number
  /** Processing time in ms, for times to live. */
  now(): number
  /** The limit of rows in memory; absent: no limit. Timers are always in memory. */
  spill?: SpillSettings | undefined
}

/** Empty tables of a shape. Throws KEY_TYPE_UNSUPPORTED for a json field in a key. */
export function createStateStore(shape: StateShape, options: StateOptions): LogStateStore {
  return new LogStateStore(shape, options)
}
