import type { StateKey } from '../../../runtime/memory/state-key.ts'
import { MillraceError } from '../../../runtime/model/errors.ts'
import type { FrozenState, GroupState } from '../../../runtime/model/snapshot.ts'
import type { Row } from '../../../runtime/model/schema.ts'
import type { Timestamp } from '../../../runtime/model/time.ts'
import { copiedState } from '../../../runtime/state/copied-state.ts'
import { readBlock, writeBlock } from '../../../runtime/state/state-block.ts'
import type {
  ListTable,
  MapTable,
  StateMemory,
  StateOptions,
  StateShape,
  StateStore,
  TableShape,
  TimerTable,
  ValueTable,
} from '../../../runtime/state/state-store.ts'
import { TableFrames, type TableEntry } from './table-frames.ts'

interface Kept {
  row: Row
  at: number
}
type Now = () => number

/** What every table of this store can do beside its own work. */
interface PlainTable {
  readonly kind: TableShape['kind']
  readonly size: number
  groups(): Iterable<number>
  all(group: number): TableEntry[]
  put(group: number, entry: TableEntry): void
}

/** Keyed state as JavaScript Maps of rows: slow and large with millions of keys, plain to see through. */
export class MapStateStore implements StateStore {
  readonly #shape: StateShape
  readonly #now: Now
  readonly #tables = new Map<string, PlainTable>()
  readonly #frames = new Map<string, TableFrames>()

  constructor(shape: StateShape, options: StateOptions) {
    this.#shape = shape
    this.#now = () => options.now()
    for (const [name, table] of Object.entries(shape.tables)) {
      this.#tables.set(name, createTable(table, this.#now))
      this.#frames.set(name, new TableFrames(shape.key, table))
    }
  }

  value(name: string): ValueTable {
    return this.#table(name, PlainValues)
  }
  list(name: string): ListTable {
    return this.#table(name, PlainLists)
  }
  map(name: string): MapTable {
    return this.#table(name, PlainMaps)
  }
  timers(name: string): TimerTable {
    return this.#table(name, PlainTimers)
  }

