import type { Row } from '../model/schema.ts'
import type { BroadcastVerb } from '../graph/verbs/broadcast.ts'
import type { RowErrorHandler } from './contracts.ts'
import { compile, js } from './emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter } from './expression.ts'
import { pushPairRow, skipOtherPairs } from './rows/pair-row.ts'
import type { RowClass } from './rows/row.ts'

export interface BroadcastCode {
  /**
   * Puts each of events[from..count) to `out` once per rule that holds for it, all of an event or nothing; stops early
   * when `out` is full and returns where to continue.
   */
  match(
    events: readonly Row[],
    from: number,
    count: number,
    rules: readonly Row[],
    out: Row[],
    onError: RowErrorHandler,
  ): number
  /** Whether a rule removes the rule of its key. */
  removes(rule: Row): boolean
}

/** `out` is full at so many rows. */
const OUT_ROWS = 2048

export function compileBroadcast(verb: BroadcastVerb, outputRowClass: RowClass, operatorId: string): BroadcastCode {
  const variables = { left: js`l`, right: js`r` }
  const expressions = new ExpressionEmitter(js`x`, { right: js`r` })
  const isRemoval = verb.remove === undefined ? js`false` : expressions.emit(verb.remove)
  return compile<BroadcastCode>(
    'broadcast',
    js`
      function match(events, i, count, rules, out, onError) {
        for (; i < count && out.length < ${OUT_ROWS}; i++) {
          const l = events[i], mark = out.length
          try {
            for (let n = 0; n < rules.length; n++) {
              const r = rules[n]
              ${skipOtherPairs(verb.where, variables)}
              ${pushPairRow(verb.fields, variables)}
            }
          } catch (error) {
            out.length = mark
            onError(error, l, operatorId)
          }
        }
        return i
      }
      function removes(r) {
        ${expressions.declarations()}
        return ${isRemoval} === true
      }
      return { match, removes }`,
    { ...EXPRESSION_SCOPE, Row: outputRowClass, operatorId },
  )
}
