import type { Batch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { CheckpointId } from '../../model/ids.ts'
import type { Field, Row, Schema } from '../../model/schema.ts'
import type { Committable, ProbeContext, SinkContext, SinkWriter } from '../sink.ts'
import { CassandraAccess } from './access.ts'
import { type CassandraConnect, type CassandraTable, quotedName, type Statement } from './client.ts'
import type { CassandraSinkOptions } from './declaration.ts'
import { OpenTable } from './open-table.ts'
import { columnsToWrite, keyOf, nameOf, type WrittenColumn } from './table-columns.ts'

const MICROS_A_MILLI = 1000n

interface Plan {
  readonly table: CassandraTable
  readonly columns: readonly WrittenColumn[]
  /** Where the fields of the columns stand in the schema. */
  readonly places: readonly number[]
  readonly cql: string
}

/**
 * Writes rows by their primary key. Everything is written before a checkpoint is prepared, and a write does the same
 * when it is repeated, so the table ends as if each row was written once.
 *
 * Requests of one key may be under way side by side, and one may be tried again after a later one has passed. Each
 * write therefore carries a time of its own, which stays the same over its tries: Cassandra keeps the later one.
 */
export class CassandraSinkWriter implements SinkWriter {
  readonly #context: SinkContext
  readonly #options: CassandraSinkOptions
  readonly #access: CassandraAccess
  readonly #underWay = new Set<Promise<void>>()
  #table: OpenTable<Plan> | undefined
  #lastWriteTime = 0n
  /** The first error of a request that nobody waited for. */
  #failure: { readonly error: unknown } | undefined

  constructor(context: SinkContext, options: CassandraSinkOptions, connect: CassandraConnect) {
    this.#context = context
    this.#options = options
    this.#access = new CassandraAccess(connect, options, context)
  }

  async open(): Promise<void> {
    this.#table = await openTable(this.#access, this.#options, this.#context.schema)
  }

  async write(batch: Batch): Promise<void> {
    const rows = batch.rows()
    for (let index = 0; index < batch.count; index++) {
      this.#send(rows[index] as Row)
      while (this.#underWay.size >= this.#options.inFlight) await Promise.race(this.#underWay)
      this.#throwFailure()
    }
  }

  async prepareCommit(_checkpoint: CheckpointId): Promise<Committable[]> {
    await Promise.all(this.#underWay)
    this.#throwFailure()
    return []
  }

  async close(): Promise<void> {
    await this.#access.close()
  }

  #send(row: Row): void {
    const table = this.#open()
    const { plan } = table
    // the row is its batch's, which may be gone when the statement is made anew
    const values = this.#context.schema.fields.map(({ name }) => row[name])
    const writeTime = this.#writeTimeOf(row)
    const statement = this.#statementOf(plan, values, writeTime)
    const request = table
      .ask(`writing a row to ${nameOf(plan.table)}`, (current) =>
        current === plan ? statement : this.#statementOf(current, values, writeTime),
      )
      .then(
        () => undefined,
        (error: unknown) => {
          this.#failure ??= { error }
        },
      )
      .finally(() => {
        this.#underWay.delete(request)
      })
    this.#underWay.add(request)
  }

  #statementOf({ table, columns, places, cql }: Plan, values: readonly unknown[], writeTime: bigint): Statement {
    return {
      cql,
      values: columns.map((column, index) => this.#cellOf(table, column, values[places[index] ?? -1])),
      types: columns.map(({ column }) => column.type),
      writeTime,
    }
  }

  #cellOf(
    table: CassandraTable,
    { column, field, cellOf, notInKey }: WrittenColumn,
    value: unknown,
  ): Statement['values'][number] {
    if (value !== null && value !== undefined) {
      const cell = cellOf(value)
      const why = notInKey(cell)
      if (why === undefined) return cell
      throw new MillraceError('VALUE_INVALID', `${field.name} ${why}; it is part of the key of ${nameOf(table)}`, {
        domain: 'user',
      })
    }
    if (keyOf(table).includes(column.name))
      throw new MillraceError('VALUE_INVALID', `${field.name} is null, and is part of the key of ${nameOf(table)}`, {
        domain: 'user',
        hint: 'Filter such rows, or give the field a value with set.',
      })
    return this.#options.nulls === 'skip' ? undefined : null
  }

  /** Later for each row, also within a microsecond and when the clock is set back. */
  #writeTimeOf(row: Row): bigint {
    const { writeTime } = this.#options
    if (writeTime !== undefined) return BigInt(Number(row[writeTime])) * MICROS_A_MILLI
    const now = BigInt(this.#context.ports.clock.now()) * MICROS_A_MILLI
    this.#lastWriteTime = now > this.#lastWriteTime ? now : this.#lastWriteTime + 1n
    return this.#lastWriteTime
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #open(): OpenTable<Plan> {
    if (this.#table === undefined)
      throw new MillraceError('CASSANDRA_SINK_NOT_OPEN', `the sink ${this.#context.operatorId} was used before open`)
    return this.#table
  }
}

/** Looks whether rows of the schema could be written to the table. */
export async function probeTable(
  context: ProbeContext,
  options: CassandraSinkOptions,
  connect: CassandraConnect,
): Promise<string> {
  const access = new CassandraAccess(connect, options, context)
  try {
    const { table, columns } = (await openTable(access, options, context.schema)).plan
    return `${columns.length} of ${table.columns.length} columns of ${nameOf(table)}`
  } finally {
    await access.close()
  }
}

function openTable(access: CassandraAccess, options: CassandraSinkOptions, schema: Schema): Promise<OpenTable<Plan>> {
  return OpenTable.open(access, options, (table) => {
    const fields = fieldsWritten(table, options, schema)
    const columns = columnsToWrite(table, fields)
    const places = columns.map(({ field }) => schema.fields.indexOf(field))
    return { table, columns, places, cql: statementText(table, columns, options) }
  })
}

/** A field that only says the time of the write need be no column. */
function fieldsWritten(
  table: CassandraTable,
  { mode, writeTime }: CassandraSinkOptions,
  { fields }: Schema,
): readonly Field[] {
  const key = keyOf(table)
  return fields.filter(({ name }) => {
    if (mode === 'delete') return key.includes(name)
    return name !== writeTime || table.columns.some((column) => column.name === name)
  })
}

function statementText(
  { keyspace, name }: CassandraTable,
  columns: readonly WrittenColumn[],
  { mode, ttl }: CassandraSinkOptions,
): string {
  const table = `${quotedName(keyspace)}.${quotedName(name)}`
  const names = columns.map(({ column }) => quotedName(column.name))
  if (mode === 'delete') return `DELETE FROM ${table} WHERE ${names.map((one) => `${one} = ?`).join(' AND ')}`
  const expiry = ttl === undefined ? '' : ` USING TTL ${Math.ceil(ttl / 1000)}`
  return `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})${expiry}`
}
