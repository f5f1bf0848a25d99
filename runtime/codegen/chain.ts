import type { Expression } from '../expressions/ast.ts'
import { MillraceError } from '../model/errors.ts'
import type { Field, Row } from '../model/schema.ts'
import type { ChainLoop } from './contracts.ts'
import { Emitter } from './emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter, valueCheck } from './expression.ts'
import { refusePromise, type RowMaker } from './rows/row-maker.ts'
import type { RowClass } from './rows/row.ts'
import { withPartsInPlace } from './split-steps.ts'

export type ChainStep =
  | { kind: 'filter'; operatorId: string; condition: Expression }
  | { kind: 'map'; operatorId: string; fields: readonly { field: Field; value: Expression }[]; rowClass: RowClass }
  /** A closure of the user; anything but true and false is an error of the row. */
  | { kind: 'userFilter'; operatorId: string; call: (row: Row) => unknown }
  /** A closure of the user; `make` checks what it gives. */
  | { kind: 'userMap'; operatorId: string; call: (row: Row) => unknown; make: RowMaker }

/**
 * Generates one loop of a chain's stateless steps, closures of the user as parameters. The try stands around the loop,
 * not the row, and the loop is entered again after a bad row: the path of good rows pays nothing for it. What `onError`
 * throws leaves the loop. The row given to it is the one that came into the chain.
 */
export function compileChainLoop(written: readonly ChainStep[]): ChainLoop {
  const steps = withPartsInPlace(written)
  const code = new Emitter()
  code.line(`return function chain(rows, count, out, onError) {`)
  code.line(`let n = 0, i = 0, step = 0`)
  code.line(`while (i < count) { try { for (; i < count; i++) {`)
  code.line(`const r0 = rows[i]`)
  let row = 0
  steps.forEach((step, index) => {
    if (index > 0) code.line(`step = ${code.literal(index)}`)
    switch (step.kind) {
      case 'filter':
        emitFilter(code, step.condition, `r${row}`, index)
        break
      case 'map':
        emitMap(code, step.fields, row++, index)
        break
      case 'userFilter':
        code.line(`const pass${index} = call${index}(r${row})`)
        code.line(
          `if (pass${index} !== true) { if (pass${index} !== false) refuseCondition(pass${index}); ${leaveRow(index)} }`,
        )
        break
      case 'userMap':
        code.line(`const r${row + 1} = make${index}(call${index}(r${row++}))`)
        break
    }
  })
  code.line(`out[n++] = r${row}`)
  if (steps.length > 1) code.line(`step = 0`)
  code.line(`} } catch (error) { onError(error, rows[i], operatorIds[step]); i++; step = 0 } }`)
  code.line(`return n }`)
  return code.compile<ChainLoop>({
    ...EXPRESSION_SCOPE,
    refuseCondition,
    operatorIds: steps.map((step) => step.operatorId),
    ...Object.fromEntries(
      steps.flatMap((step, index): [string, unknown][] => {
        switch (step.kind) {
          case 'filter':
            return []
          case 'map':
            return [[`Row${index}`, step.rowClass]]
          case 'userFilter':
            return [[`call${index}`, step.call]]
          case 'userMap':
            return [
              [`call${index}`, step.call],
              [`make${index}`, step.make],
            ]
        }
      }),
    ),
  })
}

/** Leaves this row out and goes on with the next. */
function leaveRow(step: number): string {
  return step === 0 ? 'continue' : 'step = 0; continue'
}

/** What a condition of the user gave that is neither true nor false. */
export function refuseCondition(value: unknown): never {
  if (value instanceof Promise) refusePromise(value)
  throw new MillraceError(
    'VALUE_INVALID',
    `the condition gave ${typeof value === 'object' && value !== null ? 'an object' : String(value)}, not true or false`,
    { domain: 'user' },
  )
}

function emitFilter(code: Emitter, condition: Expression, row: string, step: number): void {
  const expressions = new ExpressionEmitter(code, row)
  const test = expressions.emit(condition)
  // a label of its own keeps the temporaries of two steps over the same row apart
  code.line(`let pass${step}; { ${expressions.declarations()}`)
  code.line(`pass${step} = ${test} }`)
  code.line(`if (!pass${step}) { ${leaveRow(step)} }`)
}

/** Reads row `from`, makes row `from + 1`. */
function emitMap(
  code: Emitter,
  fields: readonly { field: Field; value: Expression }[],
  from: number,
  step: number,
): void {
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
  code.line(`${next} = new Row${step}(${names.join(', ')}) }`)
}
