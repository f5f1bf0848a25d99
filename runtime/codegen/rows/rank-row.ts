import type { Row, Schema } from '../../model/schema.ts'
import { Emitter } from '../emitter.ts'
import type { RowClass } from './row.ts'

/** Generates the function that gives a row with its rank behind its fields. */
export function compileRankRow(schema: Schema, rowClass: RowClass): (row: Row, rank: number) => Row {
  const code = new Emitter()
  code.line(
    `return (r, rank) => new Row(${[...schema.fields.map((field) => `r${code.property(field.name)}`), 'rank'].join(', ')})`,
  )
  return code.compile<(row: Row, rank: number) => Row>({ Row: rowClass })
}
