import { MillraceError } from '../../model/errors.ts'
import { clipped } from '../../model/clipped.ts'
import { memberOf } from '../../model/fields.ts'
import type { Table, TableRow } from '../../ports/table.ts'
import type { TableContext } from '../table.ts'
import { CassandraAccess } from './access.ts'
import { type CassandraConnect, type CassandraRow, type CassandraTable, quotedName, type Statement } from './client.ts'
import type { CassandraTableOptions } from './declaration.ts'
import { OpenTable } from './open-table.ts'
import { columnsToAsk, columnsToRead, nameOf, type ReadColumn, type WrittenColumn } from './table-columns.ts'

interface Plan {
  readonly name: string
  readonly cql: string
  readonly asked: readonly WrittenColumn[]
  readonly read: readonly ReadColumn[]
}

/** Rows of a Cassandra table by their key, as the replicas have them now. */
export class CassandraLookup implements Table {
  readonly #access: CassandraAccess
  readonly #table: OpenTable<Plan>

  private constructor(access: CassandraAccess, table: OpenTable<Plan>) {
    this.#access = access
    this.#table = table
  }

  /** As TableConnector.open. */
  static async open(
    context: TableContext,
    options: CassandraTableOptions,
    connect: CassandraConnect,
  ): Promise<CassandraLookup> {
    const access = new CassandraAccess(connect, options, context)
    try {
      return new CassandraLookup(access, await OpenTable.open(access, options, (table) => planOf(table, context)))
    } catch (error) {
      await access.close()
      throw error
    }
  }

  async find(values: readonly unknown[], signal: AbortSignal): Promise<readonly TableRow[]> {
    // no row can have them, and Cassandra would call the question wrong
    if (this.#table.plan.asked.some(({ cellOf, notInKey }, at) => notInKey(cellOf(values[at])) !== undefined)) return []
    const { plan, rows } = await this.#table.ask(
      `looking up a row of ${this.#table.plan.name}`,
      (current) => statementOf(current, values),
      signal,
    )
    return rows.map((row) => rowOf(plan, row))
  }

  close(): Promise<void> {
    return this.#access.close()
  }
}

function planOf(table: CassandraTable, { key, output }: TableContext): Plan {
  const asked = columnsToAsk(table, key)
  const read = columnsToRead(table, output)
  const wanted = read.map(({ column }) => quotedName(column.name)).join(', ')
  const where = asked.map(({ column }) => `${quotedName(column.name)} = ?`).join(' AND ')
  const cql = `SELECT ${wanted} FROM ${quotedName(table.keyspace)}.${quotedName(table.name)} WHERE ${where} LIMIT 2`
  return { name: nameOf(table), cql, asked, read }
}

function statementOf({ cql, asked, read }: Plan, values: readonly unknown[]): Statement {
  return {
    cql,
    values: asked.map(({ cellOf }, index) => cellOf(values[index])),
    types: asked.map(({ column }) => column.type),
    reads: read.map(({ column }) => column),
  }
}

function rowOf({ name, read }: Plan, row: CassandraRow): TableRow {
  return Object.fromEntries(
    read.map(({ column, field, valueOf }) => {
      const cell = memberOf(row, column.name) ?? null
      const value = cell === null ? null : valueOf(cell)
      if (value !== undefined) return [field.name, value]
      throw new MillraceError(
        'VALUE_INVALID',
        `column ${column.name} of ${name} is ${clipped(String(cell))}, which the field ${field.name} cannot hold`,
        { domain: 'user' },
      )
    }),
  )
}
