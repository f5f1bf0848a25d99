import type { FieldsOf, Flat, IsNullable, Nullable, Shape, TypeText } from './shapes.ts'
import type { FieldType } from '../model/schema.ts'

type Numeric = 'long' | 'double'
type Ordered = Numeric | 'timestamp' | 'string'
type AnyType = FieldType

/** What an aggregate takes and what it gives, by its function. */
interface Signatures {
  count: { takes: AnyType; gives: 'count' }
  sum: { takes: Numeric; gives: 'same' }
  min: { takes: Ordered; gives: 'same' }
  max: { takes: Ordered; gives: 'same' }
  avg: { takes: Numeric; gives: 'double' }
  stddev: { takes: Numeric; gives: 'double?' }
  countDistinct: { takes: Exclude<AnyType, 'json'>; gives: 'count' }
  approxCountDistinct: { takes: Exclude<AnyType, 'json'>; gives: 'count' }
  first: { takes: AnyType; gives: 'same' }
  last: { takes: AnyType; gives: 'same' }
}
type AggregateFunction = keyof Signatures

/** An aggregate over the rows of a key or a window; over a field, or over nothing (`count()`). */
export interface Aggregate<F extends AggregateFunction = AggregateFunction, Name extends string = string> { readonly function: F; readonly field: Name | undefined }

/** Aggregates that are possible over rows of this shape: a field that is not there, or of another type, does not compile. */
export type AggregateOver<S extends Shape> = { [F in AggregateFunction]: Aggregate<F, FieldsOf<S, Signatures[F]['takes']>> }[AggregateFunction]

type Result<S extends Shape, A> = A extends Aggregate<infer F, infer Name> ? ResultType<Signatures[F]['gives'], Name extends keyof S ? S[Name] : 'long'> : never
type ResultType<Gives, T extends TypeText> = Gives extends 'same' ? T
  : Gives extends 'count' ? 'long'
    : Gives extends 'double' ? (IsNullable<T> extends true ? Nullable<'double'> : 'double')
      : Gives extends TypeText ? Gives : never

/** The fields that aggregates put out. */
export type Results<S extends Shape, A extends Readonly<Record<string, AggregateOver<S>>>> = Flat<{ -readonly [Name in keyof A]: Result<S, A[Name]> }>

/** How many rows; with a field how many of them have a value there. */
export function count(): Aggregate<'count', never>
export function count<const Name extends string>(field: Name): Aggregate<'count', Name>
export function count(field?: string): Aggregate<'count'> { return { function: 'count', field } }

export function sum<const Name extends string>(field: Name): Aggregate<'sum', Name> { return { function: 'sum', field } }
export function min<const Name extends string>(field: Name): Aggregate<'min', Name> { return { function: 'min', field } }
export function max<const Name extends string>(field: Name): Aggregate<'max', Name> { return { function: 'max', field } }
export function avg<const Name extends string>(field: Name): Aggregate<'avg', Name> { return { function: 'avg', field } }
export function stddev<const Name extends string>(field: Name): Aggregate<'stddev', Name> { return { function: 'stddev', field } }
export function countDistinct<const Name extends string>(field: Name): Aggregate<'countDistinct', Name> { return { function: 'countDistinct', field } }
export function approxCountDistinct<const Name extends string>(field: Name): Aggregate<'approxCountDistinct', Name> { return { function: 'approxCountDistinct', field } }
export function first<const Name extends string>(field: Name): Aggregate<'first', Name> { return { function: 'first', field } }
export function last<const Name extends string>(field: Name): Aggregate<'last', Name> { return { function: 'last', field } }

/** `sum(price)`, as the graph holds it. */
export function aggregateTexts(aggregates: Readonly<Record<string, Aggregate>>): Record<string, string> {
  return Object.fromEntries(Object.entries(aggregates).map(([name, aggregate]) => [name, `${aggregate.function}(${aggregate.field ?? ''})`]))
}
