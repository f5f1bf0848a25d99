import type { Batch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { CheckpointId } from '../../model/ids.ts'
import { fieldsOf, type Field, type Row } from '../../model/schema.ts'
import type { Committable, ProbeContext, SinkContext, SinkWriter } from '../sink.ts'
import { inLanes } from '../kit/lanes.ts'
import { cellCoder, writtenCell, type CellCoder } from './cells.ts'
import type { SentRow } from './cell-set.ts'
import type { HbaseSinkOptions } from './declaration.ts'
import { columnsToWrite, keyNames, type FieldColumn } from './declared/fields.ts'
import { familyOf, HbaseGateway } from './gateway.ts'
import { keyBytes, keyWriter, type KeyOf } from './row-key.ts'

/** A request is sent when its values have this many bytes, whatever the number of its rows. */
const BYTES_A_REQUEST = 2 * 1024 * 1024
/** `hbase.client.keyvalue.maxsize`, 10 MiB by default, with the key, the column and 20 bytes about them. */
const MOST_CELL_BYTES = 10 * 1024 * 1024 - 1024
/** Deletions of a request's rows under way side by side: the gateway takes one row a call. */
const DELETIONS = 8

interface WrittenColumn extends FieldColumn {
  /** In base64. */
  readonly sent: string
  readonly coder: CellCoder
}

/** The values that wait for a key, by column: in base64, null to delete one, undefined to leave it. */
interface WaitingRow {
  readonly key: string
  /** Undefined: that of the request. */
  readonly time: number | undefined
  readonly values: (string | null | undefined)[]
}

/**
 * Writes rows by their key. Everything is written before a checkpoint is prepared, and a write does the same when it is
 * repeated, so the table ends as if each row was written once.
 *
 * Requests may be under way side by side, and one may be carried out after a later one, even after it was given up. Each
 * therefore carries a version of its own, which stays the same over its tries and is later than that of the requests
 * before: HBase keeps the later one. A key is in a request once, for a deletion hides values of its own version.
 */
export class HbaseSinkWriter implements SinkWriter {
  readonly #context: SinkContext
  readonly #options: HbaseSinkOptions
  readonly #gateway: HbaseGateway
  readonly #columns: readonly WrittenColumn[]
  readonly #keyFields: readonly Field[]
  readonly #keyOf: KeyOf
  readonly #underWay = new Set<Promise<void>>()
  #waiting = new Map<string, WaitingRow>()
  #waitingBytes = 0
  #cancelLinger: (() => void) | undefined
  #families: readonly string[] = []
  #lastTime = 0
  /** The first error of a request that nobody waited for. */
  #failure: { readonly error: unknown } | undefined

  constructor(context: SinkContext, options: HbaseSinkOptions) {
    const { rowKey, encoding } = options
    this.#context = context
    this.#options = options
    this.#gateway = new HbaseGateway(options, context)
    this.#columns = columnsToWrite(options, context.schema).map(({ column, field }) => ({
      column,
      field,
      sent: Buffer.from(column).toString('base64'),
      coder: cellCoder(field, encoding),
    }))
    this.#keyFields = fieldsOf(context.schema, keyNames(rowKey))
    this.#keyOf = keyWriter(this.#keyFields, typeof rowKey === 'string' ? 'field' : 'list', encoding)
  }

  async open(): Promise<void> {
    this.#families = await this.#gateway.open(this.#columns.map(({ column }) => familyOf(column)))
  }

  async write(batch: Batch): Promise<void> {
    const rows = batch.rows()
    for (let index = 0; index < batch.count; index++) {
      this.#add(rows[index] as Row)
      if (this.#waiting.size < this.#options.rows && this.#waitingBytes < BYTES_A_REQUEST) continue
      while (this.#underWay.size >= this.#options.inFlight) await Promise.race(this.#underWay)
      this.#throwFailure()
      this.#send()
    }
    this.#throwFailure()
    this.#linger()
  }

  async prepareCommit(_checkpoint: CheckpointId): Promise<Committable[]> {
    this.#send()
    await Promise.all(this.#underWay)
    this.#throwFailure()
    return []
  }

  async close(): Promise<void> {
    this.#cancelLinger?.()
    this.#gateway.close()
    await Promise.all(this.#underWay)
  }

  #add(row: Row): void {
    const key = this.#keyText(row)
    const { timestamp, nulls } = this.#options
    const time = timestamp === undefined ? undefined : versionOf(timestamp, row[timestamp])
    const values = this.#columns.map((column) => valueOf(column, row[column.field.name], nulls))
    const place = time === undefined ? key : `${key}@${time}`
    const known = this.#waiting.get(place)
    this.#waitingBytes += key.length + values.reduce((sum, value) => sum + (value?.length ?? 0), 0)
    if (known === undefined) this.#waiting.set(place, { key, time, values })
    else for (const [at, value] of values.entries()) if (value !== undefined) known.values[at] = value
  }

  #keyText(row: Row): string {
    const values = this.#keyFields.map(({ name }) => {
      const value = row[name]
      if (value !== null && value !== undefined) return value
      throw new MillraceError('VALUE_INVALID', `${name} is null, and is part of the key of ${this.#options.table}`, {
        domain: 'user',
        hint: 'Filter such rows, or give the field a value with set.',
      })
    })
    return keyBytes(this.#keyOf(values)).toString('base64')
  }

  #linger(): void {
    if (this.#waiting.size === 0 || this.#cancelLinger !== undefined) return
    this.#cancelLinger = this.#context.ports.clock.after(this.#options.linger, () => {
      this.#cancelLinger = undefined
      // requests that are slower than the job are not made more by small ones
      if (this.#underWay.size >= this.#options.inFlight) this.#linger()
      else this.#send()
    })
  }

  #send(): void {
    this.#cancelLinger?.()
    this.#cancelLinger = undefined
    if (this.#waiting.size === 0 || this.#failure !== undefined) return
    const rows = [...this.#waiting.values()]
    this.#waiting = new Map()
    this.#waitingBytes = 0
    this.#lastTime = Math.max(this.#context.ports.clock.now(), this.#lastTime + 1)
    const request = this.#request(rows, this.#lastTime)
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => {
        this.#underWay.delete(request)
      })
    this.#underWay.add(request)
  }

  async #request(rows: readonly WaitingRow[], now: number): Promise<void> {
    const put = rows.map((row) => this.#sentRow(row, now)).filter(({ cells }) => cells.length > 0)
    if (put.length > 0) await this.#gateway.put(put)
    const deletions = rows.map((row) => this.#deleted(row)).entries()
    await inLanes(DELETIONS, deletions, async ([at, columns]) => {
      const row = rows[at]
      if (row !== undefined && columns.length > 0) await this.#gateway.delete(row.key, columns, row.time ?? now)
    })
  }

  #sentRow({ key, time, values }: WaitingRow, now: number): SentRow {
    const cells = this.#columns.flatMap(({ sent }, at) => {
      const value = values[at]
      return value === null || value === undefined ? [] : [{ column: sent, value }]
    })
    return { key, time: time ?? now, cells }
  }

  /** The columns, or families, of the row that are deleted, in base64. */
  #deleted({ values }: WaitingRow): readonly string[] {
    if (this.#options.mode === 'delete') return this.#families.map((family) => Buffer.from(family).toString('base64'))
    return this.#columns.filter((_, at) => values[at] === null).map(({ sent }) => sent)
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }
}

