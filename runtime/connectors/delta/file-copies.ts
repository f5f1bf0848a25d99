import type { ParquetCompression } from '../../formats/parquet/packed-page.ts'
import { RowBatch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { NewFile } from './committable.ts'
import type { CopiedColumns } from './copied-columns.ts'
import type { PartitionValues } from './key-columns.ts'
import { partitionFolder } from './partition-values.ts'
import type { TableFiles } from './table-files.ts'
import { TableParts } from './table-parts.ts'
import { tableRows } from './table-rows.ts'

export interface FileCopiesOptions {
  readonly files: TableFiles
  readonly compression: ParquetCompression
  put(path: string, parts: readonly Uint8Array[]): Promise<void>
  /** A name that no other file of the table has, without folder. */
  newName(): string
  now(): number
  breathe(): Promise<void>
}

/** A file and the numbers of the rows that do not stay. */
export interface CopiedFile {
  readonly path: string
  readonly replaced: ReadonlySet<number>
}

/**
 * Writes the rows that stay of files of one partition into new files, as few as there have to be. Rejects with
 * DELTA_COPY_INEXACT for a value that would not be the same in the copy.
 */
export async function copyFiles(
  { files, compression, put, newName, now, breathe }: FileCopiesOptions,
  { schema, partitions, types, times }: CopiedColumns,
  partition: PartitionValues,
  copied: readonly CopiedFile[],
): Promise<NewFile[]> {
  const values = partitions.fields.map(({ name }) => [name, partition.get(name) ?? null] as const)
  const folder = values.map(([name, value]) => partitionFolder(name, value)).join('')
  const parts = new TableParts({
    put,
    schema,
    partitionBy: [],
    compression,
    types,
    times,
    newName: () => `${folder}${newName()}`,
    now,
  })
  for (const { path, replaced } of copied) {
    let first = 0
    try {
      for await (const rows of tableRows(files, path, { schema, timestamps: 'microseconds', breathe })) {
        await parts.add(new RowBatch(rows.filter((_, index) => !replaced.has(first + index))))
        first += rows.length
      }
    } catch (error) {
      throw inexact(error, files.name, path)
    }
  }
  return (await parts.finish()).map((file) => ({ ...file, partition: values }))
}

function inexact(error: unknown, table: string, path: string): unknown {
  if (!(error instanceof MillraceError) || error.code !== 'RECORD_INVALID') return error
  return new MillraceError(
    'DELTA_COPY_INEXACT',
    `rows of ${path} of the Delta table ${table} are to be replaced, and the others cannot be copied exactly: ${error.message}`,
    {
      domain: 'user',
      cause: error,
      hint: 'let the writer of that file write other values, or write it with mode: append',
    },
  )
}
