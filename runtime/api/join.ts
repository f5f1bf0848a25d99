import type { Expression } from './expressions.ts'
import type { AllNullable, Flat, KeyField, Shape, TypeText } from './shapes.ts'
import type { Duration, Window } from './windows.ts'

export type JoinType = 'inner' | 'left' | 'right' | 'full'

/** A field of one side, `left.price`, or an expression over both. */
export type Selected<L extends Shape, R extends Shape> = `left.${keyof L & string}` | `right.${keyof R & string}` | Expression<TypeText>

/** Which rows meet: in the same window, within a distance in event time, or all that were kept (`ttl`, or forever). */
export interface JoinOptions<L extends Shape, R extends Shape> {
  readonly on: (KeyField<L> & KeyField<R>) | readonly (KeyField<L> & KeyField<R>)[] | Readonly<Partial<Record<KeyField<L>, KeyField<R>>>>
  readonly type?: JoinType
  readonly window?: Window<'bounds'>
  readonly within?: { readonly before?: Duration; readonly after?: Duration }
  readonly ttl?: Duration | 'forever'
  /** An expression over `left.…` and `right.…`. */
  readonly where?: string
  readonly select: Readonly<Record<string, Selected<L, R>>>
}

type Left<L extends Shape, J> = J extends { type: 'right' | 'full' } ? AllNullable<L> : L
type Right<R extends Shape, J> = J extends { type: 'left' | 'full' } ? AllNullable<R> : R
type SelectedType<L extends Shape, R extends Shape, T> = T extends Expression<infer Type> ? Type
  : T extends `left.${infer Name extends keyof L & string}` ? L[Name]
    : T extends `right.${infer Name extends keyof R & string}` ? R[Name] : never
type Bounds<J> = J extends { window: Window } ? { windowStart: 'timestamp'; windowEnd: 'timestamp' } : unknown

/** The fields that come out of a join. */
export type Joined<L extends Shape, R extends Shape, J extends JoinOptions<L, R>> =
  Flat<{ -readonly [Name in keyof J['select']]: SelectedType<Left<L, J>, Right<R, J>, J['select'][Name]> } & Bounds<J>> extends infer S extends Shape ? S : never

/** Events (`left`) matched with rules (`right`) that are in force. */
export interface BroadcastOptions<L extends Shape, R extends Shape> {
  /** A rule takes the place of the one with the same key. */
  readonly key: readonly KeyField<R>[]
  readonly where?: string
  /** A rule for which it is true takes away the one with its key. */
  readonly remove?: string
  readonly select: Readonly<Record<string, Selected<L, R>>>
}

/** The fields that come out of a broadcast. */
export type Matched<L extends Shape, R extends Shape, B extends BroadcastOptions<L, R>> =
  { -readonly [Name in keyof B['select']]: SelectedType<L, R, B['select'][Name]> } & {} extends infer S extends Shape ? S : never

/** The options as the graph holds them. */
export function joinFields(options: { readonly window?: Window; readonly select: Readonly<Record<string, string | Expression<TypeText>>> }): Readonly<Record<string, unknown>> {
  const { window, select, ...rest } = options
  return {
    ...rest, ...(window === undefined ? {} : { window: window.written }),
    select: Object.fromEntries(Object.entries(select).map(([name, value]) => [name, typeof value === 'string' ? value : value.text])),
  }
}

/** The types of selected expressions, as they were declared. */
export function joinDeclares({ select }: { readonly select: Readonly<Record<string, string | Expression<TypeText>>> }): Readonly<Record<string, TypeText>> {
  return Object.fromEntries(Object.entries(select).flatMap(([name, value]) => (typeof value === 'string' ? [] : [[name, value.type]])))
}
