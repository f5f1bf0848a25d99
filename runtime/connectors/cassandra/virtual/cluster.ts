import { MillraceError } from '../../../model/errors.ts'
import type { CassandraClient, CassandraColumn, CassandraRow, CassandraTable, Statement } from '../client.ts'
import type { Cell } from '../types.ts'

/** A request is not carried out, or it is and nobody hears of it. */
export type Mishap = 'refused' | 'unheard'

interface Version {
  readonly cell: Cell | null
  readonly time: bigint
}

/**
 * One table in memory, of whose writes the later one stays, and of those of one time the deletion, as Cassandra has it. It understands the statements
 * that the sink and the lookups make, and no others.
 */
export class VirtualCassandra {
  readonly table: CassandraTable
  /** The mishaps that the next requests meet, in turn; none once it is empty. */
  readonly mishaps: (Mishap | undefined)[] = []
  readonly statements: Statement[] = []
  readonly #rows = new Map<string, Map<string, Version>>()
  readonly #turn: () => Promise<void>

  /** `turn` resolves when a request arrives: tests let requests overtake each other. */
  constructor(
    columns: readonly CassandraColumn[],
    key: Pick<CassandraTable, 'partitionKey' | 'clusteringKey'>,
    turn: () => Promise<void> = () => Promise.resolve(),
  ) {
    this.table = { keyspace: 'shop', name: 'orders', columns, ...key }
    this.#turn = turn
  }

  connect(): CassandraClient {
    return {
      openTable: async (keyspace, name) => {
        if (keyspace === this.table.keyspace && name === this.table.name) return this.table
        throw new MillraceError('CASSANDRA_TABLE_UNKNOWN', `no table ${keyspace}.${name}`, {
          domain: 'user',
          retriable: true,
        })
      },
      execute: async (statement) => {
        await this.#turn()
        const mishap = this.mishaps.shift()
        const rows: readonly CassandraRow[] = mishap === 'refused' ? [] : this.#carryOut(statement)
        if (mishap === undefined) return rows
        throw new MillraceError('CASSANDRA_UNAVAILABLE', mishap, { domain: 'dependency', retriable: true })
      },
      close: async () => undefined,
    }
  }

  /** All rows that are there, by their keys. */
  rows(): CassandraRow[] {
    const rows = [...this.#rows.keys()].sort().map((key) => this.#rowAt(key))
    return rows.filter((row) => row !== undefined)
  }

  #carryOut(statement: Statement): readonly CassandraRow[] {
    this.statements.push(statement)
    const names = [...statement.cql.matchAll(/"(\w+)"(?= = \?|, |\) VALUES)/g)].map(([, name = '']) => name)
    if (statement.cql.startsWith('SELECT')) return this.#select(statement)
    const cells = new Map(names.slice(-statement.values.length).map((name, index) => [name, statement.values[index]]))
    const key = this.#keyText((name) => cells.get(name))
    const row = this.#rows.get(key) ?? new Map<string, Version>()
    this.#rows.set(key, row)
    const time = statement.writeTime ?? 0n
    const deletes = statement.cql.startsWith('DELETE')
    const written = deletes ? this.table.columns.map(({ name }) => [name, null] as const) : [...cells]
    for (const [name, cell] of written) {
      const known = row.get(name)
      if (cell !== undefined && (known === undefined || known.time < time || (deletes && known.time === time)))
        row.set(name, { cell, time })
    }
    return []
  }

  #select({ values }: Statement): readonly CassandraRow[] {
    const found = this.#rowAt(JSON.stringify(values.map(String)))
    return found === undefined ? [] : [found]
  }

  #rowAt(key: string): CassandraRow | undefined {
    const row = this.#rows.get(key)
    if (row === undefined || [...row.values()].every(({ cell }) => cell === null)) return undefined
    return Object.fromEntries([...row].map(([name, { cell }]) => [name, cell]))
  }

  #keyText(cellOf: (name: string) => Cell | null | undefined): string {
    const { partitionKey, clusteringKey } = this.table
    return JSON.stringify([...partitionKey, ...clusteringKey].map((name) => String(cellOf(name))))
  }
}
