import type { Expression, ExpressionType } from './ast.ts'
import { checkExpression } from './check.ts'
import { expressionError } from './expression-error.ts'
import { parseSyntax } from './parse.ts'
import { suggestion } from './suggest.ts'
import { describeType } from './typing.ts'
import type { Schema } from '../model/schema.ts'

export const AGGREGATES = ['count', 'sum', 'min', 'max', 'avg'] as const
export type AggregateName = (typeof AGGREGATES)[number]

export interface ParsedAggregate {
  function: AggregateName
  /** Absent for count(). */
  argument?: Expression
  result: ExpressionType
}

/**
 * `count()` or `sum|min|max|avg(expression)` → checked. sum keeps long or double, avg is double, min and max keep
 * the argument's type; over a nullable argument the result is null when every value was null, as in SQL.
 * Errors as parseExpression, with AGGREGATE_INVALID where the form is wrong.
 */
export function parseAggregate(text: string, schema: Schema): ParsedAggregate {
  const call = parseSyntax(text)
  const usage = 'write count(), sum(x), min(x), max(x) or avg(x)'
  if (call.type !== 'CallExpression' || call.callee.type !== 'Identifier') {
    throw expressionError(text, call.start, 'AGGREGATE_INVALID', 'this is no aggregate', usage)
  }
  const { name } = call.callee
  const known = AGGREGATES.find((aggregate) => aggregate === name)
  if (known === undefined) throw expressionError(text, call.start, 'AGGREGATE_INVALID', `there is no aggregate ${name}`, suggestion(name, AGGREGATES))
  const [argument, ...more] = call.arguments
  if (known === 'count') {
    if (argument === undefined) return { function: known, result: { type: 'long', nullable: false } }
    throw expressionError(text, argument.start, 'AGGREGATE_INVALID', 'count() counts rows and takes nothing', 'to count values: sum(x !== null ? 1 : 0)')
  }
  if (argument === undefined || more.length > 0 || argument.type === 'SpreadElement') {
    throw expressionError(text, call.start, 'AGGREGATE_INVALID', `${known} takes one expression, not ${call.arguments.length}`, usage)
  }
  const checked = checkExpression(argument, text, schema)
  const result = resultOf(known, checked)
  if (result !== undefined) return { function: known, argument: checked, result }
  throw expressionError(text, argument.start, 'EXPRESSION_TYPE', `${known} does not take ${describeType(checked)}`,
    checked.type === 'string' || checked.type === 'json' ? `convert it: ${known}(Number(…))` : undefined)
}

function resultOf(name: Exclude<AggregateName, 'count'>, argument: ExpressionType): ExpressionType | undefined {
  const { type, nullable } = argument
  const isNumber = type === 'long' || type === 'double'
  if (name === 'avg') return isNumber ? { type: 'double', nullable } : undefined
  if (name === 'sum') return isNumber ? { type, nullable } : undefined
  return isNumber || type === 'timestamp' || type === 'string' ? { type, nullable } : undefined
}