/** Looks whether rows of the schema could be written to the table. */
export async function probeTable(context: ProbeContext, options: HbaseSinkOptions): Promise<string> {
  const gateway = new HbaseGateway(options, context)
  const columns = columnsToWrite(options, context.schema)
  try {
    const families = await gateway.open(columns.map(({ column }) => familyOf(column)))
    return `${columns.length} columns of ${options.table}, which has the families ${families.join(', ')}`
  } finally {
    gateway.close()
  }
}

function valueOf(
  { field, column, coder }: WrittenColumn,
  value: unknown,
  nulls: HbaseSinkOptions['nulls'],
): string | null | undefined {
  if (value === null || value === undefined) return nulls === 'skip' ? undefined : null
  const bytes = writtenCell(coder, field.name, value)
  if (bytes.length <= MOST_CELL_BYTES) return bytes.toString('base64')
  throw new MillraceError(
    'VALUE_INVALID',
    `${field.name} has ${bytes.length} bytes; a cell of ${column} has at most ${MOST_CELL_BYTES}`,
    { domain: 'user' },
  )
}

/** HBase takes no version before 1970. */
function versionOf(name: string, value: unknown): number {
  const time = Number(value)
  if (time >= 0) return time
  throw new MillraceError('VALUE_INVALID', `${name} is ${new Date(time).toISOString()}; no cell is older than 1970`, {
    domain: 'user',
  })
}
