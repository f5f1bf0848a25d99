import type { Row } from '../model/schema.ts'
import type { BroadcastVerb } from '../graph/verbs/broadcast.ts'
import type { RowErrorHandler } from './contracts.ts'
import { Emitter } from './emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter } from './expression.ts'
import { emitPairRow, emitPairTest } from './rows/pair-row.ts'
import type { RowClass } from './rows/row.ts'

export interface BroadcastCode {
  /**
   * Puts each of events[from..count) to `out` once per rule that holds for it, all of an event or nothing; stops early
   * when `out` is full and returns where to go on.
   */
  match(
    events: readonly Row[],
    from: number,
    count: number,
    rules: readonly Row[],
    out: Row[],
    onError: RowErrorHandler,
  ): number
  /** Whether a rule takes one away. */
  removes(rule: Row): boolean
}

/** `out` is full at so many rows. */
const OUT_ROWS = 2048

export function compileBroadcast(verb: BroadcastVerb, outputRowClass: RowClass, operatorId: string): BroadcastCode {
  const code = new Emitter()
  code.line(`function match(events, i, count, rules, out, onError) {`)
  code.line(`for (; i < count && out.length < ${OUT_ROWS}; i++) { const l = events[i], mark = out.length; try {`)
  code.line(`for (let n = 0; n < rules.length; n++) { const r = rules[n]`)
  emitPairTest(code, verb.where, { left: 'l', right: 'r' })
  emitPairRow(code, verb.fields, { left: 'l', right: 'r' })
  code.line(`} } catch (error) { out.length = mark; onError(error, l, operatorId) } }`)
  code.line(`return i }`)
  const expressions = new ExpressionEmitter(code, 'x', { right: 'r' })
  const test = verb.remove === undefined ? 'false' : expressions.emit(verb.remove)
  code.line(`function removes(r) { ${expressions.declarations()}`)
  code.line(`return ${test} === true }`)
  code.line(`return { match, removes }`)
  return code.compile<BroadcastCode>({ ...EXPRESSION_SCOPE, Row: outputRowClass, operatorId })
}
