import { MillraceError } from '../../model/errors.ts'
import type { Schema } from '../../model/schema.ts'
import type { Json } from '../../model/snapshot.ts'
import type { DeltaCommittable, NewFile } from './committable.ts'
import { DeltaLog } from './delta-log.ts'
import type { TableMetadata, WrittenAction } from './log-actions.ts'
import type { TableFiles } from './table-files.ts'
import { checkAppendable, NEW_PROTOCOL } from './table-protocol.ts'
import { addedFields, schemaString, tableColumns, writtenColumn, writtenColumns } from './table-schema.ts'
import type { TableState } from './table-state.ts'

export interface TableAppendsOptions {
  readonly files: TableFiles
  readonly schema: Schema
  /** Undefined: as the table has it, none in a new one. */
  readonly partitionBy: readonly string[] | undefined
  now(): number
  /** A fresh UUID. */
  newTableId(): string
  /** Waits before the next try after another writer was faster for the `lost`-th time. */
  pause(lost: number): Promise<void>
}

/**
 * Versions of one table that append. Others write it at the same time: a version is put only where none is, and whoever
 * comes too late reads what came before and tries the next. Rejects with SCHEMA_MISMATCH and DELTA_FEATURE_UNKNOWN when
 * the table does not take the rows, and as DeltaLog does.
 */
export class TableAppends {
  readonly #options: TableAppendsOptions
  readonly #log: DeltaLog
  /** The metadata that was found to take the rows. */
  #checked: TableMetadata | undefined

  constructor(options: TableAppendsOptions) {
    this.#options = options
    this.#log = new DeltaLog(options.files, 'transactions only')
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
        this.#checked = state.metadata
        return state.metadata.partitionColumns
      }
      await this.#log.commit((state?.version ?? -1) + 1, actions)
      if (lost > 0) await this.#options.pause(lost)
    }
  }

  /** What `prepare` would find or do, in a few words; changes nothing. */
  async look(): Promise<string> {
    const state = await this.#log.refresh()
    if (state === undefined) return 'there is no table; the job makes it'
    const adds = this.#newColumns(state).length > 0 ? '; the job adds columns' : ''
    return `version ${state.version} of the table${adds}`
  }

  /** Appends what the table does not have yet of these, in one version; none when it has all. */
  async append(committables: readonly DeltaCommittable[]): Promise<void> {
    for (let lost = 0; ; lost++) {
      const state = await this.#log.refresh()
      if (state === undefined) throw this.#tableGone()
      this.#check(state)
      const actions = committables.flatMap((committable) => this.#missing(state, committable))
      if (actions.length === 0) return
      const info = { timestamp: this.#options.now(), operation: 'STREAMING UPDATE', isBlindAppend: true }
      const result = await this.#log.commit(state.version + 1, [
        { commitInfo: { ...info, operationParameters: { outputMode: 'Append' }, engineInfo: 'millrace' } },
        ...actions,
      ])
      if (result === 'committed') return
      await this.#options.pause(lost)
    }
  }

  /** The files that these would add: they are needed. */
  async filesToAdd(committables: readonly DeltaCommittable[]): Promise<NewFile[]> {
    const state = await this.#log.refresh()
    if (state === undefined) throw this.#tableGone()
    return committables.flatMap((committable) => newFiles(state, committable))
  }

  #missing(state: TableState, committable: DeltaCommittable): WrittenAction[] {
    const files = newFiles(state, committable)
    const version = Math.max(...committable.prepared.map((prepared) => prepared.version))
    if (files.length === 0) return []
    return [
      { txn: { appId: committable.appId, version, lastUpdated: this.#options.now() } },
      ...files.map((file) => ({ add: addOf(file, this.#partitionOf(state, file)) })),
    ]
  }

  /** Throws when the table was given other partitions since the file was written. */
  #partitionOf({ metadata }: TableState, { path, partition }: NewFile): { [name: string]: Json } {
    const names = partition.map(([name]) => name)
    if (names.join() === metadata.partitionColumns.join()) return Object.fromEntries(partition)
    throw new MillraceError(
      'SCHEMA_MISMATCH',
      `${path} is partitioned by ${names.join(', ') || 'nothing'}, the Delta table ${this.#options.files.name} by ${metadata.partitionColumns.join(', ') || 'nothing'}`,
      { domain: 'user', hint: 'the table was replaced while the job wrote it: start the job without its old state' },
    )
  }

  /** Others may have changed the table since it was looked at. */
  #check(state: TableState): void {
    if (state.metadata === this.#checked) return
    if (this.#newColumns(state).length > 0)
      throw new MillraceError(
        'SCHEMA_MISMATCH',
        `columns of the Delta table ${this.#options.files.name} were removed while the job wrote it`,
        { domain: 'user', retriable: true, hint: 'they are added again when the job restarts' },
      )
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
    const { files, schema, partitionBy, now } = this.#options
    checkAppendable(files.name, protocol, metadata)
    if (partitionBy !== undefined && partitionBy.join() !== metadata.partitionColumns.join())
      throw new MillraceError(
        'SCHEMA_MISMATCH',
        `the Delta table ${files.name} is partitioned by ${metadata.partitionColumns.join(', ') || 'nothing'}, the sink by ${partitionBy.join(', ') || 'nothing'}`,
        { domain: 'user', hint: 'leave out partitionBy: the sink writes as the table is partitioned' },
      )
    const added = addedFields(files.name, tableColumns(files.name, metadata.schemaString), schema)
    if (added.length === 0) return []
    const columns = [...writtenColumns(files.name, metadata.schemaString), ...added.map(writtenColumn)]
    return [
      { commitInfo: { timestamp: now(), operation: 'ADD COLUMNS', engineInfo: 'millrace' } },
      // it was read as JSON
      { metaData: { ...(metadata.written as { [name: string]: Json }), schemaString: schemaString(columns) } },
    ]
  }

  #tableGone(): MillraceError {
    const { name } = this.#options.files
    return new MillraceError('DELTA_TABLE_MISSING', `the Delta table ${name} is gone`, {
      domain: 'user',
      hint: 'it was there when the job started: put it back, or start the job without its old state',
    })
  }
}

function newFiles(state: TableState, { appId, prepared }: DeltaCommittable): NewFile[] {
  const known = state.transactions.get(appId) ?? -1
  return prepared.filter(({ version }) => version > known).flatMap(({ files }) => files)
}

function addOf({ path, sizeBytes, modifiedMs, stats }: NewFile, partitionValues: { [name: string]: Json }): Json {
  // names of our files are as they are in a URI
  return { path, partitionValues, size: sizeBytes, modificationTime: modifiedMs, dataChange: true, stats }
}
