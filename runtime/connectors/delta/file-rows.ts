import { compileRowClass, type RowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import { parseJson } from './json-column.ts'
import { fieldOf, type Field, type Row, type Schema } from '../../model/schema.ts'
import type { DataFile } from './log-actions.ts'
import { partitionValue } from './partition-values.ts'
import type { TableColumn } from './table-schema.ts'

/** How rows of the job come from the rows of a table's files. */
export interface FileRows {
  /** The columns that a file has: no partition columns, and JSON as its text. */
  readonly schema: Schema
  readonly rowClass: RowClass
  /** The row of the job. Throws RECORD_INVALID. */
  rowOf(file: DataFile, row: Row): Row
}

type ValueOfFile = (file: DataFile, row: Row) => unknown

export function fileRows(
  schema: Schema,
  rows: RowClass,
  columns: readonly TableColumn[],
  partitionColumns: readonly string[],
): FileRows {
  const isText = ({ name }: Field): boolean => columns.find((column) => column.name === name)?.type === 'string'
  const isParsed = (field: Field): boolean => field.type === 'json' && isText(field)
  const inFile = schema.fields.filter(({ name }) => !partitionColumns.includes(name))
  const fileSchema: Schema = {
    fields: inFile.map((field) =>
      isParsed(field) ? { name: field.name, type: 'string', nullable: field.nullable } : field,
    ),
  }
  if (inFile.length === schema.fields.length && !inFile.some(isParsed))
    return { schema: fileSchema, rowClass: rows, rowOf: (_, row) => row }
  const values = schema.fields.map((field): ValueOfFile => {
    if (fieldOf(fileSchema, field.name) === undefined)
      return (file) => partitionValue(field, file.partitionValues.get(field.name) ?? null)
    return isParsed(field) ? (_, row) => parseJson(field, row[field.name]) : (_, row) => row[field.name]
  })
  return {
    schema: fileSchema,
    rowClass: compileRowClass(fileSchema),
    rowOf: (file, row) => new rows(...values.map((valueOf) => valueOf(file, row))),
  }
}

/** Throws DELTA_FEATURE_UNKNOWN for a file of which some rows are deleted. */
export function checkFile(table: string, { path, deletionVector }: DataFile): void {
  if (deletionVector === undefined) return
  throw new MillraceError(
    'DELTA_FEATURE_UNKNOWN',
    `${path} of the Delta table ${table} has a deletion vector, which is not supported`,
    {
      domain: 'user',
      hint: "rewrite the file: REORG TABLE … APPLY (PURGE), and set 'delta.enableDeletionVectors' = false",
    },
  )
}