  size(): number {
    return [...this.#tables.values()].reduce((sum, table) => sum + table.size, 0)
  }

  freeze(): FrozenState {
    const groups = new Set([...this.#tables.values()].flatMap((table) => [...table.groups()]))
    return copiedState(
      [...groups]
        .sort((a, b) => a - b)
        .flatMap((group): GroupState[] => {
          const tables = [...this.#tables].map(([name, table]) => ({
            name,
            parts: this.#frames.get(name)?.write(table.all(group)) ?? [],
          }))
          return tables.every((table) => table.parts.length === 0) ? [] : [[group, writeBlock(this.#shape, tables)]]
        }),
    )
  }

  memory(): StateMemory {
    return { residentBytes: 0, onDiskBytes: 0, fileBytes: 0 }
  }

  close(): void {
    /* Everything is memory. */
  }

  restored(): void {
    /* Every block was taken in as it came. */
  }

  restore(group: number, bytes: Uint8Array): void {
    for (const { name, timed, parts } of readBlock(this.#shape, bytes)) {
      const table = this.#tables.get(name) as PlainTable
      for (const entry of this.#framesOf(name, timed).read(parts))
        table.put(group, timed ? entry : { ...entry, at: this.#now() })
    }
  }

  /** Frames as the block's writer made them: a time to live may have come or gone since. */
  #framesOf(name: string, timed: boolean): TableFrames {
    const shape = this.#shape.tables[name] as TableShape
    if (shape.kind === 'timers' || timed === (shape.ttlMs !== undefined)) return this.#frames.get(name) as TableFrames
    const { ttlMs: _, ...bare } = shape
    return new TableFrames(this.#shape.key, timed ? { ...bare, ttlMs: 0 } : bare)
  }

  #table<T extends PlainTable>(name: string, kind: new (ttlMs: number, now: Now) => T): T {
    const table = this.#tables.get(name)
    if (!(table instanceof kind))
      throw new MillraceError(
        'TABLE_UNKNOWN',
        `there is no such table ${name} among ${[...this.#tables].map(([known, { kind: of }]) => `${known} (${of})`).join(', ')}`,
      )
    return table
  }
}

function createTable(shape: TableShape, now: Now): PlainTable {
  switch (shape.kind) {
    case 'value':
      return new PlainValues(shape.ttlMs ?? Infinity, now)
    case 'list':
      return new PlainLists(shape.ttlMs ?? Infinity, now)
    case 'map':
    case 'slots':
      return new PlainMaps(shape.ttlMs ?? Infinity, now)
    case 'timers':
      return new PlainTimers()
  }
}

/** Key group → key → what is kept under it. */
class Grouped<T> {
  readonly groups = new Map<number, Map<StateKey, T>>()

  get(group: number, key: StateKey): T | undefined {
    return this.groups.get(group)?.get(key)
  }

  getOrMake(group: number, key: StateKey, make: () => T): T {
    let keys = this.groups.get(group)
    if (keys === undefined) this.groups.set(group, (keys = new Map<StateKey, T>()))
    let kept = keys.get(key)
    if (kept === undefined) keys.set(key, (kept = make()))
    return kept
  }

  set(group: number, key: StateKey, kept: T): void {
    this.delete(group, key)
    this.getOrMake(group, key, () => kept)
  }

  delete(group: number, key: StateKey): boolean {
    return this.groups.get(group)?.delete(key) ?? false
  }

  of(group: number): [StateKey, T][] {
    return [...(this.groups.get(group) ?? [])]
  }

  count(of: (kept: T) => number): number {
    let sum = 0
    for (const keys of this.groups.values()) for (const kept of keys.values()) sum += of(kept)
    return sum
  }
}

class Aging {
  readonly #ttlMs: number
  readonly #now: Now

  constructor(ttlMs: number, now: Now) {
    this.#ttlMs = ttlMs
    this.#now = now
  }

  keep(row: Row): Kept {
    return { row, at: this.#now() }
  }
  lives(kept: Kept): boolean {
    return this.#now() - kept.at < this.#ttlMs
  }
}

class PlainValues implements ValueTable, PlainTable {
  readonly kind = 'value'
  readonly #rows = new Grouped<Kept>()
  readonly #aging: Aging

  constructor(ttlMs: number, now: Now) {
    this.#aging = new Aging(ttlMs, now)
  }

  expect(): void {
    /* Nothing is to be warmed. */
  }

  get(group: number, key: StateKey): Row | undefined {
    const kept = this.#rows.get(group, key)
    return kept !== undefined && this.#aging.lives(kept) ? kept.row : undefined
  }

  set(group: number, key: StateKey, row: Row): void {
    this.#rows.set(group, key, this.#aging.keep(row))
  }

  delete(group: number, key: StateKey): boolean {
    const found = this.get(group, key) !== undefined
    this.#rows.delete(group, key)
    return found
  }

  each(group: number, visit: (key: StateKey, row: Row) => void): void {
    for (const [key, kept] of this.#rows.of(group)) if (this.#aging.lives(kept)) visit(key, kept.row)
  }

  get size(): number {
    return this.#rows.count((kept) => (this.#aging.lives(kept) ? 1 : 0))
  }

  groups(): Iterable<number> {
    return this.#rows.groups.keys()
  }

  all(group: number): TableEntry[] {
    return this.#rows
      .of(group)
      .filter(([, kept]) => this.#aging.lives(kept))
      .map(([key, kept]) => ({ key, ...kept }))
  }

  put(group: number, { key, row, at }: TableEntry): void {
    this.#rows.set(group, key, { row: row as Row, at })
  }
}

class PlainLists implements ListTable, PlainTable {
  readonly kind = 'list'
  readonly #lists = new Grouped<Kept[]>()
  readonly #aging: Aging

  constructor(ttlMs: number, now: Now) {
    this.#aging = new Aging(ttlMs, now)
  }

  append(group: number, key: StateKey, row: Row): void {
    this.#lists.getOrMake(group, key, () => []).push(this.#aging.keep(row))
  }

  rows(group: number, key: StateKey): Row[] {
    return this.#live(this.#lists.get(group, key) ?? []).map((kept) => kept.row)
  }

  retain(group: number, key: StateKey, keep: (row: Row) => boolean): number {
    const live = this.#live(this.#lists.get(group, key) ?? [])
    const left = live.filter((kept) => keep(kept.row))
    if (left.length === 0) this.#lists.delete(group, key)
    else this.#lists.set(group, key, left)
    return live.length - left.length
  }

  delete(group: number, key: StateKey): boolean {
    const found = this.rows(group, key).length > 0
    this.#lists.delete(group, key)
    return found
  }

  each(group: number, visit: (key: StateKey, rows: Row[]) => void): void {
    for (const [key, list] of this.#lists.of(group)) {
      const live = this.#live(list)
      if (live.length > 0)
        visit(
          key,
          live.map((kept) => kept.row),
        )
    }
  }

  get size(): number {
    return this.#lists.count((list) => this.#live(list).length)
  }

  groups(): Iterable<number> {
    return this.#lists.groups.keys()
  }

  all(group: number): TableEntry[] {
    return this.#lists.of(group).flatMap(([key, list]) => this.#live(list).map((kept) => ({ key, ...kept })))
  }

  put(group: number, { key, row, at }: TableEntry): void {
    this.#lists.getOrMake(group, key, () => []).push({ row: row as Row, at })
  }

  #live(list: readonly Kept[]): Kept[] {
    return list.filter((kept) => this.#aging.lives(kept))
  }
}

class PlainMaps implements MapTable, PlainTable {
  readonly kind = 'map'
  readonly #maps = new Grouped<Map<StateKey, Kept>>()
  readonly #aging: Aging

  constructor(ttlMs: number, now: Now) {
    this.#aging = new Aging(ttlMs, now)
  }

  get(group: number, key: StateKey, userKey: StateKey): Row | undefined {
    const kept = this.#maps.get(group, key)?.get(userKey)
    return kept !== undefined && this.#aging.lives(kept) ? kept.row : undefined
  }

  set(group: number, key: StateKey, userKey: StateKey, row: Row): void {
    const map = this.#maps.getOrMake(group, key, () => new Map<StateKey, Kept>())
    const old = map.get(userKey)
    // an entry that was over comes anew, and so at the end
    if (old !== undefined && !this.#aging.lives(old)) map.delete(userKey)
    map.set(userKey, this.#aging.keep(row))
  }

  delete(group: number, key: StateKey, userKey: StateKey): boolean {
    const found = this.get(group, key, userKey) !== undefined
    this.#maps.get(group, key)?.delete(userKey)
    return found
  }

  entries(group: number, key: StateKey): [StateKey, Row][] {
    return [...(this.#maps.get(group, key) ?? [])]
      .filter(([, kept]) => this.#aging.lives(kept))
      .map(([userKey, kept]) => [userKey, kept.row])
  }

  all(group: number): TableEntry[] {
    return this.#maps
      .of(group)
      .flatMap(([of, map]) =>
        [...map]
          .filter(([, kept]) => this.#aging.lives(kept))
          .map(([userKey, kept]) => ({ key: of, userKey, ...kept })),
      )
  }

  clear(group: number, key: StateKey): void {
    this.#maps.delete(group, key)
  }

  get size(): number {
    return this.#maps.count((map) => [...map.values()].filter((kept) => this.#aging.lives(kept)).length)
  }

  groups(): Iterable<number> {
    return this.#maps.groups.keys()
  }

  put(group: number, { key, userKey, row, at }: TableEntry): void {
    this.#maps.getOrMake(group, key, () => new Map<StateKey, Kept>()).set(userKey as StateKey, { row: row as Row, at })
  }
}

class PlainTimers implements TimerTable, PlainTable {
  readonly kind = 'timers'
  readonly #times = new Grouped<Set<Timestamp>>()

  #added = false

  at(group: number, key: StateKey, time: Timestamp): void {
    this.#times.getOrMake(group, key, () => new Set<Timestamp>()).add(time)
    this.#added = true
  }

  cancel(group: number, key: StateKey, time: Timestamp): void {
    this.#times.get(group, key)?.delete(time)
  }

  due(time: Timestamp, limit: number, fire: (group: number, key: StateKey, time: Timestamp) => void): boolean {
    let fired = 0
    do {
      this.#added = false
      for (const timer of this.#dueBy(time)) {
        if (this.#times.get(timer.group, timer.key)?.has(timer.time) !== true) continue
        if (fired++ >= limit) return true
        this.cancel(timer.group, timer.key, timer.time)
        fire(timer.group, timer.key, timer.time)
        if (this.#added) break
      }
    } while (this.#added)
    return false
  }

  next(): Timestamp | undefined {
    return this.#dueBy(Infinity)[0]?.time
  }

  #dueBy(limit: Timestamp): { group: number; key: StateKey; time: Timestamp }[] {
    const all = [...this.groups()].flatMap((group) => this.all(group).map(({ key, at }) => ({ group, key, time: at })))
    return all.filter((timer) => timer.time <= limit).sort((a, b) => a.time - b.time)
  }

  get size(): number {
    return this.#times.count((times) => times.size)
  }

  groups(): Iterable<number> {
    return this.#times.groups.keys()
  }

  all(group: number): TableEntry[] {
    return this.#times.of(group).flatMap(([key, times]) => [...times].map((at) => ({ key, at })))
  }

  put(group: number, { key, at }: TableEntry): void {
    this.at(group, key, at)
  }
}
