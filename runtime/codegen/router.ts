import type { Expression } from '../expressions/ast.ts'
import type { Row } from '../model/schema.ts'
import { refuseCondition } from './chain.ts'
import type { RowErrorHandler } from './contracts.ts'
import { compile, js, lines, type Code } from './emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter } from './expression.ts'

/** A condition: an expression, or a closure of the user that gives true or false. */
export type RouteCondition = { condition: Expression } | { call: (row: Row) => unknown }

/**
 * Distributes rows[0..count): a row goes to the first condition it meets, condition k to outs[k + 1], others to
 * outs[0].
 * `counts` says how many each holds; a row whose condition throws is left out.
 */
export type Router = (
  rows: readonly Row[],
  count: number,
  outs: Row[][],
  counts: number[],
  onError: RowErrorHandler,
) => void

export function compileRouter(conditions: readonly RouteCondition[], operatorId: string): Router {
  const calls = conditions.flatMap((condition, index) =>
    'call' in condition ? [[`call${index}`, condition.call] as const] : [],
  )
  return compile<Router>(
    'router',
    js`
      return function route(rows, count, outs, counts, onError) {
        let i = 0
        while (i < count) {
          try {
            for (; i < count; i++) {
              const r = rows[i]
              ${conditions.map(routeTo)}
              outs[0][counts[0]++] = r
            }
          } catch (error) {
            onError(error, rows[i], ${operatorId})
            i++
          }
        }
      }`,
    { ...EXPRESSION_SCOPE, refuseCondition, ...Object.fromEntries(calls) },
  )
}

/** Leaves the row with the condition that it meets. */
function routeTo(condition: RouteCondition, index: number): Code {
  return js`
    {
      ${declarePass(condition, index)}
      if (pass) {
        outs[${index + 1}][counts[${index + 1}]++] = r
        continue
      }
    }`
}

function declarePass(condition: RouteCondition, index: number): Code {
  if ('call' in condition)
    return js`
      const pass = call${index}(r)
      if (pass !== true && pass !== false) refuseCondition(pass)`
  const expressions = new ExpressionEmitter(js`r`)
  const test = expressions.emit(condition.condition)
  return lines([expressions.declarations(), js`const pass = ${test}`])
}
