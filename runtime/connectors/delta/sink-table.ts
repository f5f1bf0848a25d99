import { MillraceError } from '../../model/errors.ts'
import { fieldOf, type Schema } from '../../model/schema.ts'
import type { Json } from '../../model/snapshot.ts'
import { valueTypeText } from '../../model/value-type.ts'
import { isPartitionable } from '../kit/partition-fields.ts'
import type { NewFile } from './committable.ts'
import { DeltaLog } from './delta-log.ts'
import type { TableMetadata, WrittenAction } from './log-actions.ts'
import type { TableFiles } from './table-files.ts'
import { checkAppendable, NEW_PROTOCOL } from './table-protocol.ts'
import { addedFields, schemaString, tableColumns, writtenColumn, writtenColumns } from './table-schema.ts'
import type { TableState } from './table-state.ts'

export interface SinkTableOptions {
  readonly files: TableFiles
  /** The columns that the sink writes. */
  readonly schema: Schema
  /** Undefined: as the table has it, none in a new one. */
  readonly partitionBy: readonly string[] | undefined
  readonly keeps: 'files' | 'transactions only'
  /** Throws when the table does not take what the sink does, beyond that its rows fit. */
  check(state: TableState): void
  now(): number
  /** A fresh UUID. */
  newTableId(): string
  /** Waits before the next try after another writer was faster for the `lost`-th time. */
  pause(lost: number): Promise<void>
  /** Called behind each version that was put. Never rejects. */
  onVersion(version: number, metadata: TableMetadata): Promise<void>
}

/**
 * A table as a sink sees it, which others write at the same time: a version is put only where none is, and whoever comes
 * too late reads what came before and tries the next. Rejects with SCHEMA_MISMATCH and DELTA_FEATURE_UNKNOWN when the
 * table does not take the rows, and as DeltaLog does.
 */
export class SinkTable {
  readonly #options: SinkTableOptions
  readonly #log: DeltaLog
  /** The metadata that was found to take the rows. */
  #checked: TableMetadata | undefined

  constructor(options: SinkTableOptions) {
    this.#options = options
    this.#log = new DeltaLog(options.files, options.keeps)
  }

