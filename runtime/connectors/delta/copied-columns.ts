import { columnType, type ColumnType } from '../../formats/parquet/column-type.ts'
import { bool, struct } from '../../formats/parquet/thrift-writer.ts'
import { MillraceError } from '../../model/errors.ts'
import { fieldsOf, isFieldName, namedField, type Field, type Schema } from '../../model/schema.ts'
import { parseValueType } from '../../model/value-type.ts'
import type { TableColumn } from './table-schema.ts'

/**
 * How rows of a table's files are read and written again without a change of any value, whoever wrote them: integers and
 * times come as their digits, of which nothing is cut.
 */
export interface CopiedColumns {
  /** The columns that files have, which are all but those of partitions. */
  readonly schema: Schema
  /** In the order of the partitions of the table. */
  readonly partitions: Schema
  /** By the name of a column, how Parquet holds it where that does not follow from its field here. */
  readonly types: ReadonlyMap<string, ColumnType>
  /** Columns whose digits are microseconds. */
  readonly times: ReadonlySet<string>
}

const DIGITS: Omit<Field, 'name' | 'nullable'> = { type: 'string', logical: { kind: 'bigint' } }
const TIMESTAMP = columnType({ name: '', type: 'timestamp', nullable: true }, 'text')
/** ConvertedType of parquet.thrift. */
const SMALL_INTEGERS: ReadonlyMap<string, ColumnType> = new Map([
  ['integer', { physical: 'INT32' }],
  ['short', { physical: 'INT32', converted: 16 }],
  ['byte', { physical: 'INT32', converted: 15 }],
])
/** LogicalType of parquet.thrift: a timestamp of no zone, in microseconds. */
const LOCAL_TIMESTAMP: ColumnType = {
  physical: 'INT64',
  logical: struct([8, struct([1, bool(false)], [2, struct([2, struct()])])]),
}
const PLAIN: ReadonlySet<string> = new Set(['double', 'boolean', 'string', 'date'])

/** Throws SCHEMA_MISMATCH for a column that cannot be copied. */
export function copiedColumns(
  table: string,
  columns: readonly TableColumn[],
  partitionColumns: readonly string[],
): CopiedColumns {
  const types = new Map<string, ColumnType>()
  const times = new Set<string>()
  const fields: Field[] = []
  for (const column of columns) {
    fields.push(fieldOfColumn(table, column))
    const held = heldAs(column.type)
    if (held !== undefined) types.set(column.name, held)
    if (column.type.startsWith('timestamp')) times.add(column.name)
  }
  return {
    schema: { fields: fields.filter(({ name }) => !partitionColumns.includes(name)) },
    partitions: { fields: fieldsOf({ fields }, partitionColumns) },
    types,
    times,
  }
}

function fieldOfColumn(table: string, { name, type, nullable }: TableColumn): Field {
  const refuse = (why: string): MillraceError =>
    new MillraceError(
      'SCHEMA_MISMATCH',
      `the column ${JSON.stringify(name)} of the Delta table ${table} ${why}: rows that stay when others of their file are replaced could not be copied exactly`,
      { domain: 'user', hint: 'mode: append writes the table' },
    )
  if (!isFieldName(name)) throw refuse('has a name that no field can have')
  if (PLAIN.has(type)) return namedField(name, { ...parsedType(type), nullable })
  if (type === 'binary') return namedField(name, { ...parsedType('bytes'), nullable })
  if (type === 'long' || heldAs(type) !== undefined) return namedField(name, { ...DIGITS, nullable })
  const decimal = /^decimal\(\d+,\d+\)$/.test(type) ? parseValueType(type) : undefined
  if (decimal === undefined) throw refuse(`is a ${type}`)
  return namedField(name, { ...decimal, nullable })
}

function parsedType(text: string): Omit<Field, 'name'> {
  const type = parseValueType(text)
  if (type !== undefined) return type
  throw new MillraceError('DELTA_LOG_INVALID', `there is no type ${text}`)
}

function heldAs(type: string): ColumnType | undefined {
  switch (type) {
    case 'timestamp':
      return TIMESTAMP
    case 'timestamp_ntz':
      return LOCAL_TIMESTAMP
    default:
      return SMALL_INTEGERS.get(type)
  }
}
