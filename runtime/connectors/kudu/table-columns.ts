import { MillraceError } from '../../model/errors.ts'
import type { Field, Schema } from '../../model/schema.ts'
import type { TableKey } from '../../ports/table.ts'
import { suggestion } from '../../expressions/suggest.ts'
import type { KuduTable } from './client.ts'
import { cellReader, cellWriter, typesDiffer, type CellOf, type KuduColumn, type ValueOfCell } from './columns.ts'

export interface ReadColumn {
  readonly field: Field
  readonly column: KuduColumn
  readonly valueOf: ValueOfCell
}

/** The columns that the fields are read from, in the order of the fields. Throws COLUMN_MISSING, KUDU_TYPE_MISMATCH. */
export function columnsToRead(table: KuduTable, { fields }: Schema): ReadColumn[] {
  return fields.map((field) => {
    const column = columnOf(table, field)
    const valueOf = cellReader(field, column)
    if (valueOf === undefined) throw typesDiffer(table.name, field, column)
    return { field, column, valueOf }
  })
}

export interface WrittenColumn {
  readonly column: KuduColumn
  /** The field that fills it. */
  readonly field: Field
  readonly cellOf: CellOf
}

/**
 * The columns that the fields are written to, in the order of the table. `needs` says which columns must have a field.
 * Throws COLUMN_MISSING, KUDU_TYPE_MISMATCH.
 */
export function columnsToWrite(
  table: KuduTable,
  { fields }: Schema,
  needs: 'keys' | 'keys and values',
): WrittenColumn[] {
  const byName = new Map(fields.map((field) => [field.name, field]))
  for (const field of fields) columnOf(table, field)
  return table.columns.flatMap((column) => {
    if (needs === 'keys' && !column.isKey) return []
    const field = byName.get(column.name)
    if (field === undefined) {
      if (!column.isKey) return []
      throw new MillraceError(
        'COLUMN_MISSING',
        `the key column ${column.name} of the Kudu table ${table.name} has no field`,
        {
          domain: 'user',
          hint: `Give the rows a field ${column.name}, for example with set.`,
        },
      )
    }
    const cellOf = cellWriter(field, column)
    if (cellOf === undefined) throw typesDiffer(table.name, field, column)
    return [{ column, field, cellOf }]
  })
}

export interface AskedColumn {
  readonly column: KuduColumn
  readonly cellOf: CellOf
}

/** The columns that rows are looked up by, in that order. Throws COLUMN_MISSING, KUDU_TYPE_MISMATCH. */
export function columnsToAsk(table: KuduTable, key: readonly TableKey[]): AskedColumn[] {
  return key.map(({ column: name, field }) => {
    const column = columnOf(table, { name })
    const cellOf = cellWriter(field, column)
    if (cellOf === undefined) throw typesDiffer(table.name, field, column)
    return { column, cellOf }
  })
}

function columnOf(table: KuduTable, { name }: Pick<Field, 'name'>): KuduColumn {
  const column = table.columns.find((known) => known.name === name)
  if (column !== undefined) return column
  const hint = suggestion(
    name,
    table.columns.map((known) => known.name),
  )
  throw new MillraceError('COLUMN_MISSING', `the Kudu table ${table.name} has no column ${name}`, {
    domain: 'user',
    ...(hint === undefined ? {} : { hint }),
  })
}
