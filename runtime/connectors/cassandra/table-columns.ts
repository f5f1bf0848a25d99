import { suggestion } from '../../expressions/suggest.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Field } from '../../model/schema.ts'
import type { TableKey } from '../../ports/table.ts'
import type { CassandraColumn, CassandraTable } from './client.ts'
import { type Cell, cellReader, cellWriter, typesDiffer, type CellOf, type ValueOfCell } from './types.ts'

export interface WrittenColumn {
  readonly column: CassandraColumn
  readonly field: Field
  readonly cellOf: CellOf
  /** Why a row cannot have the cell in its key; undefined when it can. */
  readonly notInKey: (cell: Cell) => string | undefined
}

/** The columns that fields are written to. Throws COLUMN_MISSING, CASSANDRA_TYPE_MISMATCH. */
export function columnsToWrite(table: CassandraTable, fields: readonly Field[]): WrittenColumn[] {
  const missing = keyOf(table).find((name) => !fields.some((field) => field.name === name))
  if (missing !== undefined)
    throw new MillraceError(
      'COLUMN_MISSING',
      `the key column ${missing} of the Cassandra table ${nameOf(table)} has no field`,
      { domain: 'user', hint: `Give the rows a field ${missing}, for example with set.` },
    )
  return fields.map((field) => writtenColumn(table, field.name, field))
}

/** The columns that rows are looked up by: the partition key, and clustering columns from the first on. */
export function columnsToAsk(table: CassandraTable, key: readonly TableKey[]): WrittenColumn[] {
  const names = key.map(({ column }) => column)
  const asked = key.map(({ column, field }) => writtenColumn(table, column, field))
  const needed = [...table.partitionKey, ...table.clusteringKey.slice(0, names.length - table.partitionKey.length)]
  const missing = needed.find((name) => !names.includes(name))
  if (missing === undefined) return asked
  throw new MillraceError(
    'CASSANDRA_KEY_INVALID',
    `the rows of ${nameOf(table)} cannot be found by ${names.join(', ')}: ${missing} is part of its key`,
    {
      domain: 'user',
      hint: `Name the partition key (${table.partitionKey.join(', ')})${table.clusteringKey.length === 0 ? '' : `, then clustering columns in their order (${table.clusteringKey.join(', ')})`}; to find rows by other columns Cassandra would read the whole table.`,
    },
  )
}

export interface ReadColumn {
  readonly column: CassandraColumn
  readonly field: Field
  readonly valueOf: ValueOfCell
}

/** The columns that fields are read from. Throws COLUMN_MISSING, CASSANDRA_TYPE_MISMATCH. */
export function columnsToRead(table: CassandraTable, fields: readonly Field[]): ReadColumn[] {
  return fields.map((field) => {
    const column = columnOf(table, field.name)
    const valueOf = cellReader(field, column.type)
    if (valueOf === undefined) throw typesDiffer(nameOf(table), field, column)
    return { column, field, valueOf }
  })
}

export function keyOf({ partitionKey, clusteringKey }: CassandraTable): readonly string[] {
  return [...partitionKey, ...clusteringKey]
}

export function nameOf({ keyspace, name }: CassandraTable): string {
  return `${keyspace}.${name}`
}

function writtenColumn(table: CassandraTable, name: string, field: Field): WrittenColumn {
  const column = columnOf(table, name)
  const cellOf = cellWriter(field, column.type)
  if (cellOf === undefined) throw typesDiffer(nameOf(table), field, column)
  if (!keyOf(table).includes(name)) return { column, field, cellOf, notInKey: () => undefined }
  return { column, field, cellOf: (value) => zeroOf(cellOf(value)), notInKey: keyCheck(table, name) }
}

/** Cassandra has 0 and -0 as two keys, jobs have them as one. */
function zeroOf(cell: Cell): Cell {
  return cell === 0 ? 0 : cell
}

/** Lengths of parts of keys are 16 bits (FBUtilities.MAX_UNSIGNED_SHORT in QueryProcessor.validateKey of Cassandra). */
const MOST_BYTES_OF_KEY = 65_535

function keyCheck(table: CassandraTable, name: string): WrittenColumn['notInKey'] {
  const isAlone = table.partitionKey.length === 1 && table.partitionKey[0] === name
  return (cell) => {
    if (typeof cell !== 'string' && !(cell instanceof Uint8Array)) return undefined
    const bytes = typeof cell === 'string' ? Buffer.byteLength(cell) : cell.length
    if (bytes > MOST_BYTES_OF_KEY) return `has ${bytes} bytes, a key at most ${MOST_BYTES_OF_KEY}`
    return isAlone && bytes === 0 ? 'is empty, which a partition key of one column cannot be' : undefined
  }
}

function columnOf(table: CassandraTable, name: string): CassandraColumn {
  const column = table.columns.find((known) => known.name === name)
  if (column !== undefined) return column
  const hint = suggestion(
    name,
    table.columns.map((known) => known.name),
  )
  throw new MillraceError('COLUMN_MISSING', `the Cassandra table ${nameOf(table)} has no column ${name}`, {
    domain: 'user',
    ...(hint === undefined ? {} : { hint }),
  })
}
