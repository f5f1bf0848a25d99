import type { Flat, KeyField, NewRow, Nullable, Row, Shape, ValueOf } from './shapes.ts'
import type { Duration } from './windows.ts'

/** Tables under the key of a process, by name. */
export type StateShape = Readonly<Record<string, StateDeclaration>>
export type StateDeclaration =
  | { readonly value: Shape; readonly ttl?: Duration }
  | { readonly list: Shape; readonly ttl?: Duration }
  | { readonly map: Shape; readonly key: Shape; readonly ttl?: Duration }

/** States of which each entry has a key: those that can be mirrored. */
export type MirroredName<St extends StateShape> = {
  [Name in keyof St]: St[Name] extends { readonly list: Shape } ? never : Name
}[keyof St] &
  string

type NullableShape<S extends Shape> = { readonly [Name in keyof S]: Nullable<S[Name]> }

/** The rows that tell what has become of the entries of a state: where one is gone its values are null. */
export type MirrorShape<Key extends Shape, D> = D extends { readonly value: infer S extends Shape }
  ? Flat<Key & NullableShape<S> & { readonly deleted: 'boolean' }>
  : D extends { readonly map: infer S extends Shape; readonly key: infer K extends Shape }
    ? Flat<Key & K & NullableShape<S> & { readonly deleted: 'boolean' }>
    : never

/** One row under the key. */
export interface ValueState<S extends Shape> {
  /** Null where the key has none. */
  get(): Row<S> | null
  set(row: NewRow<S>): void
  clear(): void
}

/** Rows under the key, in the order in which they were added. */
export interface ListState<S extends Shape> {
  add(row: NewRow<S>): void
  rows(): Row<S>[]
  /** Drops the rows for which `keep` is false; returns how many those were. */
  retain(keep: (row: Row<S>) => boolean): number
  clear(): void
}

/** Rows under the key and a second key, which is the value of its one field, or an object with its fields. */
export interface MapState<K, S extends Shape> {
  /** Null where the key has none. */
  get(key: K): Row<S> | null
  set(key: K, row: NewRow<S>): void
  delete(key: K): boolean
  /** In the order in which the keys first came. */
  entries(): [key: K, row: Row<S>][]
  clear(): void
}

type IsUnion<T, Each = T> = T extends unknown ? ([Each] extends [T] ? false : true) : never
type UserKey<K extends Shape> = IsUnion<keyof K> extends false ? ValueOf<K[keyof K]> : Row<K>

type StateOf<D> = D extends { readonly value: infer S extends Shape }
  ? ValueState<S>
  : D extends { readonly list: infer S extends Shape }
    ? ListState<S>
    : D extends { readonly map: infer S extends Shape; readonly key: infer K extends Shape }
      ? MapState<UserKey<K>, S>
      : never

/** Good for the time of a call; what is used later, behind an await, throws. */
export interface ProcessContext<O extends Shape, Sides extends Readonly<Record<string, Shape>>> {
  /** Event time of the row, or the moment of the timer; null where the stream has no event time. */
  readonly timestamp: number | null
  /** The newest watermark: no row before it is expected any more. */
  readonly watermark: number
  /** Processing time, in ms since the epoch: the clock that `processingTimers` go by. */
  readonly now: number
  emit(row: NewRow<O>): void
  sideOutput<Name extends keyof Sides & string>(name: Name, row: NewRow<Sides[Name]>): void
}

export interface KeyedContext<
  S extends Shape,
  K extends KeyField<S>,
  O extends Shape,
  St extends StateShape,
  Sides extends Readonly<Record<string, Shape>>,
> extends ProcessContext<O, Sides> {
  readonly key: Row<Flat<Pick<S, K>>>
  readonly state: { readonly [Name in keyof St]: StateOf<St[Name]> }
  readonly timers: {
    /**
     * Calls onTimer once the watermark has passed `time` (ms since the epoch); the same time again is the same
     * timer.
     */
    at(time: number): void
    cancel(time: number): void
  }
  /** The same by the clock: calls onProcessingTimer at `time`, or as soon after as the process can. */
  readonly processingTimers: {
    at(time: number): void
    cancel(time: number): void
  }
}

/** What an asynchronous function sees besides its row. */
export interface AsyncContext {
  /** Aborted when the time of this try is over: hand it to fetch. */
  readonly signal: AbortSignal
  /** Which try this is, from 1. */
  readonly attempt: number
}

export interface AsyncSettings {
  /** ordered: results go on in the order of their rows. unordered: as they come, but never across a watermark. */
  readonly order?: 'ordered' | 'unordered'
  /** Rows under way at most, per slot; 100 when left out. */
  readonly capacity?: number
  /** The time limit of one try; 10s when left out. */
  readonly timeout?: Duration
  readonly retry?: { readonly attempts: number; readonly backoff?: Duration; readonly max?: Duration }
}

export interface HttpRequest {
  /** `{field}` stands for a value of the row. */
  readonly url: string
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** PEM files of mounted Secrets, for https: whom to trust, and who the job is. */
  readonly tls?: { readonly caFile?: string; readonly certificateFile?: string; readonly keyFile?: string }
}
