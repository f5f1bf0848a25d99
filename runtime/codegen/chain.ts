import type { Expression } from '../expressions/ast.ts'
import type { Field } from '../model/schema.ts'
import type { ChainLoop } from './contracts.ts'
import { Emitter } from './emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter, valueCheck } from './expression.ts'
import type { RowClass } from './row.ts'

export type ChainStep =
  | { kind: 'filter'; operatorId: string; condition: Expression }
  | { kind: 'map'; operatorId: string; fields: readonly { field: Field; value: Expression }[]; rowClass: RowClass }

/**
 * Generates one loop of a chain's stateless steps. The try stands around the loop, not the row, and the loop
 * is entered again after a bad row: the path of good rows pays nothing for it. What `onError` throws leaves
 * the loop. The row given to it is the one that came into the chain.
 */
export function compileChainLoop(steps: readonly ChainStep[]): ChainLoop {
  const code = new Emitter()
  code.line(`return function chain(rows, count, out, onError) {`)
  code.line(`let n = 0, i = 0, step = 0`)
  code.line(`while (i < count) { try { for (; i < count; i++) {`)
  code.line(`const r0 = rows[i]`)
  let row = 0
  steps.forEach((step, index) => {
    if (index > 0) code.line(`step = ${code.literal(index)}`)
    if (step.kind === 'filter') emitFilter(code, step.condition, `r${row}`, index)
    else emitMap(code, step.fields, row++, index)
  })
  code.line(`out[n++] = r${row}`)
  if (steps.length > 1) code.line(`step = 0`)
  code.line(`} } catch (error) { onError(error, rows[i], operatorIds[step]); i++; step = 0 } }`)
  code.line(`return n }`)
  const classes = steps.flatMap((step) => step.kind === 'map' ? [step.rowClass] : [])
  return code.compile<ChainLoop>({
    ...EXPRESSION_SCOPE,
    operatorIds: steps.map((step) => step.operatorId),
    ...Object.fromEntries(classes.map((rowClass, index) => [`Row${index + 1}`, rowClass])),
  })
}

function emitFilter(code: Emitter, condition: Expression, row: string, step: number): void {
  const expressions = new ExpressionEmitter(code, row)
  const test = expressions.emit(condition)
  // a label of its own keeps the temporaries of two steps over the same row apart
  code.line(`let pass${step}; { ${expressions.declarations()}`)
  code.line(`pass${step} = ${test} }`)
  code.line(step === 0 ? `if (!pass${step}) continue` : `if (!pass${step}) { step = 0; continue }`)
}

/** Reads row `from`, makes row `from + 1`. */
function emitMap(code: Emitter, fields: readonly { field: Field; value: Expression }[], from: number, step: number): void {
  const expressions = new ExpressionEmitter(code, `r${from}`)
  const values = fields.map(({ value }) => expressions.emit(value))
  const next = `r${from + 1}`
  code.line(`let ${next}; { ${expressions.declarations()}`)
  const names = fields.map((_, index) => `s${step}v${index}`)
  fields.forEach(({ field, value }, index) => {
    code.line(`const ${names[index]} = ${values[index]}`)
    // a field taken over as it is was checked where it was made
    if (value.kind === 'field' && value.type === field.type && (field.nullable || !value.nullable)) return
    const check = valueCheck(code, field, names[index] ?? '', value)
    if (check !== '') code.line(check)
  })
  code.line(`${next} = new Row${from + 1}(${names.join(', ')}) }`)
}
