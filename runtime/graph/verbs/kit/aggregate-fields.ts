import { aspect } from './aspects.ts'
import { expressionFields } from './field-names.ts'
import type { Aspect } from '../verb.ts'
import type { Entry } from '../entry.ts'
import type { Fields } from '../../../model/fields.ts'
import { describe, join, type Problems } from '../../problems.ts'
import { checkFieldName, MAX_FIELDS, readField, readSchema } from './schema-fields.ts'
import { isFunction, readFunction } from './user-function.ts'
import { parseAggregate, type AggregateFunction } from '../../../expressions/aggregate.ts'
import type { Expression } from '../../../expressions/ast.ts'
import type { Field, Schema } from '../../../model/schema.ts'
import type { FunctionRef } from '../../../model/user-module.ts'

/** One field of what an aggregating verb puts out; what its parts mean: ParsedAggregate. */
export interface Aggregate {
  /** The output field. */
  field: Field
  function: AggregateFunction | 'user'
  argument?: Expression
  by?: Expression
  filter?: Expression
  parameters?: readonly number[]
  /** Present for an aggregate that the user wrote. */
  user?: UserAggregate
}

/** Functions that keep fields of their own: init(), add(state, row), merge(state, state), result(state). */
export interface UserAggregate {
  function: FunctionRef
  state: Schema
  /** Every field of the row: it may read them all. */
  reads: readonly Expression[]
  /** What the module exports, once it is loaded. */
  code?: unknown
}

/** The fields that the aggregates read of a row. */
export function fieldsAggregated(aggregates: readonly Aggregate[]): string[] {
  return aggregates
    .flatMap(({ argument, by, filter, user }) => [argument, by, filter, ...(user?.reads ?? [])])
    .flatMap((expression) => (expression === undefined ? [] : expressionFields(expression)))
}

/** State is made of the aggregates in their order.  */
export function aggregatesAspect(aggregates: readonly Aggregate[]): Aspect {
  const parts = aggregates.map(({ field, user, ...parsed }) =>
    user === undefined ? [field.name, parsed] : [field.name, field.type, user.function, user.state],
  )
  return aspect('aggregate', parts, 'binds state')
}

/** Functions that count a row twice when it comes again with a newer value. */
const ADDING: ReadonlySet<Aggregate['function']> = new Set([
  'count',
  'sum',
  'avg',
  'stddev',
  'stddevPop',
  'variance',
  'variancePop',
  'bitXor',
  'percentile',
  'collect',
  'histogram',
  'user',
])

/** The first field that adds up what comes in. */
export function fieldThatAddsUp(aggregates: readonly Aggregate[]): string | undefined {
  return aggregates.find(({ function: name }) => ADDING.has(name))?.field.name
}

export function aggregateFunctions(aggregates: readonly Aggregate[]): FunctionRef[] {
  return aggregates.flatMap(({ user }) => (user === undefined ? [] : [user.function]))
}

/** The `aggregate` of an entry. `taken` are the fields the verb puts out beside it. Undefined after reporting. */
export function readAggregates(
  entry: Entry,
  schema: Schema,
  taken: readonly string[],
  modules: ReadonlySet<string>,
  problems: Problems,
): Aggregate[] | undefined {
  const path = join(entry.path, 'aggregate')
  const written = entry.fields['aggregate']
  if (written === undefined) {
    problems.report(
      'AGGREGATE_INVALID',
      entry.path,
      `a ${entry.verb} needs an aggregate`,
      'aggregate: { name: count() }, or sum(x), min(x), max(x), avg(x)',
    )
    return undefined
  }
  const fields = problems.fields(written, path)
  if (fields === undefined) return undefined
  const names = Object.keys(fields)
  if (names.length === 0 || names.length > MAX_FIELDS) {
    problems.report('TOO_LARGE', path, `has ${names.length} aggregates, 1 to ${MAX_FIELDS} are taken`)
    return undefined
  }
  const aggregates = names.map((name) =>
    readAggregate(name, fields[name], { schema, taken, modules }, join(path, name), problems),
  )
  const sound = aggregates.filter((aggregate) => aggregate !== undefined)
  return sound.length < aggregates.length ? undefined : sound
}

function readAggregate(
  name: string,
  value: unknown,
  around: { schema: Schema; taken: readonly string[]; modules: ReadonlySet<string> },
  path: string,
  problems: Problems,
): Aggregate | undefined {
  if (!checkFieldName(name, path, problems)) return undefined
  if (around.taken.includes(name)) {
    problems.report('DUPLICATE_FIELD', path, `the operator already puts out a field "${name}"`)
    return undefined
  }
  if (isFunction(value)) return readUserAggregate(name, value, around, path, problems)
  if (typeof value !== 'string') {
    problems.report(
      'TYPE_MISMATCH',
      path,
      `must be an aggregate, not ${describe(value)}`,
      'write count(), sum(x), min(x), max(x) or avg(x)',
    )
    return undefined
  }
  if (!problems.admitsExpression(value, path)) return undefined
  const parsed = problems.attempt(path, () => parseAggregate(value, around.schema))
  if (parsed === undefined) return undefined
  const { result, ...rest } = parsed
  return { field: { name, ...result }, ...rest }
}

/** `{ module, function, state: { field: type }, output: type }`. */
function readUserAggregate(
  name: string,
  value: Fields,
  { schema, modules }: { schema: Schema; modules: ReadonlySet<string> },
  path: string,
  problems: Problems,
): Aggregate | undefined {
  problems.fields(value, path, ['module', 'function', 'state', 'output'])
  const ref = readFunction(value, path, modules, problems)
  const state = readSchema(value['state'], join(path, 'state'), problems)
  const field = readField(name, value['output'], join(path, 'output'), problems)
  if (ref === undefined || state === undefined || field === undefined) return undefined
  const reads = schema.fields.map((read): Expression => ({ kind: 'field', ...read }))
  return { field, function: 'user', user: { function: ref, state, reads } }
}
