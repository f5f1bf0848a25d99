import type { Expression } from '../../expressions/ast.ts'
import type { Field } from '../../model/schema.ts'
import { js, lines, NOTHING, type Code } from '../emitter.ts'
import { ExpressionEmitter, valueCheck } from '../expression.ts'

/** The JavaScript variables that hold the rows, `left` and `right` of a pair. */
export type PairVariables = Readonly<Record<string, Code>>

/**
 * Statements that push the row of a pair to `out`; `more` are values behind the fields. The scope must hold Row and
 * EXPRESSION_SCOPE.
 */
export function pushPairRow(
  fields: readonly { field: Field; value: Expression }[],
  variables: PairVariables,
  more: readonly Code[] = [],
): Code {
  const expressions = new ExpressionEmitter(js`x`, variables)
  const values = fields.map(({ value }) => expressions.emit(value))
  const declared = fields.flatMap(({ field, value }, index) => [
    js`const f${index} = ${values[index] ?? null}`,
    // a field taken over as it is was checked where it was made
    value.kind === 'field' ? NOTHING : valueCheck(field, js`f${index}`, value),
  ])
  return js`
    ${expressions.declarations()}
    ${declared}
    out.push(new Row(${[...fields.map((_, index) => js`f${index}`), ...more]}))`
}

/** Statements that `continue` with the next pair unless the condition holds. */
export function skipOtherPairs(condition: Expression | undefined, variables: PairVariables): Code {
  if (condition === undefined) return NOTHING
  const expressions = new ExpressionEmitter(js`w`, variables)
  const test = expressions.emit(condition)
  return lines([expressions.declarations(), js`if (!(${test})) continue`])
}
