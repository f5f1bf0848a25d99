import { MillraceError } from '../../../model/errors.ts'
import { REFUSED, type CassandraClient, type CassandraRow, type CassandraTable, type Statement } from '../client.ts'
import { COLUMNS } from '../store/store-table.ts'
import type { Cell } from '../types.ts'

/**
 * A request is not carried out; it is and nobody hears of it; or nobody hears of it and the replicas have not decided: the
 * next one that they decide on the same partition ends it first.
 */
export type StoreMishap = 'refused' | 'unheard' | 'undecided'

type Values = ReadonlyMap<string, Cell | null | undefined>

interface StoredRow {
  readonly key: readonly Cell[]
  readonly cells: Map<string, Cell | null>
  readonly time: bigint
}

const KEY = ['place', 'path', 'generation', 'part'] as const

/**
 * The table of a store in memory. Conditional writes are ordered as they come, plain ones by the times they carry, and a
 * deletion of a partition hides all that is not newer, also what is written later. It understands the statements of the
 * store, and no others.
 */
export class VirtualStoreCassandra {
  /** Asked for each request. */
  mishapOf: (statement: Statement) => StoreMishap | undefined = () => undefined
  /** Undefined: there is no keyspace. */
  table: CassandraTable | 'absent' | undefined = 'absent'
  /** Why tables may not be made. */
  forbids: string | undefined
  readonly statements: Statement[] = []
  /** By the texts of their keys. */
  readonly rows = new Map<string, StoredRow>()
  readonly #deleted = new Map<string, bigint>()
  readonly #undecided = new Map<string, (() => void)[]>()

  connect(): CassandraClient {
    return {
      openTable: async (keyspace, name) => {
        if (this.table !== undefined && this.table !== 'absent') return this.table
        throw new MillraceError('CASSANDRA_TABLE_UNKNOWN', `no table ${keyspace}.${name}`, {
          domain: 'user',
          retriable: true,
        })
      },
      execute: async (statement) => {
        // as over a network, others come in between
        await Promise.resolve()
        return this.#meet(statement)
      },
      close: async () => undefined,
    }
  }

