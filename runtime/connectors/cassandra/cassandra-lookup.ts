import { MillraceError } from '../../model/errors.ts'
import { memberOf } from '../../model/fields.ts'
import type { Table, TableRow } from '../../ports/table.ts'
import type { TableContext } from '../table.ts'
import { CassandraAccess } from './access.ts'
import { type CassandraConnect, type CassandraRow, quotedName } from './client.ts'
import type { CassandraTableOptions } from './declaration.ts'
import { columnsToAsk, columnsToRead, nameOf, type ReadColumn, type WrittenColumn } from './table-columns.ts'

/** Then the subtask fails, or the call by its own time limit. */
const PATIENCE_MS = 600_000

interface Opened {
  readonly name: string
  readonly cql: string
  readonly asked: readonly WrittenColumn[]
  readonly read: readonly ReadColumn[]
}

/** Rows of a Cassandra table by their key, as the replicas have them now. */
export class CassandraLookup implements Table {
  readonly #access: CassandraAccess
  readonly #opened: Opened

  private constructor(access: CassandraAccess, opened: Opened) {
    this.#access = access
    this.#opened = opened
  }

  /** As TableConnector.open. */
  static async open(
    context: TableContext,
    options: CassandraTableOptions,
    connect: CassandraConnect,
  ): Promise<CassandraLookup> {
    const access = new CassandraAccess(connect, options, context)
    const { keyspace, table: name } = options
    try {
      const table = await access.ask(`opening ${keyspace}.${name}`, PATIENCE_MS, (client) =>
        client.openTable(keyspace, name),
      )
      const asked = columnsToAsk(table, context.key)
      const read = columnsToRead(table, context.output)
      const wanted = read.map(({ column }) => quotedName(column.name)).join(', ')
      const where = asked.map(({ column }) => `${quotedName(column.name)} = ?`).join(' AND ')
      const cql = `SELECT ${wanted} FROM ${quotedName(keyspace)}.${quotedName(name)} WHERE ${where} LIMIT 2`
      return new CassandraLookup(access, { name: nameOf(table), cql, asked, read })
    } catch (error) {
      await access.close()
      throw error
    }
  }

  async find(values: readonly unknown[], signal: AbortSignal): Promise<readonly TableRow[]> {
    const { name, cql, asked, read } = this.#opened
    const statement = {
      cql,
      values: asked.map(({ cellOf }, index) => cellOf(values[index])),
      types: asked.map(({ column }) => column.type),
      reads: read.map(({ column }) => column),
    }
    const found = await this.#access.ask(
      `looking up a row of ${name}`,
      PATIENCE_MS,
      (client) => client.execute(statement),
      signal,
    )
    return found.map((row) => this.#rowOf(row))
  }

  close(): Promise<void> {
    return this.#access.close()
  }

  #rowOf(row: CassandraRow): TableRow {
    return Object.fromEntries(
      this.#opened.read.map(({ column, field, valueOf }) => {
        const cell = memberOf(row, column.name) ?? null
        const value = cell === null ? null : valueOf(cell)
        if (value !== undefined) return [field.name, value]
        throw new MillraceError(
          'VALUE_INVALID',
          `column ${column.name} of ${this.#opened.name} is ${String(cell)}, which the field ${field.name} cannot hold`,
          { domain: 'user' },
        )
      }),
    )
  }
}
