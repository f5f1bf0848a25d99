import type { Expression } from '../expressions/ast.ts'
import { MillraceError } from '../model/errors.ts'
import type { Field, Row } from '../model/schema.ts'
import type { ChainLoop } from './contracts.ts'
import { compile, js, lines, NOTHING, type Code } from './emitter.ts'
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
  let last = 0
  const body = steps.flatMap((step, index) => {
    const from = last
    if (step.kind === 'map' || step.kind === 'userMap') last++
    return [index > 0 ? js`step = ${index}` : NOTHING, stepCode(step, index, from)]
  })
  const filters = steps.flatMap((step, index) => (isFilter(step) ? [index] : []))
  return compile<ChainLoop>(
    'chain',
    js`
      const dropped = new Float64Array(${steps.length})
      return Object.assign(function chain(rows, count, out, onError) {
        let n = 0, i = 0, step = 0
        ${filters.map((index) => js`let dropped${index} = 0`)}
        while (i < count) {
          try {
            for (; i < count; i++) {
              const r0 = rows[i]
              ${body}
              out[n++] = r${last}
              ${steps.length > 1 ? js`step = 0` : NOTHING}
            }
          } catch (error) {
            onError(error, rows[i], operatorIds[step])
            i++
            step = 0
          }
        }
        ${filters.map((index) => js`dropped[${index}] += dropped${index}`)}
        return n
      }, { dropped })`,
    {
      ...EXPRESSION_SCOPE,
      refuseCondition,
      operatorIds: steps.map((step) => step.operatorId),
      ...Object.fromEntries(steps.flatMap(scopeOf)),
    },
  )
}

/** What the code of a step refers to. */
function scopeOf(step: ChainStep, index: number): (readonly [string, unknown])[] {
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
}

/** Reads row r`from`; a step that maps makes the row after it. */
function stepCode(step: ChainStep, index: number, from: number): Code {
  switch (step.kind) {
    case 'filter':
      return filterStep(step.condition, index, from)
    case 'map':
      return mapStep(step.fields, index, from)
    case 'userFilter':
      return js`
        const pass${index} = call${index}(r${from})
        if (pass${index} !== true) {
          if (pass${index} !== false) refuseCondition(pass${index})
          ${leaveRow(index)}
        }`
    case 'userMap':
      return js`const r${from + 1} = make${index}(call${index}(r${from}))`
  }
}

function isFilter({ kind }: ChainStep): boolean {
  return kind === 'filter' || kind === 'userFilter'
}

/** Leaves this row out and continues with the next. */
function leaveRow(step: number): Code {
  return lines([js`dropped${step}++`, step === 0 ? NOTHING : js`step = 0`, js`continue`])
}

function filterStep(condition: Expression, step: number, row: number): Code {
  const expressions = new ExpressionEmitter(js`r${row}`)
  const test = expressions.emit(condition)
  // a block of its own keeps the temporaries of two steps over the same row apart
  return js`
    let pass${step}
    {
      ${expressions.declarations()}
      pass${step} = ${test}
    }
    if (!pass${step}) {
      ${leaveRow(step)}
    }`
}

function mapStep(fields: readonly { field: Field; value: Expression }[], step: number, from: number): Code {
  const expressions = new ExpressionEmitter(js`r${from}`)
  const values = fields.map(({ value }) => expressions.emit(value))
  const names = fields.map((_, index) => js`s${step}v${index}`)
  const declared = fields.flatMap(({ field, value }, index) => {
    const name = names[index] as Code
    const declaration = js`const ${name} = ${values[index] as Code}`
    // a field taken over as it is was checked where it was made
    if (value.kind === 'field' && value.type === field.type && (field.nullable || !value.nullable)) return [declaration]
    return [declaration, valueCheck(field, name, value)]
  })
  return js`
    let r${from + 1}
    {
      ${expressions.declarations()}
      ${declared}
      r${from + 1} = new Row${step}(${names})
    }`
}

/** Throws for a result of a user's condition that is neither true nor false. */
export function refuseCondition(value: unknown): never {
  if (value instanceof Promise) refusePromise(value)
  throw new MillraceError(
    'VALUE_INVALID',
    `the condition gave ${typeof value === 'object' && value !== null ? 'an object' : String(value)}, not true or false`,
    { domain: 'user' },
  )
}