  /**
   * Makes the table, or the columns that it has not, and gives its partition columns. Called first; of writers that do
   * it at once, one makes them.
   */
  async prepare(): Promise<readonly string[]> {
    for (let lost = 0; ; lost++) {
      const state = await this.#log.refresh()
      const actions = state === undefined ? this.#newTable() : this.#newColumns(state)
      if (state !== undefined && actions.length === 0) {
        this.#options.check(state)
        this.#checked = state.metadata
        return state.metadata.partitionColumns
      }
      if (state !== undefined) await this.put(state, actions, lost)
      else if ((await this.#log.commit(0, actions)) === 'taken' && lost > 0) await this.#options.pause(lost)
    }
  }

  /** What `prepare` would find or do, in a few words; changes nothing. */
  async look(): Promise<string> {
    const state = await this.#log.refresh()
    if (state === undefined) return 'there is no table; the job makes it'
    const adds = this.#newColumns(state).length > 0 ? '; the job adds columns' : ''
    if (adds === '') this.#options.check(state)
    return `version ${state.version} of the table${adds}`
  }

  /** The newest state, which takes the rows. Rejects with DELTA_TABLE_MISSING, too. */
  async current(): Promise<TableState> {
    const state = await this.#log.refresh()
    if (state === undefined) throw this.#tableGone()
    this.#checkAgain(state)
    return state
  }

  /**
   * Puts a version behind `state`. When another writer was faster, waits for a moment: the state is to be looked at
   * again. `lost` counts how often that was so.
   */
  async put(state: TableState, actions: readonly WrittenAction[], lost: number): Promise<'committed' | 'taken'> {
    const version = state.version + 1
    const result = await this.#log.commit(version, actions)
    if (result === 'committed') await this.#options.onVersion(version, state.metadata)
    else await this.#options.pause(lost)
    return result
  }

  /** The `add` of a file of the sink. Throws when the table was given other partitions since the file was written. */
  addOf({ metadata }: TableState, { path, partition, sizeBytes, modifiedMs, stats }: NewFile): WrittenAction {
    const names = partition.map(([name]) => name)
    if (names.join() !== metadata.partitionColumns.join())
      throw new MillraceError(
        'SCHEMA_MISMATCH',
        `${path} is partitioned by ${names.join(', ') || 'nothing'}, the Delta table ${this.#options.files.name} by ${metadata.partitionColumns.join(', ') || 'nothing'}`,
        { domain: 'user', hint: 'the table was replaced while the job wrote it: start the job without its old state' },
      )
    // names of our files are as they are in a URI
    const partitionValues = Object.fromEntries(partition)
    return { add: { path, partitionValues, size: sizeBytes, modificationTime: modifiedMs, dataChange: true, stats } }
  }

  /** Others may have changed the table since it was looked at. */
  #checkAgain(state: TableState): void {
    if (state.metadata === this.#checked) return
    if (this.#newColumns(state).length > 0)
      throw new MillraceError(
        'SCHEMA_MISMATCH',
        `columns of the Delta table ${this.#options.files.name} were removed while the job wrote it`,
        { domain: 'user', retriable: true, hint: 'they are added again when the job restarts' },
      )
    this.#options.check(state)
    this.#checked = state.metadata
  }

  #newTable(): WrittenAction[] {
    const { schema, partitionBy = [], now, newTableId } = this.#options
    const timestamp = now()
    return [
      { protocol: NEW_PROTOCOL },
      {
        metaData: {
          id: newTableId(),
          format: { provider: 'parquet', options: {} },
          schemaString: schemaString(schema.fields.map(writtenColumn)),
          partitionColumns: partitionBy,
          configuration: {},
          createdTime: timestamp,
        },
      },
      {
        commitInfo: {
          timestamp,
          operation: 'CREATE TABLE',
          operationParameters: { partitionBy: JSON.stringify(partitionBy) },
          engineInfo: 'millrace',
        },
      },
    ]
  }

  #newColumns({ protocol, metadata }: TableState): WrittenAction[] {
    const { files, schema, now } = this.#options
    checkAppendable(files.name, protocol, metadata)
    this.#checkPartitions(metadata)
    const added = addedFields(files.name, tableColumns(files.name, metadata.schemaString), schema)
    if (added.length === 0) return []
    const columns = [...writtenColumns(files.name, metadata.schemaString), ...added.map(writtenColumn)]
    return [
      { commitInfo: { timestamp: now(), operation: 'ADD COLUMNS', engineInfo: 'millrace' } },
      // it was read as JSON
      { metaData: { ...(metadata.written as { [name: string]: Json }), schemaString: schemaString(columns) } },
    ]
  }

  #checkPartitions({ partitionColumns }: TableMetadata): void {
    const { files, schema, partitionBy } = this.#options
    if (partitionBy !== undefined && partitionBy.join() !== partitionColumns.join())
      throw new MillraceError(
        'SCHEMA_MISMATCH',
        `the Delta table ${files.name} is partitioned by ${partitionColumns.join(', ') || 'nothing'}, the sink by ${partitionBy.join(', ') || 'nothing'}`,
        { domain: 'user', hint: 'leave out partitionBy: the sink writes as the table is partitioned' },
      )
    for (const name of partitionColumns) {
      const field = fieldOf(schema, name)
      if (field !== undefined && isPartitionable(field)) continue
      throw new MillraceError(
        'SCHEMA_MISMATCH',
        `the Delta table ${files.name} is partitioned by ${name}, ${field === undefined ? 'and the rows have no such field' : `which is a ${valueTypeText(field)}`}`,
        { domain: 'user', hint: 'rows are written by partitions of string, long, bigint, boolean, decimal and date' },
      )
    }
  }

  #tableGone(): MillraceError {
    const { name } = this.#options.files
    return new MillraceError('DELTA_TABLE_MISSING', `the Delta table ${name} is gone`, {
      domain: 'user',
      hint: 'it was there when the job started: put it back, or start the job without its old state',
    })
  }
}
