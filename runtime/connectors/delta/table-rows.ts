import { compileRowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row, Schema } from '../../model/schema.ts'
import { openParquetFile, ParquetSplit } from '../file/parquet-split.ts'
import type { TableFiles } from './table-files.ts'

const CHUNK_ROWS = 1024

export interface TableRowsOptions {
  /** The columns that are read. */
  readonly schema: Schema
  readonly timestamps: 'milliseconds' | 'microseconds'
  /** Lets others have the processor between two chunks. */
  breathe(): Promise<void>
}

/**
 * All rows of a Parquet file of the table, chunk by chunk. Rejects with FILE_UNREADABLE, with RECORD_INVALID for a value
 * that the schema cannot hold, and as TableFiles does.
 */
export async function* tableRows(
  files: TableFiles,
  path: string,
  { schema, timestamps, breathe }: TableRowsOptions,
): AsyncGenerator<Row[]> {
  const rows = compileRowClass(schema)
  try {
    const file = await openParquetFile(parquetBytes(files), path)
    for (const group of file.metadata.row_groups.keys()) {
      const split = new ParquetSplit({
        file,
        group,
        next: undefined,
        schema,
        rows,
        eventTimeField: undefined,
        timestamps,
        onBadRecord: (error) => {
          throw error
        },
      })
      for (let chunk = await split.read(CHUNK_ROWS); chunk !== undefined; chunk = await split.read(CHUNK_ROWS)) {
        yield chunk.rows
        await breathe()
      }
    }
  } catch (error) {
    throw storageError(error)
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

export function isOfStorage(error: unknown): boolean {
  return error instanceof MillraceError && /^(DELTA|OBJECTS?)_|^FILE_FORBIDDEN$/.test(error.code)
}
