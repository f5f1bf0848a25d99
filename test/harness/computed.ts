import { compileChainLoop } from '../../runtime/codegen/chain.ts'
import { compileRowClass } from '../../runtime/codegen/rows/row.ts'
import { parseExpression } from '../../runtime/expressions/parse.ts'
import { namedField, type Row, type Schema } from '../../runtime/model/schema.ts'
import { valueTypeText } from '../../runtime/model/value-type.ts'
import { schemaOf } from './formats.ts'

/** The value that generated code gives an expression over one row, and its type; throws what refuses the row. */
export function computed(
  text: string,
  types: Readonly<Record<string, string>>,
  row: Row,
): { type: string; value: unknown } {
  const schema = schemaOf(types)
  const value = parseExpression(text, schema)
  const output: Schema = { fields: [namedField('x', value)] }
  const loop = compileChainLoop([
    {
      kind: 'map',
      operatorId: 'm',
      fields: output.fields.map((field) => ({ field, value })),
      rowClass: compileRowClass(output),
    },
  ])
  const out: Row[] = []
  const Rows = compileRowClass(schema)
  loop([new Rows(...schema.fields.map(({ name }) => row[name]))], 1, out, (error) => {
    throw error
  })
  return { type: valueTypeText(value), value: out[0]?.['x'] }
}
