import { MillraceError } from '../../model/errors.ts'
import type { Schema } from '../../model/schema.ts'
import { membersOf } from '../../model/fields.ts'
import { metadataFieldsOf, valueSchema } from '../kit/metadata-fields.ts'
import type { SourceContext } from '../source.ts'
import type { DatabricksSourceOptions } from './declaration.ts'
import type { FeedUnit } from './feed-position.ts'
import { checkReadable, FeedQuery, newestVersion } from './feed-query.ts'
import { ResultChunks } from './result-chunks.ts'
import { DatabricksService } from './service.ts'
import { tableOf, type Table } from './table.ts'
import { StatementFailed, Warehouse } from './warehouse.ts'

/** A table as a source sees it. */
export class Feed {
  readonly service: DatabricksService
  readonly query: FeedQuery
  /** The fields that are columns of the table. */
  readonly schema: Schema
  readonly #options: DatabricksSourceOptions
  readonly #warehouse: Warehouse

  constructor(context: SourceContext, options: DatabricksSourceOptions, signal: AbortSignal) {
    const { ports, schema } = context
    const { table, filter, metadata, onRemove } = options
    this.#options = options
    this.service = new DatabricksService(options, { ports, reports: context, signal })
    this.#warehouse = new Warehouse(this.service, options.warehouse)
    this.schema = valueSchema(schema, metadataFieldsOf(metadata))
    const insertsOnly = metadata?.changeType === undefined && onRemove === 'ignore'
    this.query = new FeedQuery({ table, schema: this.schema, filter, insertsOnly })
  }

  /** What the table is. Rejects with SCHEMA_MISMATCH where its columns do not become the fields. */
  async look(): Promise<Table> {
    const { table: name } = this.#options
    const table = await tableOf(this.service, name, 'Make the table, or write its name as it is.')
    checkReadable(name, table, this.schema)
    return table
  }

  /** Resolves with the newest version. Rejects with DATABRICKS_TABLE_RECREATED where the table is another one than `id`. */
  async newest(id: string): Promise<number> {
    await this.checkSame(id)
    const { table } = this.#options
    const executed = await this.#run(newestVersion(table), 'INLINE')
    const { columns } = membersOf(executed.manifest['schema'])
    const at = Array.isArray(columns) ? columns.findIndex((column) => membersOf(column)['name'] === 'version') : -1
    const [row] = Array.isArray(executed.result['data_array']) ? (executed.result['data_array'] as unknown[]) : []
    const version = Array.isArray(row) ? Number(row[at]) : NaN
    if (Number.isSafeInteger(version) && version >= 0) return version
    throw this.service.unreadable('DESCRIBE HISTORY', JSON.stringify(executed.result))
  }

  async checkSame(id: string): Promise<void> {
    const { id: found } = await this.look()
    if (found !== id) throw this.recreated()
  }

  /** Starts to read a unit behind so many of its rows. */
  async read(unit: FeedUnit, skip: number): Promise<ResultChunks> {
    const executed = await this.#run(this.query.textOf(unit, skip), 'EXTERNAL_LINKS')
    return new ResultChunks(this.service, this.#warehouse, executed, unit.kind === 'snapshot' ? 1 : 4)
  }

  recreated(): MillraceError {
    return new MillraceError(
      'DATABRICKS_TABLE_RECREATED',
      `the table ${this.#options.table} is another one than the job has read: it was made again under the same name`,
      { domain: 'user', hint: 'start the source without its state, or under a new id, to read the new table' },
    )
  }

  async #run(text: string, disposition: 'INLINE' | 'EXTERNAL_LINKS') {
    try {
      return await this.#warehouse.execute({ text, disposition })
    } catch (error) {
      throw error instanceof StatementFailed ? this.#explained(error) : error
    }
  }

  /** Error classes of Delta: "Error conditions in Databricks" of the documentation. */
  #explained(error: StatementFailed): MillraceError {
    const { table } = this.#options
    if (NO_FEED.has(error.errorClass))
      return new MillraceError(
        'DATABRICKS_FEED_MISSING',
        `the table ${table} has no change feed of the versions that the job is to read`,
        {
          domain: 'user',
          hint: 'ALTER TABLE … SET TBLPROPERTIES (delta.enableChangeDataFeed = true) records the changes that come after it',
          cause: error,
        },
      )
    if (GONE.has(error.errorClass) || GONE_WORDS.test(error.message))
      return new MillraceError(
        'DATABRICKS_HISTORY_GONE',
        `the table ${table} does not keep the versions that the job is to read any more`,
        {
          domain: 'user',
          hint: 'keep the history for longer than the job may stand still (delta.logRetentionDuration, delta.deletedFileRetentionDuration); without its state the source reads a new snapshot',
          cause: error,
        },
      )
    return error
  }
}

const NO_FEED: ReadonlySet<string> = new Set(['DELTA_MISSING_CHANGE_DATA', 'DELTA_CHANGE_DATA_FEED_NOT_ENABLED'])

const GONE: ReadonlySet<string> = new Set([
  'DELTA_VERSION_NOT_FOUND',
  'VERSION_NOT_FOUND',
  'DELTA_VERSIONS_NOT_CONTIGUOUS',
  'DELTA_CHANGE_DATA_FILE_NOT_FOUND',
  'DELTA_FILE_NOT_FOUND_DETAILED',
  'DELTA_LOG_FILE_NOT_FOUND_FOR_STREAMING_SOURCE',
  'DELTA_TRUNCATED_TRANSACTION_LOG',
  'DELTA_UNSUPPORTED_TIME_TRAVEL_BEYOND_DELETED_FILE_RETENTION_DURATION',
])

/** Delta gives some of these errors no class (4.0.0). */
const GONE_WORDS = /\bCannot time travel Delta table to version\b|\bversion\(\d+\) for reading change data is invalid\b/
