import type { Batch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { CheckpointId } from '../../model/ids.ts'
import type { Row, Schema } from '../../model/schema.ts'
import type { Committable, ProbeContext, SinkContext, SinkWriter } from '../sink.ts'
import { KuduAccess } from './access.ts'
import type { KuduConnect, KuduTable, RefusedRow, Tablet } from './client.ts'
import type { Cell, KuduColumn } from './columns.ts'
import type { KuduSinkOptions } from './declaration.ts'
import { STATUS } from './errors.ts'
import { partitionKeyer, rangeHolding } from './partition-key.ts'
import { OPERATION, type Operation, RowOperations } from './row-operations.ts'
import { whyRefused } from './replaced-table.ts'
import { columnsToWrite, type WrittenColumn } from './table-columns.ts'

/** Then the subtask fails, and the job restarts from its checkpoint. */
const PATIENCE_MS = 600_000
/** One request a tablet and this many rows cost Kudu the least (measured: bench/README.md). */
const ROWS_A_REQUEST = 1000
/** Rows that wait while a request of their tablet is under way. */
const MOST_WAITING_ROWS = 4 * ROWS_A_REQUEST
const BYTES_A_REQUEST = 4 * 1024 * 1024

interface Opened {
  readonly table: KuduTable
  readonly columns: readonly WrittenColumn[]
  /** Those of the key, which are the first. */
  readonly keyColumns: readonly WrittenColumn[]
  readonly keyOf: (cells: readonly (Cell | null)[]) => Buffer
  readonly tablets: readonly Tablet[]
}

/** The rows that wait for one tablet, and the request that is on its way there. */
interface Lane {
  readonly tablet: Tablet
  operations: RowOperations
  underWay: Promise<void> | undefined
}

/**
 * Writes rows by their primary key. Everything is written before a checkpoint is prepared, and every operation does the
 * same when it is repeated after a restore, so the table ends as if each row was written once. A tablet gets one request
 * at a time, so changes of a key keep their order (KUDU-1767).
 */
export class KuduSinkWriter implements SinkWriter {
  readonly #context: SinkContext
  readonly #options: KuduSinkOptions
  readonly #access: KuduAccess
  readonly #lanes = new Map<string, Lane>()
  #opened: Opened | undefined
  /** The first error of a request that nobody waited for. */
  #failure: unknown

  constructor(context: SinkContext, options: KuduSinkOptions, connect: KuduConnect) {
    this.#context = context
    this.#options = options
    this.#access = new KuduAccess(connect, options, context)
  }

  async open(): Promise<void> {
    this.#opened = await this.#access.ask(`opening ${this.#options.table}`, PATIENCE_MS, async (client) => {
      const table = await client.openTable(this.#options.table)
      const columns = columnsToWrite(table, columnFields(this.#context.schema, this.#options), neededBy(this.#options))
      const places = table.columns.map((column) => columns.findIndex((written) => written.column.name === column.name))
      const keyer = partitionKeyer(
        columns.map(({ column }) => column),
        {
          hash: table.partitioning.hash.map((hash) => ({
            ...hash,
            columns: hash.columns.map((at) => places[at] ?? -1),
          })),
          range: table.partitioning.range.map((at) => places[at] ?? -1),
        },
      )
      const keyColumns = columns.filter(({ column }) => column.isKey)
      return { table, columns, keyColumns, keyOf: keyer, tablets: await client.tablets(table, 'anew') }
    })
  }

  async write(batch: Batch): Promise<void> {
    const rows = batch.rows()
    for (let index = 0; index < batch.count; index++) {
      const row = rows[index]
      if (row === undefined) continue
      const added = this.#add(row)
      const lane = added instanceof Promise ? await added : added
      const { count, sizeBytes } = lane.operations
      if (count < ROWS_A_REQUEST && sizeBytes < BYTES_A_REQUEST) continue
      // a tablet that is slower than the job holds the job back; the others have their rows meanwhile
      if (lane.underWay !== undefined && (count >= MOST_WAITING_ROWS || sizeBytes >= BYTES_A_REQUEST))
        await lane.underWay
      if (lane.underWay === undefined) this.#send(lane)
      this.#throwFailure()
    }
  }

  async prepareCommit(_checkpoint: CheckpointId): Promise<Committable[]> {
    await this.#flush()
    return []
  }

  async close(): Promise<void> {
    await this.#access.close()
  }

  async #flush(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lane) => this.#flushLane(lane)))
    this.#throwFailure()
  }

  async #flushLane(lane: Lane): Promise<void> {
    await lane.underWay
    if (lane.operations.count > 0) this.#send(lane)
    await lane.underWay
  }

  /** A promise only for a row of a tablet that is not known yet. */
  #add(row: Row): Lane | Promise<Lane> {
    const opened = this.#open()
    const { mode, tombstone } = this.#options
    const isDeleted = tombstone !== undefined && row[tombstone] === true
    const operation = isDeleted ? OPERATION.deleteIgnore : OPERATION[mode]
    const cells = (isDeleted ? opened.keyColumns : opened.columns).map(({ column, field, cellOf }) => {
      const value = row[field.name]
      if (value !== null && value !== undefined) return cellOf(value)
      if (column.isNullable) return null
      throw new MillraceError(
        'VALUE_INVALID',
        `${field.name} is null, and column ${column.name} of ${opened.table.name} takes none`,
        {
          domain: 'user',
          hint: 'Filter such rows, or give the field a value with set.',
        },
      )
    })
    const key = opened.keyOf(cells)
    const tablet = rangeHolding(opened.tablets, key)
    if (tablet !== undefined) return this.#put(tablet, operation, cells)
    return this.#newTablet(Buffer.from(key), row).then((found) => this.#put(found, operation, cells))
  }

  #put(tablet: Tablet, operation: Operation, cells: readonly (Cell | null)[]): Lane {
    const lane = this.#laneOf(tablet)
    lane.operations.add(operation, cells)
    return lane
  }

  /** A range partition may have been added; until it is, the row is waited for, and that is reported. */
  #newTablet(key: Buffer, row: Row): Promise<Tablet> {
    const { table } = this.#open()
    return this.#access.ask(`looking for the partition of a row of ${table.name}`, PATIENCE_MS, async (client) => {
      const tablets = await client.tablets(table, 'anew')
      this.#opened = { ...this.#open(), tablets }
      const found = rangeHolding(tablets, key)
      if (found !== undefined) return found
      const shown = table.columns.filter(({ isKey }) => isKey).map(({ name }) => `${name} ${String(row[name])}`)
      throw new MillraceError(
        'KUDU_RANGE_MISSING',
        `no range partition of the Kudu table ${table.name} holds ${shown.join(', ')}`,
        {
          domain: 'user',
          retriable: true,
          hint: 'Add the range partition: the job continues then.',
        },
      )
    })
  }

  #laneOf(tablet: Tablet): Lane {
    let lane = this.#lanes.get(tablet.id)
    if (lane === undefined)
      this.#lanes.set(tablet.id, (lane = { tablet, operations: this.#operations(), underWay: undefined }))
    return lane
  }

  #operations(): RowOperations {
    return new RowOperations(this.#named())
  }

  /** The columns that requests name. Kudu refuses deletes that do not name each column that takes no null. */
  #named(): readonly KuduColumn[] {
    const { table, columns } = this.#open()
    const { mode, tombstone } = this.#options
    const written = columns.map(({ column }) => column)
    if (mode !== 'deleteIgnore' && tombstone === undefined) return written
    return [...written, ...table.columns.filter((column) => !column.isNullable && !written.includes(column))]
  }

  #send(lane: Lane): void {
    const { operations } = lane
    lane.operations = this.#operations()
    lane.underWay = this.#request(lane.tablet, operations)
      .catch((error: unknown) => {
        this.#failure ??= error
      })
      .finally(() => {
        lane.underWay = undefined
      })
  }

  async #request(tablet: Tablet, operations: RowOperations): Promise<void> {
    const { table } = this.#open()
    const written = { ...table, columns: this.#named() }
    const write = this.#access.client.newWrite(tablet, operations)
    const refused = await this.#access.ask(
      `writing ${operations.count} rows to ${table.name}`,
      PATIENCE_MS,
      async (client) => {
        try {
          return await client.write(written, write)
        } catch (error) {
          throw await whyRefused(client, table, error)
        }
      },
    )
    for (const row of refused) this.#checkRefusal(row)
  }

  /** A server that forgot a request within its retries may have carried it out: the rows then say so. */
  #checkRefusal({ code, message }: RefusedRow): void {
    const { mode, table, tombstone } = this.#options
    if (code === STATUS.notFound && (mode === 'deleteIgnore' || tombstone !== undefined)) return
    if (code === STATUS.alreadyPresent && mode === 'insertIgnore') return
    throw new MillraceError('KUDU_ROW_REFUSED', `the Kudu table ${table} refused a row: ${message}`, { domain: 'user' })
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  #open(): Opened {
    if (this.#opened === undefined)
      throw new MillraceError('KUDU_SINK_NOT_OPEN', `the Kudu sink ${this.#context.operatorId} was used before open`)
    return this.#opened
  }
}

/** The fields that are columns. */
function columnFields({ fields }: Schema, { tombstone }: KuduSinkOptions): Schema {
  return { fields: fields.filter(({ name }) => name !== tombstone) }
}

function neededBy({ mode }: KuduSinkOptions): 'keys' | 'keys and values' {
  return mode === 'deleteIgnore' ? 'keys' : 'keys and values'
}

/** Looks whether rows of the schema could be written to the table. */
export async function probeTable(
  context: ProbeContext,
  options: KuduSinkOptions,
  connect: KuduConnect,
): Promise<string> {
  const access = new KuduAccess(connect, options, context)
  try {
    const table = await access.ask(`opening ${options.table}`, PATIENCE_MS, (client) => client.openTable(options.table))
    const { length } = columnsToWrite(table, columnFields(context.schema, options), neededBy(options))
    return `${length} of ${table.columns.length} columns of ${table.name}`
  } finally {
    await access.close()
  }
}
