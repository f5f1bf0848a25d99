import type { Expression } from './expressions.ts'
import { ownFunction, type UserCode } from './graph.ts'
import { checkObject, refuse } from './misuse.ts'
import type { FieldsOf, Flat, IsNullable, NewRow, Nullable, Row, Shape, TypeText, ValueOf } from './shapes.ts'
import type { FieldType } from '../../model/schema.ts'

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
  stddevPop: { takes: Numeric; gives: 'double' }
  variance: { takes: Numeric; gives: 'double?' }
  variancePop: { takes: Numeric; gives: 'double' }
  every: { takes: 'boolean'; gives: 'same' }
  some: { takes: 'boolean'; gives: 'same' }
  bitAnd: { takes: 'long'; gives: 'same' }
  bitOr: { takes: 'long'; gives: 'same' }
  bitXor: { takes: 'long'; gives: 'same' }
  countDistinct: { takes: Exclude<AnyType, 'json'>; gives: 'count' }
  approxCountDistinct: { takes: Exclude<AnyType, 'json'>; gives: 'count' }
  first: { takes: AnyType; gives: 'same' }
  last: { takes: AnyType; gives: 'same' }
  countIf: { takes: AnyType; gives: 'count' }
  countDistinctIf: { takes: Exclude<AnyType, 'json'>; gives: 'count' }
  percentile: { takes: Numeric; gives: 'double' }
  collect: { takes: AnyType; gives: 'json' }
  histogram: { takes: Numeric; gives: 'json' }
}
type AggregateFunction = keyof Signatures

/** An aggregate over the rows of a key or a window; over a field, or over nothing (`count()`). */
export interface Aggregate<F extends AggregateFunction = AggregateFunction, Name extends string = string> {
  readonly function: F
  readonly field: Name | undefined
  /** What stands behind the field in the call. */
  readonly more?: readonly (string | number)[]
}

/** A field of the row in which another is least or greatest. */
export interface ExtremeRow<Name extends string = string, By extends string = string> {
  readonly function: 'argMin' | 'argMax'
  readonly field: Name
  readonly by: By
}

/** An aggregate of one's own over rows of R: fields it keeps, and four functions over them. */
export interface CustomAggregate<R, T extends TypeText = TypeText> {
  readonly output: T
  readonly state: Shape
  readonly add: (state: never, row: R) => object
}

/**
 * Aggregates that are possible over rows of this shape: a field that is not there, or of another type, does not
 * compile.
 */
export type AggregateOver<S extends Shape> =
  | CustomAggregate<Row<S>>
  | ExtremeRow<keyof S & string, FieldsOf<S, Ordered>>
  | Expression<TypeText>
  | { [F in AggregateFunction]: Aggregate<F, FieldsOf<S, Signatures[F]['takes']>> }[AggregateFunction]

type ExtremeType<S extends Shape, Name, By> = Name extends keyof S
  ? By extends keyof S
    ? IsNullable<S[By]> extends true
      ? Nullable<S[Name]>
      : S[Name]
    : never
  : never
type Result<S extends Shape, A> =
  A extends CustomAggregate<never, infer T>
    ? T
    : A extends Expression<infer T>
      ? T
      : A extends ExtremeRow<infer Name, infer By>
        ? ExtremeType<S, Name, By>
        : A extends Aggregate<infer F, infer Name>
          ? ResultType<Signatures[F]['gives'], Name extends keyof S ? S[Name] : 'long'>
          : never
type ResultType<Gives, T extends TypeText> = Gives extends 'same'
  ? T
  : Gives extends 'count'
    ? 'long'
    : Gives extends 'double'
      ? IsNullable<T> extends true
        ? Nullable<'double'>
        : 'double'
      : Gives extends TypeText
        ? Gives
        : never

/** The fields that aggregates put out. */
export type Results<S extends Shape, A extends Readonly<Record<string, AggregateOver<S>>>> = Flat<{
  -readonly [Name in keyof A]: Result<S, A[Name]>
}>

/** How many rows; with a field how many of them have a value there. */
export function count(): Aggregate<'count', never>
export function count<const Name extends string>(field: Name): Aggregate<'count', Name>
export function count(field?: string): Aggregate<'count'> {
  return { function: 'count', field }
}

export function sum<const Name extends string>(field: Name): Aggregate<'sum', Name> {
  return { function: 'sum', field }
}
export function min<const Name extends string>(field: Name): Aggregate<'min', Name> {
  return { function: 'min', field }
}
export function max<const Name extends string>(field: Name): Aggregate<'max', Name> {
  return { function: 'max', field }
}
export function avg<const Name extends string>(field: Name): Aggregate<'avg', Name> {
  return { function: 'avg', field }
}
export function stddev<const Name extends string>(field: Name): Aggregate<'stddev', Name> {
  return { function: 'stddev', field }
}
/** The standard deviation of all values; `stddev` is that of a sample. */
export function stddevPop<const Name extends string>(field: Name): Aggregate<'stddevPop', Name> {
  return { function: 'stddevPop', field }
}
export function variance<const Name extends string>(field: Name): Aggregate<'variance', Name> {
  return { function: 'variance', field }
}
export function variancePop<const Name extends string>(field: Name): Aggregate<'variancePop', Name> {
  return { function: 'variancePop', field }
}
export function every<const Name extends string>(field: Name): Aggregate<'every', Name> {
  return { function: 'every', field }
}
export function some<const Name extends string>(field: Name): Aggregate<'some', Name> {
  return { function: 'some', field }
}
export function bitAnd<const Name extends string>(field: Name): Aggregate<'bitAnd', Name> {
  return { function: 'bitAnd', field }
}
export function bitOr<const Name extends string>(field: Name): Aggregate<'bitOr', Name> {
  return { function: 'bitOr', field }
}
export function bitXor<const Name extends string>(field: Name): Aggregate<'bitXor', Name> {
  return { function: 'bitXor', field }
}
export function countDistinct<const Name extends string>(field: Name): Aggregate<'countDistinct', Name> {
  return { function: 'countDistinct', field }
}
export function approxCountDistinct<const Name extends string>(field: Name): Aggregate<'approxCountDistinct', Name> {
  return { function: 'approxCountDistinct', field }
}
export function first<const Name extends string>(field: Name): Aggregate<'first', Name> {
  return { function: 'first', field }
}
export function last<const Name extends string>(field: Name): Aggregate<'last', Name> {
  return { function: 'last', field }
}

