import type { Expression } from '../../expressions/ast.ts'
import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import { type AggregateCode, declareValue, textOrder, unsupported, whenPresent } from './aggregate-code.ts'
import { type Code, js, lines } from '../emitter.ts'
import type { GeneratedColumn } from '../keys/key-columns.ts'
import { storageOf } from '../../model/type-traits.ts'

/**
 * first, last, argMin, argMax: the value of one of the rows. Column a holds it, column b by what it was chosen.
 * When several are equal, first, argMin and argMax keep the earliest, last takes the newest.
 */
export function rowAggregate(aggregate: Aggregate, index: number): AggregateCode {
  const { argument } = aggregate
  if (argument === undefined) throw unsupported(aggregate, undefined)
  return aggregate.function === 'argMin' || aggregate.function === 'argMax'
    ? extremeRow(aggregate, argument, index)
    : endRow(aggregate, argument, index)
}

/** first and last: by `time`, which is the row's event time, or a constant where rows count in the order of arrival. */
function endRow(aggregate: Aggregate, argument: Expression, index: number): AggregateCode {
  const value = js`x${index}`
  const [order, never] = aggregate.function === 'first' ? [js`<`, js`Infinity`] : [js`>=`, js`-Infinity`]
  return {
    columns: [valueColumn(argument, `a${index}`), { name: `b${index}`, array: 'Float64Array' }],
    start: js`
      t.a${index}[e] = ${noValue(argument)}
      t.b${index}[e] = ${never}`,
    declare: (emit) => declareValue(value, aggregate.field.name, emit(argument), argument),
    store: whenPresent(
      argument,
      value,
      js`
        if (time ${order} t.b${index}[e]) {
          t.b${index}[e] = time
          t.a${index}[e] = ${kept(argument, value)}
        }`,
    ),
    combine: js`
      if (s.b${index}[e] !== ${never} && s.b${index}[e] ${order} t.b${index}[d]) {
        t.b${index}[d] = s.b${index}[e]
        t.a${index}[d] = s.a${index}[e]
      }`,
    result: argument.nullable ? js`(t.b${index}[e] === ${never} ? null : t.a${index}[e])` : js`t.a${index}[e]`,
  }
}

/** Rows with a null `by` are skipped; the value may be null. */
function extremeRow(aggregate: Aggregate, argument: Expression, index: number): AggregateCode {
  const { by } = aggregate
  if (by === undefined) throw unsupported(aggregate, undefined)
  const [value, rank] = [js`x${index}`, js`y${index}`]
  const order = aggregate.function === 'argMin' ? js`<` : js`>`
  const isNumber = storageOf(by) === 'number'
  const never = !isNumber ? js`null` : aggregate.function === 'argMin' ? js`Infinity` : js`-Infinity`
  const stored =
    storageOf(argument) === 'number' && argument.nullable
      ? js`(t.a${index}[e] === Infinity ? null : t.a${index}[e])`
      : js`t.a${index}[e]`
  const isBetter = (one: Code, other: Code): Code =>
    isNumber
      ? js`${one} ${order} ${other}`
      : js`${one} !== null && (${other} === null || ${textOrder(by, one, order, other)})`
  return {
    columns: [valueColumn(argument, `a${index}`), { name: `b${index}`, array: isNumber ? 'Float64Array' : 'Array' }],
    start: js`
      t.a${index}[e] = ${noValue(argument)}
      t.b${index}[e] = ${never}`,
    declare: (emit) =>
      lines([
        declareValue(value, aggregate.field.name, emit(argument), argument),
        declareValue(rank, aggregate.field.name, emit(by), by),
      ]),
    store: whenPresent(
      by,
      rank,
      js`
        if (${isBetter(rank, js`t.b${index}[e]`)}) {
          t.b${index}[e] = ${kept(by, rank)}
          t.a${index}[e] = ${kept(argument, value)}
        }`,
    ),
    combine: js`
      if (${isBetter(js`s.b${index}[e]`, js`t.b${index}[d]`)}) {
        t.b${index}[d] = s.b${index}[e]
        t.a${index}[d] = s.a${index}[e]
      }`,
    result: by.nullable ? js`(t.b${index}[e] === ${never} ? null : ${stored})` : stored,
  }
}

/** Numbers that may be null are stored as Infinity then, which no value is. */
function valueColumn(argument: Expression, name: string): GeneratedColumn {
  return { name, array: storageOf(argument) === 'number' ? 'Float64Array' : 'Array' }
}

function noValue(argument: Expression): Code {
  return storageOf(argument) === 'number' ? js`Infinity` : js`null`
}

function kept(argument: Expression, variable: Code): Code {
  const copy = storageOf(argument) === 'text' ? js`copyText(${variable})` : variable
  return argument.nullable ? js`(${variable} === null ? ${noValue(argument)} : ${copy})` : copy
}
