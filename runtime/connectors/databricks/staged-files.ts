import { RowBatch, type Batch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row, Schema } from '../../model/schema.ts'
import { TableParts } from '../delta/table-parts.ts'
import { DELETED_COLUMN, ORDER_COLUMN, type DatabricksSinkOptions } from './declaration.ts'

export interface StagedFilesParts {
  readonly options: Pick<DatabricksSinkOptions, 'mode' | 'key' | 'tombstone' | 'compression'>
  /** The columns of the table that rows fill. */
  readonly schema: Schema
  /** Durable and whole when resolved. */
  put(name: string, bytes: Uint8Array): Promise<void>
  /** A name that no other file has. */
  newName(): string
  now(): number
}

/**
 * The Parquet files of one writer. In those of an upsert each row has its place in the order and whether it deletes its
 * key: the warehouse takes the last row of each key.
 */
export class StagedFiles {
  readonly #parts: StagedFilesParts
  readonly #files: TableParts
  #rows = 0

  constructor(parts: StagedFilesParts) {
    const { options, schema, put, newName, now } = parts
    this.#parts = parts
    this.#files = new TableParts({
      put: (name, bytes) => put(name, Buffer.concat(bytes)),
      schema: options.mode === 'upsert' ? { fields: [...schema.fields, ...KEYED_FIELDS] } : schema,
      partitionBy: [],
      compression: options.compression,
      newName,
      now,
    })
  }

  /** Throws RECORD_INVALID for a row that the table cannot hold. */
  async add(batch: Batch): Promise<void> {
    const added = this.#parts.options.mode === 'upsert' ? new RowBatch(this.#keyedRows(batch)) : batch
    this.#rows += batch.count
    await this.#files.add(added)
  }

  /** Ends the files of a checkpoint, and returns their names and how many rows are in them. */
  async finish(): Promise<{ readonly files: readonly string[]; readonly rows: number }> {
    const files = (await this.#files.finish()).map(({ path }) => path)
    const rows = this.#rows
    this.#rows = 0
    return { files, rows }
  }

  #keyedRows(batch: Batch): Row[] {
    const { key = [], tombstone } = this.#parts.options
    const rows = batch.rows()
    return Array.from({ length: batch.count }, (_, index) => {
      const row = rows[index] ?? {}
      const missing = key.filter((name) => row[name] === null || row[name] === undefined)
      if (missing.length > 0)
        throw new MillraceError('RECORD_INVALID', `a row has no ${missing.join(' and ')}, which is its key`, {
          domain: 'user',
          hint: 'filter rows without a key before the sink',
        })
      return {
        ...row,
        [ORDER_COLUMN]: this.#rows + index,
        [DELETED_COLUMN]: tombstone !== undefined && row[tombstone] === true,
      }
    })
  }
}

const KEYED_FIELDS = [
  { name: ORDER_COLUMN, type: 'long', nullable: false },
  { name: DELETED_COLUMN, type: 'boolean', nullable: false },
] as const
