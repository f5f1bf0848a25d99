import type { Expression } from '../../expressions/ast.ts'
import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import { declareValue, isNumeric, unsupported, whenPresent, type AggregateCode } from './aggregate-code.ts'
import type { Column } from '../../memory/columns.ts'

/**
 * first, last, argMin, argMax: the value of one of the rows. Column a holds it, column b by what it was chosen.
 * Of equals, first, argMin and argMax keep the one that came first, last takes the newest.
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
  const [x, b] = [`x${index}`, `b${index}`]
  const [order, never] = aggregate.function === 'first' ? ['<', 'Infinity'] : ['>=', '-Infinity']
  return {
    columns: [valueColumn(argument, `a${index}`), { name: b, array: 'Float64Array' }],
    start: `t.a${index}[e] = ${noValue(argument)}; t.${b}[e] = ${never}`,
    declare: (code, emit) => {
      declareValue(code, x, aggregate.field.name, emit(argument), argument)
    },
    store: (code) => {
      code.line(
        whenPresent(
          argument,
          x,
          `if (time ${order} t.${b}[e]) { t.${b}[e] = time; t.a${index}[e] = ${kept(argument, x)} }`,
        ),
      )
    },
    combine: (code) => {
      code.line(
        `if (s.${b}[e] !== ${never} && s.${b}[e] ${order} t.${b}[d]) { t.${b}[d] = s.${b}[e]; t.a${index}[d] = s.a${index}[e] }`,
      )
    },
    result: argument.nullable ? `(t.${b}[e] === ${never} ? null : t.a${index}[e])` : `t.a${index}[e]`,
  }
}

/** Rows with a null `by` are skipped; the value may be null. */
function extremeRow(aggregate: Aggregate, argument: Expression, index: number): AggregateCode {
  const { by } = aggregate
  if (by === undefined) throw unsupported(aggregate, undefined)
  const [x, y, b] = [`x${index}`, `y${index}`, `b${index}`]
  const order = aggregate.function === 'argMin' ? '<' : '>'
  const isNumber = isNumeric(by)
  const never = !isNumber ? 'null' : aggregate.function === 'argMin' ? 'Infinity' : '-Infinity'
  const isNull =
    isNumeric(argument) && argument.nullable
      ? `(t.a${index}[e] === Infinity ? null : t.a${index}[e])`
      : `t.a${index}[e]`
  const better = (one: string, other: string): string =>
    isNumber ? `${one} ${order} ${other}` : `${one} !== null && (${other} === null || ${one} ${order} ${other})`
  return {
    columns: [valueColumn(argument, `a${index}`), { name: b, array: isNumber ? 'Float64Array' : 'Array' }],
    start: `t.a${index}[e] = ${noValue(argument)}; t.${b}[e] = ${never}`,
    declare: (code, emit) => {
      declareValue(code, x, aggregate.field.name, emit(argument), argument)
      declareValue(code, y, aggregate.field.name, emit(by), by)
    },
    store: (code) => {
      code.line(
        whenPresent(
          by,
          y,
          `if (${better(y, `t.${b}[e]`)}) { t.${b}[e] = ${kept(by, y)}; t.a${index}[e] = ${kept(argument, x)} }`,
        ),
      )
    },
    combine: (code) => {
      code.line(`if (${better(`s.${b}[e]`, `t.${b}[d]`)}) { t.${b}[d] = s.${b}[e]; t.a${index}[d] = s.a${index}[e] }`)
    },
    result: by.nullable ? `(t.${b}[e] === ${never} ? null : ${isNull})` : isNull,
  }
}

/** Numbers that may be null are stored as Infinity then, which no value is. */
function valueColumn(argument: Expression, name: string): Column {
  return { name, array: isNumeric(argument) ? 'Float64Array' : 'Array' }
}

function noValue(argument: Expression): string {
  return isNumeric(argument) ? 'Infinity' : 'null'
}

function kept(argument: Expression, variable: string): string {
  const copy = argument.type === 'string' ? `copyText(${variable})` : variable
  return argument.nullable ? `(${variable} === null ? ${noValue(argument)} : ${copy})` : copy
}
