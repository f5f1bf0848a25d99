import { isFields, type Fields } from '../../model/fields.ts'
import type { Schema } from '../../model/schema.ts'
import { actionsOf, invalidLog, type LogAction } from './log-actions.ts'
import type { TableFiles } from './table-files.ts'
import { isOfStorage, tableRows } from './table-rows.ts'

/** A checkpoint has a column for each kind of action; these say something of rows or schema. */
const COLUMNS = columnsOf('protocol', 'metaData', 'txn', 'add')
/** With the files that were removed, for a checkpoint that follows on this one. */
const ALL_COLUMNS = columnsOf('protocol', 'metaData', 'txn', 'add', 'remove')

/** The actions of a checkpoint in Parquet, chunk by chunk. Throws DELTA_LOG_INVALID. */
export async function* readCheckpoint(files: TableFiles, path: string): AsyncGenerator<LogAction[]> {
  const where = `${path} of ${files.name}`
  for await (const rows of checkpointRows(files, path, COLUMNS)) yield rows.flatMap((row) => actionsOf(row, where))
}

/** The actions of a checkpoint as they are written, each the one member of an object. Throws DELTA_LOG_INVALID. */
export function readWholeCheckpoint(files: TableFiles, path: string): AsyncGenerator<Fields[]> {
  return checkpointRows(files, path, ALL_COLUMNS)
}

async function* checkpointRows(files: TableFiles, path: string, schema: Schema): AsyncGenerator<Fields[]> {
  try {
    const about = { schema, timestamps: 'milliseconds', breathe: () => Promise.resolve() } as const
    for await (const rows of tableRows(files, path, about)) yield rows.map(plainMembers)
  } catch (error) {
    if (isOfStorage(error)) throw error
    throw invalidLog(`${path} of ${files.name}`, 'it cannot be read', error)
  }
}

function columnsOf(...names: readonly string[]): Schema {
  return { fields: names.map((name) => ({ name, type: 'json', nullable: true })) }
}

function plainMembers(row: object): Fields {
  return isFields(row) ? row : {}
}
