import type { Row, Schema } from '../../model/schema.ts'
import { compile, js, property } from '../emitter.ts'
import type { RowClass } from './row.ts'

/** Generates the function that gives a row with its rank behind its fields. */
export function compileRankRow({ fields }: Schema, rowClass: RowClass): (row: Row, rank: number) => Row {
  const values = fields.map(({ name }) => js`r${property(name)}`)
  return compile<(row: Row, rank: number) => Row>(
    'ranked row',
    js`return (r, rank) => new Row(${[...values, js`rank`]})`,
    {
      Row: rowClass,
    },
  )
}
