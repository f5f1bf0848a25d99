import type { Expression } from '../../expressions/ast.ts'
import type { Field, Row } from '../../model/schema.ts'
import { compile, js, NOTHING } from '../emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter, valueCheck } from '../expression.ts'
import type { RowClass } from '../rows/row.ts'

/** The row that stands for two of one key; throws VALUE_INVALID where a value does not fit its field. */
export type Reducer = (previous: Row, current: Row) => Row

export function compileReducer(fields: readonly { field: Field; value: Expression }[], rowClass: RowClass): Reducer {
  const expressions = new ExpressionEmitter(js`c`, { previous: js`p`, current: js`c` })
  const values = fields.flatMap(({ field, value }, index) => [
    js`const v${index} = ${expressions.emit(value)}`,
    value.kind === 'field' && value.type === field.type ? NOTHING : valueCheck(field, js`v${index}`, value),
  ])
  return compile<Reducer>(
    'reducer',
    js`
      return function reduce(p, c) {
        ${expressions.declarations()}
        ${values}
        return new Row(${fields.map((_, index) => js`v${index}`)})
      }`,
    { ...EXPRESSION_SCOPE, Row: rowClass },
  )
}
