import type { Expression } from '../../expressions/ast.ts'
import type { Field, Row } from '../../model/schema.ts'
import { Emitter } from '../emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter, valueCheck } from '../expression.ts'
import type { RowClass } from '../rows/row.ts'

/** The row that stands for two of one key; throws VALUE_INVALID where a value does not fit its field. */
export type Reducer = (previous: Row, current: Row) => Row

export function compileReducer(fields: readonly { field: Field; value: Expression }[], rowClass: RowClass): Reducer {
  const body = new Emitter()
  const expressions = new ExpressionEmitter(body, 'c', { previous: 'p', current: 'c' })
  fields.forEach(({ field, value }, index) => {
    body.line(`const v${index} = ${expressions.emit(value)}`)
    if (value.kind === 'field' && value.type === field.type) return
    const check = valueCheck(body, field, `v${index}`, value)
    if (check !== '') body.line(check)
  })
  body.line(`return new Row(${fields.map((_, index) => `v${index}`).join(', ')})`)
  const code = new Emitter()
  code.line(`return function reduce(p, c) { ${expressions.declarations()}`)
  code.line(body.text())
  code.line(`}`)
  return code.compile<Reducer>({ ...EXPRESSION_SCOPE, Row: rowClass })
}
