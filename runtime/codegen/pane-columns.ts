import { MillraceError } from '../model/errors.ts'
import type { Field } from '../model/schema.ts'
import type { Aggregate } from '../plan/job-graph.ts'
import { valueCheck } from './expression.ts'
import type { Emitter } from './emitter.ts'

/**
 * One column of a pane table. Numbers lie in typed arrays, so state puts no changing number on the heap;
 * only min and max of strings are arrays of (copied) strings.
 */
export interface Column { name: string; array: 'Float64Array' | 'Int32Array' | 'Uint8Array' | 'Array' }

/**
 * How a key field lies in columns: numbers in k (null: Infinity, which no finite key is), booleans in k
 * (null: 2), strings as offset o and length l (null: -1) into the table's text.
 */
export function keyColumns(keys: readonly Field[]): Column[] {
  return keys.flatMap((field, index): Column[] => {
    switch (field.type) {
      case 'string': return [{ name: `o${index}`, array: 'Int32Array' }, { name: `l${index}`, array: 'Int32Array' }]
      case 'boolean': return [{ name: `k${index}`, array: 'Uint8Array' }]
      default: return [{ name: `k${index}`, array: 'Float64Array' }]
    }
  })
}

/** The columns of the aggregates: a for the value, c for how many values avg has seen. */
export function aggregateColumns(aggregates: readonly Aggregate[]): Column[] {
  return aggregates.flatMap((aggregate, index): Column[] => [
    { name: `a${index}`, array: isTextual(aggregate) ? 'Array' : 'Float64Array' },
    ...(aggregate.function === 'avg' ? [{ name: `c${index}`, array: 'Float64Array' } as const] : []),
  ])
}

/** True for min and max of strings. Throws AGGREGATE_TYPE_UNSUPPORTED for what no aggregate takes. */
export function isTextual(aggregate: Aggregate): boolean {
  if (aggregate.function === 'count') return false
  const type = aggregate.argument?.type
  const isExtremum = aggregate.function === 'min' || aggregate.function === 'max'
  if (type === 'string' && isExtremum) return true
  if (type === 'long' || type === 'double' || (type === 'timestamp' && isExtremum)) return false
  throw new MillraceError('AGGREGATE_TYPE_UNSUPPORTED', `${aggregate.function} of ${type ?? 'nothing'} is not supported (field '${aggregate.field.name}')`, { domain: 'user' })
}

/** sum of a nullable argument starts as NaN, "no value yet"; min and max start at the infinity no value reaches. */
export function initialValue(aggregate: Aggregate): string {
  switch (aggregate.function) {
    case 'count': case 'avg': return '0'
    case 'sum': return aggregate.argument?.nullable === true ? 'NaN' : '0'
    case 'min': return isTextual(aggregate) ? 'null' : 'Infinity'
    case 'max': return isTextual(aggregate) ? 'null' : '-Infinity'
  }
}

/** The test that a sum, in the variable, is no longer exact (long) or no longer finite (double). */
function beyond(aggregate: Aggregate, variable: string): string {
  return aggregate.argument?.type === 'long' ? `(${variable} > 9007199254740991 || ${variable} < -9007199254740991)` : `(${variable} - ${variable} !== 0)`
}

/**
 * Statements that compute, from the argument in `x`, what is to be stored for entry e of table t, and throw
 * before anything is stored: a row is added to all its aggregates or to none.
 */
export function emitPrepare(code: Emitter, aggregate: Aggregate, index: number): void {
  if (aggregate.function !== 'sum' && aggregate.function !== 'avg') return
  const x = `x${index}`
  const sum = `n${index}`
  const plain = aggregate.function === 'sum' && aggregate.argument?.nullable === true
    ? `(${sum} = t.a${index}[e], ${sum} !== ${sum} ? ${x} : ${sum} + ${x})` : `t.a${index}[e] + ${x}`
  code.line(`let ${sum} = 0`)
  const check = aggregate.function === 'sum' ? beyond(aggregate, sum) : `(${sum} - ${sum} !== 0)`
  const body = `${sum} = ${plain}; if ${check} refuseSum(${code.literal(aggregate.field.name)}, t.a${index}[e], ${x})`
  code.line(aggregate.argument?.nullable === true ? `if (${x} !== null) { ${body} }` : body)
}