  #meet(statement: Statement): readonly CassandraRow[] {
    this.statements.push(statement)
    const mishap = this.mishapOf(statement)
    if (mishap === undefined) return this.#carryOut(statement)
    if (mishap === 'unheard') this.#carryOut(statement)
    else if (mishap === 'undecided' && isDecided(statement)) {
      const place = String(valuesOf(statement).get('place'))
      this.#undecided.set(place, [...(this.#undecided.get(place) ?? []), () => void this.#carryOut(statement)])
    }
    throw new MillraceError('CASSANDRA_UNAVAILABLE', mishap, { domain: 'dependency', retriable: true })
  }

  #carryOut(statement: Statement): readonly CassandraRow[] {
    const { cql } = statement
    if (cql.startsWith('SELECT keyspace_name'))
      return this.table === undefined ? [] : [{ keyspace_name: statement.values[0] ?? null }]
    if (cql.startsWith('CREATE TABLE')) return this.#create()
    if (this.table === undefined || this.table === 'absent')
      throw new MillraceError(REFUSED, 'unconfigured table', { domain: 'user' })
    const values = valuesOf(statement)
    const place = String(values.get('place'))
    if (isDecided(statement)) this.#decide(place)
    if (cql.startsWith('SELECT')) return this.#select(statement, place)
    if (!cql.includes(' IF ')) return this.#writePlainly(statement, values)
    return [{ '[applied]': this.#writeIf(statement, values) }]
  }

  #decide(place: string): void {
    const waiting = this.#undecided.get(place) ?? []
    this.#undecided.delete(place)
    for (const carryOut of waiting) carryOut()
  }

  #create(): readonly CassandraRow[] {
    if (this.forbids !== undefined)
      throw new MillraceError('CASSANDRA_FORBIDDEN', this.forbids, { domain: 'user', retriable: true })
    if (this.table === 'absent') this.table = storeTable()
    return []
  }

  #writeIf({ cql }: Statement, values: Values): boolean {
    const key = KEY.map((name) => values.get(name) ?? null) as readonly Cell[]
    const text = textOf(key)
    const known = this.rows.get(text)
    if (cql.includes('IF EXISTS') && known === undefined) return false
    if (cql.includes('IF NOT EXISTS') && known !== undefined) return false
    if (cql.includes('IF state != ?') && known?.cells.get('state') === values.get('state')) return false
    if (cql.startsWith('DELETE')) this.rows.delete(text)
    else {
      const written = [...values].filter(([name]) => !KEY.some((one) => one === name)) as [string, Cell | null][]
      this.rows.set(text, { key, cells: new Map([...(known?.cells ?? []), ...written]), time: 0n })
    }
    return true
  }

  #writePlainly({ cql, writeTime = 0n }: Statement, values: Values): readonly CassandraRow[] {
    const place = String(values.get('place'))
    if (cql.startsWith('DELETE')) {
      if (writeTime > (this.#deleted.get(place) ?? -1n)) this.#deleted.set(place, writeTime)
      for (const [text, { key, time }] of this.rows) if (key[0] === place && time <= writeTime) this.rows.delete(text)
    } else if (writeTime > (this.#deleted.get(place) ?? -1n)) {
      const key = KEY.map((name) => values.get(name) ?? null) as readonly Cell[]
      this.rows.set(textOf(key), { key, cells: new Map([['bytes', values.get('bytes') ?? null]]), time: writeTime })
    }
    return []
  }

  #select({ cql, values, reads = [] }: Statement, place: string): readonly CassandraRow[] {
    const [, path, generation, part] = values
    const inPlace = [...this.rows.values()].filter(({ key }) => key[0] === place)
    const limit = Number(/LIMIT (\d+)/.exec(cql)?.[1] ?? inPlace.length)
    const end = cql.includes('(path) < (?)') ? String(values[4]) : undefined
    const isWanted = ({ key }: StoredRow): boolean => {
      if (cql.includes('(path, generation, part) > (?, ?, ?)'))
        return (
          compareKeys(key.slice(1), [path ?? '', generation ?? '', part ?? 0]) > 0 &&
          (end === undefined || compareCells(key[1] ?? '', end) < 0)
        )
      return (
        !cql.includes('path = ?') ||
        (key[1] === path && (!cql.includes('generation = ?') || (key[2] === generation && key[3] === part)))
      )
    }
    return inPlace
      .filter(isWanted)
      .sort((one, other) => compareKeys(one.key, other.key))
      .slice(0, limit)
      .map(({ key, cells }) => {
        const all = new Map([...KEY.map((name, at) => [name, key[at] ?? null] as const), ...cells])
        return Object.fromEntries(reads.map(({ name }) => [name, all.get(name) ?? null]))
      })
  }
}

export function storeTable(): CassandraTable {
  return {
    keyspace: 'streams',
    name: 'state',
    columns: Object.values(COLUMNS),
    partitionKey: ['place'],
    clusteringKey: ['path', 'generation', 'part'],
  }
}

/** Whether the replicas decide on it together. */
function isDecided({ cql, consistency }: Statement): boolean {
  return cql.includes(' IF ') || consistency?.endsWith('SERIAL') === true
}

/** The bound values by the names of their columns, of which some stand in the key and in the condition. */
function valuesOf({ cql, values }: Statement): Values {
  const inserted = /\(([^)]*)\) VALUES/.exec(cql)?.[1]?.split(', ')
  const names = inserted ?? [...cql.matchAll(/(\w+) !?= \?/g)].map(([, name = '']) => name)
  return new Map(names.map((name, at) => [name, values[at]]))
}

function textOf(key: readonly Cell[]): string {
  return JSON.stringify(key)
}

function compareKeys(one: readonly Cell[], other: readonly Cell[]): number {
  for (const [at, cell] of one.entries()) {
    const order = compareCells(cell, other[at] ?? '')
    if (order !== 0) return order
  }
  return 0
}

function compareCells(one: Cell, other: Cell): number {
  return typeof one === 'number' && typeof other === 'number'
    ? one - other
    : Buffer.compare(Buffer.from(String(one)), Buffer.from(String(other)))
}
