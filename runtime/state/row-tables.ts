import type { StateKey } from '../memory/state-key.ts'
import type { ChangedKeys } from './changed-keys.ts'
import type { RecordTable } from './record-table.ts'
import type { Row } from '../model/schema.ts'
import type { Change, ListTable, TableChanges, ValueTable } from './state-store.ts'

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
export class LogValues implements ValueTable, TableChanges {
  readonly #table: RecordTable
  readonly #life: Lifetime
  /** Of a table that is mirrored. */
  readonly #changed: ChangedKeys | undefined

  constructor(table: RecordTable, life: Lifetime, changed: ChangedKeys | undefined) {
    this.#table = table
    this.#life = life
    this.#changed = changed
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
    this.#changed?.add(group, key)
    if (this.#life.timed) this.#table.sweep(group, this.#life.since(), this.#goneOf(group))
  }

  delete(group: number, key: StateKey): boolean {
    this.#changed?.add(group, key)
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

  *take(): Generator<Change> {
    const changed = this.#changed
    if (changed === undefined) return
    for (const group of changed.takeGroups())
      this.#table.each(group, (a) => {
        changed.add(group, this.#table.code.key(a))
      })
    if (this.#life.timed)
      for (const group of this.#table.groups.keys()) this.#table.expire(group, this.#life.since(), this.#goneOf(group))
    for (const [group, keys] of changed.take())
      for (const key of keys.keys()) yield { key, userKey: undefined, row: this.get(group, key) }
  }

  get size(): number {
    return this.#table.size
  }

  /** Hears of entries that expire, where somebody must know. */
  #goneOf(group: number): ((a: number) => void) | undefined {
    const changed = this.#changed
    if (changed === undefined) return undefined
    return (a) => {
      changed.add(group, this.#table.code.key(a))
    }
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
