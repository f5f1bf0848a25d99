import type { StateKey } from '../memory/state-key.ts'
import type { RecordTable } from './record-table.ts'
import type { Row } from '../model/schema.ts'
import type { ListTable, ValueTable } from './state-store.ts'

/** Tells whether a record's time to live goes on. */
export class Lifetime {
  readonly timed: boolean
  readonly #ttlMs: number
  readonly #now: () => number

  constructor(ttlMs: number | undefined, now: () => number) {
    this.timed = ttlMs !== undefined
    this.#ttlMs = ttlMs ?? Infinity
    this.#now = now
  }

  /** The time to write beside a record. */
  stamp(): number {
    return this.timed ? this.#now() : 0
  }

  /** Records last written at or before it are gone. */
  since(): number {
    return this.#now() - this.#ttlMs
  }

  /** For one operation: whether a record of `table` lives. */
  test(table: RecordTable): (a: number) => boolean {
    if (!this.timed) return () => true
    const { code } = table
    const since = this.since()
    return (a) => code.at(a) > since
  }
}

/** One row per key. */
export class LogValues implements ValueTable {
  readonly #table: RecordTable
  readonly #life: Lifetime

  constructor(table: RecordTable, life: Lifetime) {
    this.#table = table
    this.#life = life
  }

  expect(groups: Uint16Array, keys: readonly StateKey[], count: number): void {
    this.#table.code.touch(groups, keys, count, this.#table.groupAt)
  }

  get(group: number, key: StateKey): Row | undefined {
    this.#table.settle()
    const a = this.#table.find(group, key)
    return a === 0 || (this.#life.timed && !this.#life.test(this.#table)(a)) ? undefined : this.#table.code.row(a)
  }

  set(group: number, key: StateKey, row: Row): void {
    this.#table.code.put(this.#table.groupAt(group), key, undefined, row, this.#life.stamp(), 0)
    if (this.#life.timed) this.#table.sweep(group, this.#life.since())
  }

  delete(group: number, key: StateKey): boolean {
    if (!this.#life.timed) return this.#table.remove(group, key)
    const a = this.#table.find(group, key)
    if (a === 0) return false
    const found = this.#life.test(this.#table)(a)
    this.#table.remove(group, key)
    return found
  }

  each(group: number, visit: (key: StateKey, row: Row) => void): void {
    const { code } = this.#table
    const lives = this.#life.test(this.#table)
    this.#table.each(group, (a) => {
      if (lives(a)) visit(code.key(a), code.row(a))
    })
  }

  get size(): number {
    return this.#table.size
  }
}

/** Rows behind each other under a key. */
export class LogLists implements ListTable {
  readonly #table: RecordTable
  readonly #life: Lifetime

  constructor(table: RecordTable, life: Lifetime) {
    this.#table = table
    this.#life = life
  }

  append(group: number, key: StateKey, row: Row): void {
    this.#table.code.append(this.#table.groupAt(group), key, undefined, row, this.#life.stamp(), 0)
    this.#table.rows++
    if (this.#life.timed) this.#table.sweep(group, this.#life.since())
  }

  rows(group: number, key: StateKey): Row[] {
    this.#table.settle()
    const rows = this.#rowsOf(this.#table.find(group, key), this.#life.test(this.#table))
    this.#table.gather(group, key)
    return rows
  }

  retain(group: number, key: StateKey, keep: (row: Row) => boolean): number {
    const lives = this.#life.test(this.#table)
    let expired = 0
    const gone = this.#table.retain(group, key, (a) => {
      if (lives(a)) return keep(this.#table.code.row(a))
      expired++
      return false
    })
    return gone - expired
  }

  delete(group: number, key: StateKey): boolean {
    if (!this.#life.timed) return this.#table.remove(group, key)
    const a = this.#table.find(group, key)
    if (a === 0) return false
    const found = this.#life.test(this.#table)(a)
    this.#table.remove(group, key)
    return found
  }

  each(group: number, visit: (key: StateKey, rows: Row[]) => void): void {
    const lives = this.#life.test(this.#table)
    this.#table.each(group, (a) => {
      const rows = this.#rowsOf(a, lives)
      if (rows.length > 0) visit(this.#table.code.key(a), rows)
    })
  }

  get size(): number {
    return this.#table.size
  }

  #rowsOf(newest: number, lives: (a: number) => boolean): Row[] {
    const rows: Row[] = []
    for (const a of this.#table.chain(newest)) if (lives(a)) rows.push(this.#table.code.row(a))
    return rows
  }
}