/** Statements that store what emitPrepare computed. */
export function emitStore(code: Emitter, aggregate: Aggregate, index: number): void {
  const x = `x${index}`
  const cell = `t.a${index}[e]`
  const body = storeBody(aggregate, index, x, cell)
  code.line(aggregate.argument?.nullable === true ? `if (${x} !== null) { ${body} }` : body)
}

function storeBody(aggregate: Aggregate, index: number, x: string, cell: string): string {
  const order = aggregate.function === 'min' ? '<' : '>'
  switch (aggregate.function) {
    case 'count': return `${cell}++`
    case 'sum': return `${cell} = n${index}`
    case 'avg': return `${cell} = n${index}; t.c${index}[e]++`
    case 'min': case 'max':
      return isTextual(aggregate) ? `if (${cell} === null || ${x} ${order} ${cell}) ${cell} = copyText(${x})` : `if (${x} ${order} ${cell}) ${cell} = ${x}`
  }
}

/** Declares `x`, the checked argument; -0 becomes 0, so that equal values give equal results. */
export function emitArgument(code: Emitter, aggregate: Aggregate, index: number, value: string): void {
  const { argument } = aggregate
  if (argument === undefined) return
  const x = `x${index}`
  const isNumber = argument.type === 'long' || argument.type === 'double' || argument.type === 'timestamp'
  code.line(`let ${x} = ${value}`)
  if (argument.kind !== 'field') {
    const check = valueCheck(code, { ...aggregate.field, type: argument.type, nullable: argument.nullable }, x, argument)
    if (check !== '') code.line(check)
  }
  if (isNumber) code.line(argument.nullable ? `if (${x} !== null) ${x} += 0` : `${x} += 0`)
}

/** Adds entry e of table s to entry d of table t. A sum that stops being exact becomes and stays Infinity. */
export function emitCombine(code: Emitter, aggregate: Aggregate, index: number): void {
  const mine = `t.a${index}[d]`
  const other = `s.a${index}[e]`
  const order = aggregate.function === 'min' ? '<' : '>'
  switch (aggregate.function) {
    case 'count': code.line(`${mine} += ${other}`); return
    case 'avg': code.line(`${mine} += ${other}; t.c${index}[d] += s.c${index}[e]`); return
    case 'sum':
      code.line(`if (${other} === ${other}) { const sum = ${mine} === ${mine} ? ${mine} + ${other} : ${other}`)
      code.line(`${mine} = ${beyond(aggregate, 'sum')} ? Infinity : sum }`)
      return
    case 'min': case 'max':
      if (isTextual(aggregate)) code.line(`if (${other} !== null && (${mine} === null || ${other} ${order} ${mine})) ${mine} = ${other}`)
      else code.line(`if (${other} ${order} ${mine}) ${mine} = ${other}`)
  }
}

/** The value of the output field for entry e of table t. */
export function aggregateResult(aggregate: Aggregate, index: number): string {
  const cell = `t.a${index}[e]`
  const maybeEmpty = aggregate.argument?.nullable === true
  switch (aggregate.function) {
    case 'count': return cell
    case 'avg': return maybeEmpty ? `(t.c${index}[e] === 0 ? null : ${cell} / t.c${index}[e])` : `${cell} / t.c${index}[e]`
    case 'sum': return maybeEmpty ? `(${cell} !== ${cell} ? null : ${cell})` : cell
    case 'min': case 'max':
      return maybeEmpty && !isTextual(aggregate) ? `(${cell} === ${initialValue(aggregate)} ? null : ${cell})` : cell
  }
}
