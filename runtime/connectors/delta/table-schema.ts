import { MillraceError } from '../../model/errors.ts'
import { isFields, membersOf } from '../../model/fields.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { valueTypeText } from '../../model/value-type.ts'
import { deltaType } from './declaration.ts'
import type { Json } from '../../model/snapshot.ts'

/** A column as the metadata of a table has it. `type` is a primitive type's name, or JSON of a nested one. */
export interface TableColumn {
  readonly name: string
  readonly type: string
  readonly nullable: boolean
}

/** One member of `fields` in a schemaString ("Schema Serialization Format", PROTOCOL.md). */
export function writtenColumn(field: Field): Json {
  return { name: field.name, type: deltaType(field) ?? 'string', nullable: field.nullable, metadata: {} }
}

export function schemaString(columns: readonly Json[]): string {
  return JSON.stringify({ type: 'struct', fields: columns })
}

/** Throws DELTA_LOG_INVALID for a text that is no schema. */
export function tableColumns(name: string, text: string): TableColumn[] {
  return writtenColumns(name, text).map((column) => {
    const { name: columnName, type, nullable } = membersOf(column)
    return {
      name: String(columnName),
      type: typeof type === 'string' ? type.replaceAll(' ', '') : JSON.stringify(type),
      nullable: nullable !== false,
    }
  })
}

/** The columns as they are written, for a schema that keeps them and adds others. */
export function writtenColumns(name: string, text: string): Json[] {
  let schema: unknown
  try {
    schema = JSON.parse(text)
  } catch (cause) {
    throw unreadable(name, cause)
  }
  const { fields } = membersOf(schema)
  if (Array.isArray(fields) && fields.every(isFields)) return fields as Json[]
  throw unreadable(name)
}

/**
 * The fields of the job that the table has no column for: they become new columns. Throws SCHEMA_MISMATCH for
 * everything else in which the two differ: the sink changes no column, and leaves none without the values it needs.
 */
export function addedFields(name: string, columns: readonly TableColumn[], schema: Schema): Field[] {
  const added: Field[] = []
  for (const field of schema.fields) {
    const column = columns.find((known) => known.name.toLowerCase() === field.name.toLowerCase())
    if (column === undefined) {
      if (!field.nullable)
        throw mismatch(
          `the Delta table ${name} has no column ${field.name}, and ${field.name} (${valueTypeText(field)}) may not be null in the rows that are there`,
          'make the field nullable: a nullable column is added by itself',
        )
      added.push(field)
    } else checkColumn(name, column, field)
  }
  const names = new Set(schema.fields.map((field) => field.name.toLowerCase()))
  const unfilled = columns.find((column) => !column.nullable && !names.has(column.name.toLowerCase()))
  if (unfilled !== undefined)
    throw mismatch(
      `the column ${unfilled.name} (${unfilled.type}) of the Delta table ${name} may not be null, and the rows have no such field`,
      'map a field of that name',
    )
  return added
}

function checkColumn(name: string, column: TableColumn, field: Field): void {
  if (column.name !== field.name)
    throw mismatch(
      `the Delta table ${name} has a column ${column.name}, the rows have ${field.name}: Delta takes both for one`,
      'write the name as the table does',
    )
  if (column.type !== deltaType(field))
    throw mismatch(
      `the column ${column.name} of the Delta table ${name} is a ${column.type}, the field is a ${valueTypeText(field)}, written as ${String(deltaType(field))}`,
      'map the field to the type of the column',
    )
  if (!column.nullable && field.nullable)
    throw mismatch(
      `the column ${column.name} of the Delta table ${name} may not be null, the field (${valueTypeText(field)}) may`,
      'filter rows without the value, and declare the field as not nullable',
    )
}

/** Types of columns that a source reads into a field of that type, besides that in which the sink writes it. */
const ALSO_READ: ReadonlyMap<string, readonly string[]> = new Map([
  ['long', ['integer', 'short', 'byte']],
  ['bigint', ['integer', 'short', 'byte']],
  ['double', ['float', 'long', 'integer', 'short', 'byte']],
  ['timestamp', ['timestamp_ntz']],
])

/** Throws SCHEMA_MISMATCH when the source cannot read the schema of the job from the table. */
export function checkReadColumns(name: string, columns: readonly TableColumn[], schema: Schema): void {
  for (const field of schema.fields) {
    const column = columns.find((known) => known.name === field.name)
    if (column === undefined) {
      throw mismatch(
        `the Delta table ${name} has no column ${field.name}`,
        `it has: ${columns.map((known) => known.name).join(', ')}`,
      )
    }
    const kind = field.logical?.kind ?? field.type
    const isJson = field.type === 'json'
    const isDecimal = kind === 'decimal' && column.type.startsWith('decimal(')
    const isRead = column.type === deltaType(field) || ALSO_READ.get(kind)?.includes(column.type) === true
    if (isRead || isJson || isDecimal) continue
    throw mismatch(
      `the column ${column.name} of the Delta table ${name} is a ${column.type}, the field is a ${valueTypeText(field)}`,
      'declare the field with a type that holds the column',
    )
  }
}

function mismatch(message: string, hint: string): MillraceError {
  return new MillraceError('SCHEMA_MISMATCH', message, { domain: 'user', hint })
}

function unreadable(name: string, cause?: unknown): MillraceError {
  return new MillraceError('DELTA_LOG_INVALID', `the schema of the Delta table ${name} cannot be read`, {
    domain: 'user',
    ...(cause === undefined ? {} : { cause }),
  })
}
