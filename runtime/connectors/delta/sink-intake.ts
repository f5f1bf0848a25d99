import { ParquetWriter } from '../../formats/parquet/parquet-writer.ts'
import { RowBatch, type Batch } from '../../memory/batch.ts'
import type { CheckpointId } from '../../model/ids.ts'
import type { Field, Row } from '../../model/schema.ts'
import type { NewFile, PreparedFiles } from './committable.ts'
import { KeyedRows } from './keyed-rows.ts'
import type { TableParts } from './table-parts.ts'

/** Takes the rows of a writer between two barriers into files that are in no version yet. */
export interface SinkIntake {
  /** Throws RECORD_INVALID for a row that the table cannot hold. */
  add(batch: Batch): Promise<void>
  /** Ends the files of a checkpoint; none when there were no rows. */
  finish(checkpoint: CheckpointId): Promise<PreparedFiles[]>
}

/** Every row is a row of the table. */
export class AppendIntake implements SinkIntake {
  readonly #parts: TableParts

  constructor(parts: TableParts) {
    this.#parts = parts
  }

  add(batch: Batch): Promise<void> {
    return this.#parts.add(batch)
  }

  async finish(version: CheckpointId): Promise<PreparedFiles[]> {
    const files = await this.#parts.finish()
    return files.length === 0 ? [] : [{ version, files, deletes: [] }]
  }
}

export interface KeyedIntakeOptions {
  readonly parts: TableParts
  readonly key: readonly Field[]
  readonly tombstone: string | undefined
  /** Durable and whole when resolved. */
  put(path: string, parts: readonly Uint8Array[]): Promise<void>
  /** A name that no other file of the table has. */
  newName(): string
  now(): number
}

/**
 * Keeps the last row of each key. What does not fit into memory becomes a generation of files of its own, the
 * rows of which a later generation replaces.
 */
export class KeyedIntake implements SinkIntake {
  readonly #options: KeyedIntakeOptions
  readonly #rows: KeyedRows
  #generations: Omit<PreparedFiles, 'version'>[] = []

  constructor(options: KeyedIntakeOptions) {
    this.#options = options
    this.#rows = new KeyedRows(options.key, options.tombstone)
  }

  async add(batch: Batch): Promise<void> {
    const rows = batch.rows()
    for (let index = 0; index < batch.count; index++) this.#rows.add(rows[index] as Row)
    if (this.#rows.isFull) await this.#endGeneration()
  }

  async finish(version: CheckpointId): Promise<PreparedFiles[]> {
    await this.#endGeneration()
    const prepared = this.#generations.map((generation) => ({ version, ...generation }))
    this.#generations = []
    return prepared
  }

  async #endGeneration(): Promise<void> {
    const { kept, deleted } = this.#rows.take()
    if (kept.length > 0) await this.#options.parts.add(new RowBatch(kept))
    const files = await this.#options.parts.finish()
    const deletes = deleted.length === 0 ? [] : [await this.#putKeys(deleted)]
    if (files.length + deletes.length > 0) this.#generations.push({ files, deletes })
  }

  /** The keys that are deleted, in a file that never becomes a part of the table. */
  async #putKeys(rows: Row[]): Promise<NewFile> {
    const { key, put, newName, now } = this.#options
    const writer = new ParquetWriter({ fields: key }, { compression: 'zstd', jsonAs: 'text' })
    writer.add(new RowBatch(rows))
    writer.end()
    const bytes = writer.take()
    const path = newName()
    await put(path, bytes)
    const sizeBytes = bytes.reduce((sum, { length }) => sum + length, 0)
    return { path, partition: [], sizeBytes, modifiedMs: now(), stats: '{}' }
  }
}
