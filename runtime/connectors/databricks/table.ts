import { clipped } from '../../model/clipped.ts'
import { MillraceError } from '../../model/errors.ts'
import { isFields, membersOf } from '../../model/fields.ts'
import type { Schema } from '../../model/schema.ts'
import { valueTypeText } from '../../model/value-type.ts'
import { columnTypeOf } from './declaration.ts'
import type { DatabricksService } from './service.ts'
import { quoted, quotedTable } from './sql.ts'

export interface Column {
  readonly name: string
  /** As Unity Catalog writes it, without blanks: `decimal(10,2)`. */
  readonly type: string
  readonly nullable: boolean
}

export interface Table {
  readonly id: string
  readonly columns: readonly Column[]
}

/**
 * Asks Unity Catalog what the table is. Rejects with DATABRICKS_TABLE_MISSING, and with DATABRICKS_TABLE_UNFIT for what is
 * no Delta table. Source: "Tables" of the REST reference (docs.databricks.com/api/workspace/tables/get).
 */
export async function tableOf(service: DatabricksService, name: string, make: string): Promise<Table> {
  const path = `/api/2.1/unity-catalog/tables/${encodeURIComponent(name)}`
  const answer = await service.ask({ method: 'GET', path })
  if (answer.status === 404)
    throw new MillraceError(
      'DATABRICKS_TABLE_MISSING',
      `the Databricks at ${service.url} has no table ${name}, or the login of the job may not see it`,
      { domain: 'user', hint: make },
    )
  if (answer.status !== 200) throw service.refused(answer)
  let value: unknown
  try {
    value = JSON.parse(answer.body)
  } catch (cause) {
    throw service.unreadable(path, answer.body, cause)
  }
  const { table_id: id, columns, data_source_format: format, table_type: type } = membersOf(value)
  if (format !== 'DELTA')
    throw new MillraceError(
      'DATABRICKS_TABLE_UNFIT',
      `${name} is a ${clipped(String(type))} of the format ${clipped(String(format))}`,
      { domain: 'user', hint: 'name a Delta table' },
    )
  if (typeof id !== 'string' || !Array.isArray(columns) || !columns.every(isFields))
    throw service.unreadable(path, answer.body)
  return {
    id,
    columns: columns.map((column) => ({
      name: String(column['name']),
      type: String(column['type_text']).replaceAll(' ', '').toLowerCase(),
      nullable: column['nullable'] !== false,
    })),
  }
}

/** Throws SCHEMA_MISMATCH where rows do not fit: the sink changes no column. */
export function checkFits(name: string, { columns }: Table, schema: Schema): void {
  const byName = new Map(columns.map((column) => [column.name.toLowerCase(), column]))
  for (const field of schema.fields) {
    const column = byName.get(field.name.toLowerCase())
    const wanted = columnTypeOf(field) ?? ''
    if (column === undefined)
      throw mismatch(
        `the table ${name} has no column ${field.name}`,
        `ALTER TABLE ${quotedTable(name)} ADD COLUMN ${quoted(field.name)} ${wanted}, or leave the field out`,
      )
    if (column.type !== wanted)
      throw mismatch(
        `the column ${column.name} of the table ${name} is ${clipped(column.type)}, and the field is ${valueTypeText(field)}`,
        `the field would need a column of type ${wanted}`,
      )
    if (field.nullable && !column.nullable)
      throw mismatch(
        `the column ${column.name} of the table ${name} may not be null, and the field may`,
        'filter rows without it, and declare the field as not nullable',
      )
  }
  const given = new Set(schema.fields.map((field) => field.name.toLowerCase()))
  const unfilled = columns.find((column) => !column.nullable && !given.has(column.name.toLowerCase()))
  if (unfilled !== undefined)
    throw mismatch(
      `the column ${unfilled.name} of the table ${name} may not be null, and the rows have no such field`,
      'add the field to the rows, or let the column be null',
    )
}

/** The statement that makes a table for the rows. */
export function createTable(name: string, { fields }: Schema): string {
  const columns = fields.map(
    (field) => `${quoted(field.name)} ${columnTypeOf(field) ?? 'string'}${field.nullable ? '' : ' NOT NULL'}`,
  )
  return `CREATE TABLE ${quotedTable(name)} (${columns.join(', ')})`
}

function mismatch(what: string, hint: string): MillraceError {
  return new MillraceError('SCHEMA_MISMATCH', what, { domain: 'user', hint })
}
