import { compileRowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import { isFields, type Fields } from '../../model/fields.ts'
import type { Schema } from '../../model/schema.ts'
import { openParquetFile, ParquetSplit } from '../file/parquet-split.ts'
import { actionsOf, invalidLog, type LogAction } from './log-actions.ts'
import type { TableFiles } from './table-files.ts'

/** A checkpoint has a column for each kind of action; these say something of rows or schema. */
const COLUMNS: Schema = {
  fields: ['protocol', 'metaData', 'txn', 'add'].map((name) => ({ name, type: 'json', nullable: true })),
}
const CHUNK_ROWS = 1024

/** The actions of a checkpoint in Parquet, chunk by chunk. Throws DELTA_LOG_INVALID. */
export async function* readCheckpoint(files: TableFiles, path: string): AsyncGenerator<LogAction[]> {
  const where = `${path} of ${files.name}`
  try {
    const file = await openParquetFile(parquetBytes(files), path)
    for (const group of file.metadata.row_groups.keys()) {
      const split = new ParquetSplit({
        file,
        group,
        next: undefined,
        schema: COLUMNS,
        rows: compileRowClass(COLUMNS),
        eventTimeField: undefined,
        onBadRecord: (error) => {
          throw error
        },
      })
      for (let chunk = await split.read(CHUNK_ROWS); chunk !== undefined; chunk = await split.read(CHUNK_ROWS))
        yield chunk.rows.flatMap((row) => actionsOf(plainMembers(row), where))
    }
  } catch (error) {
    const cause = storageError(error)
    if (isOfStorage(cause)) throw cause
    throw invalidLog(where, 'it cannot be read', cause)
  }
}

/** The storage of a table as the reader of Parquet needs it. */
export function parquetBytes(files: TableFiles): Parameters<typeof openParquetFile>[0] {
  return {
    async sizeBytes(path) {
      const size = await files.sizeBytes(path)
      if (size !== undefined) return size
      throw new MillraceError('DELTA_FILE_GONE', `${path} of the Delta table ${files.name} is gone`, {
        domain: 'user',
        hint: 'VACUUM removed it: keep files longer than the job may lag, and start the source without its old state',
      })
    },
    read: (path, offset, length) => files.readPart(path, offset, length),
  }
}

/** The error of the storage itself, which the reader of Parquet has taken for one of the file. */
export function storageError(error: unknown): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (isOfStorage(cause)) return cause
  return error
}

function isOfStorage(error: unknown): boolean {
  return error instanceof MillraceError && /^(DELTA|OBJECTS?)_|^FILE_FORBIDDEN$/.test(error.code)
}

function plainMembers(row: object): Fields {
  return isFields(row) ? row : {}
}
