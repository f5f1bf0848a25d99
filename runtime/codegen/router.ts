import type { Expression } from '../expressions/ast.ts'
import type { Row } from '../model/schema.ts'
import { refuseCondition } from './chain.ts'
import type { RowErrorHandler } from './contracts.ts'
import { Emitter } from './emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter } from './expression.ts'

/** A condition: an expression, or a closure of the user that gives true or false. */
export type RouteCondition = { condition: Expression } | { call: (row: Row) => unknown }

/**
 * Deals rows[0..count): a row goes to the first condition it meets, condition k to outs[k + 1], others to outs[0].
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
  const code = new Emitter()
  code.line(`return function route(rows, count, outs, counts, onError) {`)
  code.line(`let i = 0`)
  code.line(`while (i < count) { try { for (; i < count; i++) {`)
  code.line(`const r = rows[i]`)
  conditions.forEach((condition, index) => {
    code.line(`{`)
    code.line(testOf(code, condition, index))
    code.line(`if (pass) { outs[${index + 1}][counts[${index + 1}]++] = r; continue } }`)
  })
  code.line(`outs[0][counts[0]++] = r`)
  code.line(`} } catch (error) { onError(error, rows[i], ${code.literal(operatorId)}); i++ } } }`)
  const calls = conditions.flatMap((condition, index) =>
    'call' in condition ? [[`call${index}`, condition.call] as const] : [],
  )
  return code.compile<Router>({ ...EXPRESSION_SCOPE, refuseCondition, ...Object.fromEntries(calls) })
}

function testOf(code: Emitter, condition: RouteCondition, index: number): string {
  if ('call' in condition)
    return `const pass = call${index}(r); if (pass !== true && pass !== false) refuseCondition(pass)`
  const expressions = new ExpressionEmitter(code, 'r')
  const test = expressions.emit(condition.condition)
  return `${expressions.declarations()}\nconst pass = ${test}`
}