/** How many rows meet the condition, an expression. */
export function countIf(condition: string): Aggregate<'countIf', never> {
  return { function: 'countIf', field: undefined, more: [condition] }
}
export function countDistinctIf<const Name extends string>(
  field: Name,
  condition: string,
): Aggregate<'countDistinctIf', Name> {
  return { function: 'countDistinctIf', field, more: [condition] }
}
/** The value that the share of values, 0.99 say, does not exceed; by a sketch. */
export function percentile<const Name extends string>(field: Name, share: number): Aggregate<'percentile', Name> {
  return { function: 'percentile', field, more: [share] }
}
/** All values, as an array. */
export function collect<const Name extends string>(field: Name): Aggregate<'collect', Name> {
  return { function: 'collect', field }
}
export function histogram<const Name extends string>(
  field: Name,
  range: { from: number; to: number; buckets: number },
): Aggregate<'histogram', Name> {
  return { function: 'histogram', field, more: [range.from, range.to, range.buckets] }
}
/** The field as it is in the row in which `by` is least. */
export function argMin<const Name extends string, const By extends string>(field: Name, by: By): ExtremeRow<Name, By> {
  return { function: 'argMin', field, by }
}
export function argMax<const Name extends string, const By extends string>(field: Name, by: By): ExtremeRow<Name, By> {
  return { function: 'argMax', field, by }
}

/**
 * An aggregate of one's own. `add` and `merge` return new rows of `state`, which is what checkpoints hold; `merge`
 * brings panes and sessions together, the earlier first.
 */
export function custom<const St extends Shape, const T extends TypeText, R>(definition: {
  state: St
  output: T
  init: () => NewRow<St>
  add: (state: Row<St>, row: R) => NewRow<St>
  merge: (earlier: Row<St>, later: Row<St>) => NewRow<St>
  result: (state: Row<St>) => ValueOf<T>
}): CustomAggregate<R, T> {
  return definition
}

type AnyAggregate = Aggregate | ExtremeRow | Expression<TypeText> | CustomAggregate<never>

/**
 * `sum(price)` and functions by name, as the graph holds them; functions are called after operator and field.
 * `declares`: types that were written down.
 */
export function aggregateFields(
  id: string,
  aggregates: Readonly<Record<string, AnyAggregate>>,
): { written: Record<string, unknown>; functions: Record<string, UserCode>; declares: Record<string, TypeText> } {
  checkAggregates(id, aggregates)
  const entries = Object.entries(aggregates)
  return {
    written: Object.fromEntries(
      entries.map(([name, aggregate]) => [
        name,
        'state' in aggregate
          ? { ...ownFunction(`${id}.${name}`), state: aggregate.state, output: aggregate.output }
          : callOf(aggregate),
      ]),
    ),
    declares: Object.fromEntries(
      entries.flatMap(([name, aggregate]) => ('text' in aggregate ? [[name, aggregate.type]] : [])),
    ),
    functions: Object.fromEntries(
      entries.flatMap(([name, aggregate]) => ('state' in aggregate ? [[`${id}.${name}`, aggregate]] : [])),
    ),
  }
}

function callOf(aggregate: Aggregate | ExtremeRow | Expression<TypeText>): string {
  if ('text' in aggregate) return aggregate.text
  const behind = 'by' in aggregate ? [aggregate.by] : (aggregate.more ?? [])
  return `${aggregate.function}(${[...(aggregate.field === undefined ? [] : [aggregate.field]), ...behind].join(', ')})`
}

function checkAggregates(id: string, aggregates: unknown): void {
  checkObject(`the aggregates of "${id}"`, aggregates, AGGREGATES)
  if (isAggregate(aggregates)) refuse(`the aggregates of "${id}"`, 'an object of aggregates', 'one alone', AGGREGATES)
  for (const [name, value] of Object.entries(aggregates as object))
    if (!isAggregate(value))
      refuse(
        `"${name}" of "${id}"`,
        'an aggregate',
        value,
        `${name}: count(), ${name}: max('price') or ${name}: expr('double', 'sum(price * 0.9)'), in an object`,
      )
}

const AGGREGATES = "{ seen: count(), top: max('price') }"

function isAggregate(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { function: name, text, add }: { function?: unknown; text?: unknown; add?: unknown } = value
  return typeof name === 'string' || typeof text === 'string' || typeof add === 'function'
}
