import { ParquetWriter } from '../../formats/parquet/parquet-writer.ts'
import type { ParquetCompression } from '../../formats/parquet/packed-page.ts'
import type { ColumnType } from '../../formats/parquet/column-type.ts'
import { RowBatch, type Batch } from '../../memory/batch.ts'
import { fieldsOf, type Field, type Row, type Schema } from '../../model/schema.ts'
import type { NewFile } from './committable.ts'
import { fileStatistics } from './file-statistics.ts'
import { partitionFolder, deltaPartitionText } from './partition-values.ts'

/** All files that are being written hold this much together at most; beyond it the largest is ended. */
const MAX_HELD_BYTES = 64 * 1024 * 1024
/** Each holds a page of every column: of more partitions at once, the one that was written to least lately is ended. */
const MAX_OPEN_PARTS = 64

interface OpenPart {
  readonly writer: ParquetWriter
  readonly values: readonly (string | null)[]
  readonly ready: Uint8Array[]
}

export interface TablePartsOptions {
  /** Durable and whole when resolved. */
  put(path: string, parts: readonly Uint8Array[]): Promise<void>
  readonly schema: Schema
  /** Its fields are in no file: the log has their values. */
  readonly partitionBy: readonly string[]
  readonly compression: ParquetCompression
  /** By the name of a column, how Parquet holds it where that does not follow from its field. */
  readonly types?: ReadonlyMap<string, ColumnType>
  /** Columns of times whose rows have microseconds. */
  readonly times?: ReadonlySet<string>
  /** A name that no other file of the table has, without folder. */
  newName(): string
  now(): number
}

/** The Parquet files that a writer has begun, one for each partition. Files are whole or not there. */
export class TableParts {
  readonly #options: TablePartsOptions
  readonly #partitionFields: readonly Field[]
  readonly #fileSchema: Schema
  /** In the order of their last use. */
  readonly #open = new Map<string, OpenPart>()
  #written: NewFile[] = []

  constructor(options: TablePartsOptions) {
    const { schema, partitionBy } = options
    this.#options = options
    this.#partitionFields = fieldsOf(schema, partitionBy)
    this.#fileSchema = { fields: schema.fields.filter(({ name }) => !partitionBy.includes(name)) }
  }

  /** Throws RECORD_INVALID for a row that the table cannot hold. */
  async add(batch: Batch): Promise<void> {
    if (batch.count === 0) return
    if (this.#partitionFields.length === 0) this.#put([], batch)
    else {
      for (const { values, rows } of this.#byPartition(batch)) {
        this.#put(values, new RowBatch(rows))
        await this.#endSome()
      }
    }
    await this.#endSome()
  }

  /** Ends every file, and gives those that were written since the last call. They are durable, and in no version yet. */
  async finish(): Promise<NewFile[]> {
    for (const key of [...this.#open.keys()]) await this.#end(key)
    const written = this.#written
    this.#written = []
    return written
  }

  #byPartition(batch: Batch): Iterable<{ values: (string | null)[]; rows: Row[] }> {
    const found = new Map<string, { values: (string | null)[]; rows: Row[] }>()
    const rows = batch.rows()
    for (let index = 0; index < batch.count; index++) {
      const row = rows[index]
      if (row === undefined) continue
      const values = this.#partitionFields.map((field) => deltaPartitionText(field, row))
      const key = JSON.stringify(values)
      const known = found.get(key)
      if (known === undefined) found.set(key, { values, rows: [row] })
      else known.rows.push(row)
    }
    return found.values()
  }

  #put(values: readonly (string | null)[], batch: Batch): void {
    const key = JSON.stringify(values)
    const { compression, types } = this.#options
    const part = this.#open.get(key) ?? {
      writer: new ParquetWriter(this.#fileSchema, {
        compression,
        jsonAs: 'text',
        ...(types === undefined ? {} : { types }),
      }),
      values,
      ready: [],
    }
    this.#open.delete(key)
    this.#open.set(key, part)
    part.writer.add(batch)
    part.ready.push(...part.writer.take())
  }

  async #endSome(): Promise<void> {
    const [leastRecent] = this.#open.keys()
    if (this.#open.size > MAX_OPEN_PARTS && leastRecent !== undefined) await this.#end(leastRecent)
    let held = 0
    let largest: { key: string; bytes: number } | undefined
    for (const [key, { writer }] of this.#open) {
      const bytes = writer.sizeBytes
      held += bytes
      if (largest === undefined || bytes > largest.bytes) largest = { key, bytes }
    }
    if (held > MAX_HELD_BYTES && largest !== undefined) await this.#end(largest.key)
  }

  async #end(key: string): Promise<void> {
    const part = this.#open.get(key)
    if (part === undefined) return
    this.#open.delete(key)
    const { partitionBy } = this.#options
    const summary = part.writer.end()
    const bytes = [...part.ready, ...part.writer.take()]
    const folder = partitionBy.map((name, index) => partitionFolder(name, part.values[index] ?? null)).join('')
    const path = `${folder}${this.#options.newName()}`
    await this.#options.put(path, bytes)
    this.#written.push({
      path,
      partition: partitionBy.map((name, index) => [name, part.values[index] ?? null]),
      sizeBytes: bytes.reduce((sum, { length }) => sum + length, 0),
      modifiedMs: this.#options.now(),
      stats: fileStatistics(this.#fileSchema, summary, this.#options.times),
    })
  }
}
