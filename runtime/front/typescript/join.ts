import type { Expression } from './expressions.ts'
import type { AsyncSettings, HttpRequest } from './process.ts'
import type { AllNullable, Flat, KeyField, Merged, Shape, TypeText } from './shapes.ts'
import type { Duration, Window } from './windows.ts'

type PairType = 'inner' | 'left' | 'right' | 'full'

/** A field of one side, `left.price`, or an expression over both. */
export type Selected<L extends Shape, R extends Shape> =
  | `left.${keyof L & string}`
  | `right.${keyof R & string}`
  | Expression<TypeText>

/** Which rows meet: in the same window, within a distance in event time, or all that were kept (`ttl`, or forever). */
interface Meeting<L extends Shape, R extends Shape> {
  readonly keyBy:
    | (KeyField<L> & KeyField<R>)
    | readonly (KeyField<L> & KeyField<R>)[]
    | Readonly<Partial<Record<KeyField<L>, KeyField<R>>>>
  readonly window?: Window<'bounds'>
  readonly within?:
    | { readonly before: Duration; readonly after?: Duration }
    | { readonly before?: Duration; readonly after: Duration }
  readonly ttl?: Duration | 'forever'
  /** An expression over `left.…` and `right.…`. */
  readonly where?: string
}

/** Pairs, and of outer joins rows without one. */
interface PairOptions<L extends Shape, R extends Shape> extends Meeting<L, R> {
  readonly type?: PairType
  readonly select: Readonly<Record<string, Selected<L, R>>>
}

/** Rows of the left that have a pair (`semi`), or none (`anti`): whole, or the fields selected. */
interface PickOptions<L extends Shape, R extends Shape> extends Meeting<L, R> {
  readonly type: 'semi' | 'anti'
  readonly select?: Readonly<Record<string, `left.${keyof L & string}` | Expression<TypeText>>>
}

export type JoinOptions<L extends Shape, R extends Shape> = PairOptions<L, R> | PickOptions<L, R>

type Left<L extends Shape, J> = J extends { type: 'right' | 'full' } ? AllNullable<L> : L
type Right<R extends Shape, J> = J extends { type: 'left' | 'full' } ? AllNullable<R> : R
type SelectedType<L extends Shape, R extends Shape, T> =
  T extends Expression<infer Type>
    ? Type
    : T extends `left.${infer Name extends keyof L & string}`
      ? L[Name]
      : T extends `right.${infer Name extends keyof R & string}`
        ? R[Name]
        : never
type Bounds<J> = J extends { window: Window } ? { windowStart: 'timestamp'; windowEnd: 'timestamp' } : unknown

/** The fields that come out of a join. */
export type Joined<L extends Shape, R extends Shape, J extends JoinOptions<L, R>> =
  Flat<
    (J extends { select: infer Select }
      ? { -readonly [Name in keyof Select]: SelectedType<Left<L, J>, Right<R, J>, Select[Name]> }
      : L) &
      Bounds<J>
  > extends infer S extends Shape
    ? S
    : never

/** Rows that come too late for a join that goes by event time. */
export type LateSides<L extends Shape, R extends Shape, J> = J extends { window: Window } | { within: object }
  ? { lateLeft: L; lateRight: R }
  : Readonly<Record<never, never>>

/** A table that a service or a Druid holds: a request for each row. */
interface Lookup<O extends Shape> extends AsyncSettings {
  /** Fields of the answer. */
  readonly output: O
  /** What becomes of a row the service does not know: dropped, or its fields of the answer are null. */
  readonly type?: 'inner' | 'left'
  /** Answers kept per slot. */
  readonly cache?: { readonly rows: number; readonly ttl?: Duration }
}

/** A query with a `?` for each of `parameters`, which are fields of the row; it gives one row at most. */
export interface DruidQuery<S extends Shape> {
  /** The address of a Router or Broker. */
  readonly url: string
  readonly query: string
  readonly parameters: KeyField<S> | readonly KeyField<S>[]
  readonly headers?: Readonly<Record<string, string>>
}

export type LookupOptions<S extends Shape, O extends Shape> = Lookup<O> &
  (
    | { readonly http: HttpRequest; readonly druid?: undefined; readonly key?: undefined }
    | { readonly druid: DruidQuery<S>; readonly http?: undefined; readonly key?: undefined }
    | TableOptions<S>
  )

/** A table of a connector, whose options stand under its name; lint checks them. */
interface TableOptions<S extends Shape> {
  readonly http?: undefined
  readonly druid?: undefined
  /** Columns of the table, and the fields that they are equal to; names alone where both are called the same. */
  readonly key: KeyField<S> | readonly KeyField<S>[] | Readonly<Record<string, KeyField<S>>>
  readonly [connector: string]: unknown
}

/** The fields that come out of a lookup. */
export type LookedUp<S extends Shape, O extends Shape, J> = Merged<S, J extends { type: 'left' } ? AllNullable<O> : O>

/** Events (`left`) matched with rules (`right`) that are in force. */
export interface BroadcastOptions<L extends Shape, R extends Shape> {
  /** A rule replaces the one with the same key. */
  readonly key: readonly KeyField<R>[]
  readonly where?: string
  /** A rule for which it is true takes away the one with its key. */
  readonly remove?: string
  readonly select: Readonly<Record<string, Selected<L, R>>>
}

/** The fields that come out of a broadcast. */
export type Matched<L extends Shape, R extends Shape, B extends BroadcastOptions<L, R>> = {
  -readonly [Name in keyof B['select']]: SelectedType<L, R, B['select'][Name]>
} & {} extends infer S extends Shape
  ? S
  : never

/** The options as the graph holds them. */
export function joinFields(options: {
  readonly window?: Window
  readonly select?: Selection
}): Readonly<Record<string, unknown>> {
  const { window, select, ...rest } = options
  return {
    ...rest,
    ...(window === undefined ? {} : { window: window.written }),
    ...(select === undefined ? {} : { select: selectedTexts(select) }),
  }
}

/** What is selected, by name: an expression that types itself, or one whose type is declared. */
export type Selection = Readonly<Record<string, string | Expression<TypeText>>>

export function selectedTexts(select: Selection): Record<string, string> {
  return Object.fromEntries(
    Object.entries(select).map(([name, value]) => [name, typeof value === 'string' ? value : value.text]),
  )
}

/** The types of selected expressions, as they were declared. */
export function joinDeclares({ select = {} }: { readonly select?: Selection }): Readonly<Record<string, TypeText>> {
  return Object.fromEntries(
    Object.entries(select).flatMap(([name, value]) => (typeof value === 'string' ? [] : [[name, value.type]])),
  )
}
