import type { Expression } from '../../expressions/ast.ts'
import type { Field } from '../../model/schema.ts'
import type { Emitter } from '../emitter.ts'
import { ExpressionEmitter, valueCheck } from '../expression.ts'

/** The JavaScript variables that hold the rows, `left` and `right` of a pair. */
export type PairVariables = Readonly<Record<string, string>>

/**
 * Pushes the row that comes of a pair to `out`; `more` are values behind the fields. The scope must hold Row and
 * EXPRESSION_SCOPE.
 */
export function emitPairRow(
  code: Emitter,
  fields: readonly { field: Field; value: Expression }[],
  variables: PairVariables,
  more: readonly string[] = [],
): void {
  const expressions = new ExpressionEmitter(code, 'x', variables)
  const values = fields.map(({ value }) => expressions.emit(value))
  const declared = expressions.declarations()
  if (declared !== '') code.line(declared)
  fields.forEach(({ field, value }, index) => {
    code.line(`const f${index} = ${values[index] ?? 'null'}`)
    // a field taken over as it is was checked where it was made
    if (value.kind === 'field') return
    const check = valueCheck(code, field, `f${index}`, value)
    if (check !== '') code.line(check)
  })
  code.line(`out.push(new Row(${[...fields.map((_, index) => `f${index}`), ...more].join(', ')}))`)
}

/** `continue`s with the next pair unless the condition holds. */
export function emitPairTest(code: Emitter, condition: Expression | undefined, variables: PairVariables): void {
  if (condition === undefined) return
  const expressions = new ExpressionEmitter(code, 'w', variables)
  const test = expressions.emit(condition)
  const declared = expressions.declarations()
  if (declared !== '') code.line(declared)
  code.line(`if (!(${test})) continue`)
}
