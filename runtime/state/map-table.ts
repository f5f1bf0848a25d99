import type { StateKey } from '../memory/state-key.ts'
import type { ChangedKeys } from './changed-keys.ts'
import type { RowClass } from '../codegen/rows/row.ts'
import type { RecordTable } from './record-table.ts'
import type { Row } from '../model/schema.ts'
import type { Lifetime } from './row-tables.ts'
import type { Change, MapTable, TableChanges } from './state-store.ts'

/** Members may outnumber the entries by this much before those whose entry is gone are looked for. */
const SPARE_MEMBERS = 1024
/** Members whose number is asked about, once in so many. */
const TIDY_EVERY = 64

/**
 * Rows under a key and a user key. `entries` holds them by both, each with a number that counts first insertions;
 * `members` lists under the key (user key, number), which gives the order. A member whose entry is gone, or was
 * inserted again under another number, is stale: it is skipped, and removed when it is met or when there are too many.
 */
export class LogMaps implements MapTable, TableChanges {
  readonly #entries: RecordTable
  readonly #members: RecordTable
  readonly #member: RowClass
  readonly #life: Lifetime
  /** Of a table that is mirrored. */
  readonly #changed: ChangedKeys | undefined
  #lastSeq = 0

  constructor(
    { entries, members, member }: { entries: RecordTable; members: RecordTable; member: RowClass },
    life: Lifetime,
    changed: ChangedKeys | undefined,
  ) {
    this.#entries = entries
    this.#members = members
    this.#member = member
    this.#life = life
    this.#changed = changed
    // its numbers are taken, also those of stale members
    members.onRestored = (a) => {
      this.#lastSeq = Math.max(this.#lastSeq, members.code.row(a)['seq'] as number)
    }
  }

  get(group: number, key: StateKey, userKey: StateKey): Row | undefined {
    this.#entries.settle()
    const a = this.#live(group, key, userKey)
    return a === 0 ? undefined : this.#entries.code.row(a)
  }

  set(group: number, key: StateKey, userKey: StateKey, row: Row): void {
    const old = this.#live(group, key, userKey)
    const seq = old === 0 ? ++this.#lastSeq : this.#entries.code.seq(old)
    this.#entries.code.put(this.#entries.groupAt(group), key, userKey, row, this.#life.stamp(), seq)
    if (old === 0) this.#addMember(group, key, userKey, seq)
    this.#changed?.add(group, key, userKey)
    if (this.#life.timed) this.#entries.sweep(group, this.#life.since(), this.#goneOf(group))
  }

  #addMember(group: number, key: StateKey, userKey: StateKey, seq: number): void {
    this.#members.code.append(this.#members.groupAt(group), key, undefined, new this.#member(userKey, seq), 0, 0)
    this.#members.rows++
    // the size is a sum over all groups
    if (this.#members.rows % TIDY_EVERY === 0 && this.#members.rows > this.#entries.size * 2 + SPARE_MEMBERS)
      this.#tidy()
  }

  delete(group: number, key: StateKey, userKey: StateKey): boolean {
    const found = this.#live(group, key, userKey) !== 0
    this.#entries.remove(group, key, userKey)
    this.#changed?.add(group, key, userKey)
    return found
  }

  entries(group: number, key: StateKey): [userKey: StateKey, row: Row][] {
    this.#members.settle()
    const entries: [StateKey, Row][] = []
    let stale = 0
    for (const a of this.#members.chain(this.#members.find(group, key))) {
      const entry = this.#entryOf(group, key, a)
      if (entry === 0) stale++
      else entries.push([this.#userKey(a), this.#entries.code.row(entry)])
    }
    if (stale > entries.length) this.#members.retain(group, key, (a) => this.#entryOf(group, key, a) !== 0)
    else this.#members.gather(group, key)
    return entries
  }

  clear(group: number, key: StateKey): void {
    this.#members.holding(() => {
      for (const a of this.#members.chain(this.#members.find(group, key))) {
        if (this.#entryOf(group, key, a) === 0) continue
        const userKey = this.#userKey(a)
        this.#entries.remove(group, key, userKey)
        this.#changed?.add(group, key, userKey)
      }
    })
    this.#members.remove(group, key)
  }

  /** Every entry of the group, the entries of a key in their order. */
  each(group: number, visit: (key: StateKey, userKey: StateKey, row: Row) => void): void {
    for (const key of this.#keys(group)) for (const [userKey, row] of this.entries(group, key)) visit(key, userKey, row)
  }

  *take(): Generator<Change> {
    const changed = this.#changed
    if (changed === undefined) return
    const { code } = this.#entries
    for (const group of changed.takeGroups())
      this.#entries.each(group, (a) => {
        changed.add(group, code.key(a), code.user(a))
      })
    if (this.#life.timed)
      for (const group of this.#entries.groups.keys())
        this.#entries.expire(group, this.#life.since(), this.#goneOf(group))
    for (const [group, keys] of changed.take())
      for (const [key, userKeys] of keys)
        for (const userKey of userKeys ?? []) yield { key, userKey, row: this.get(group, key, userKey) }
  }

  get size(): number {
    return this.#entries.size
  }

  /** Hears of entries that expire, where somebody must know. */
  #goneOf(group: number): ((a: number) => void) | undefined {
    const changed = this.#changed
    if (changed === undefined) return undefined
    return (a) => {
      changed.add(group, this.#entries.code.key(a), this.#entries.code.user(a))
    }
  }

  #keys(group: number): StateKey[] {
    const keys: StateKey[] = []
    this.#members.each(group, (a) => {
      keys.push(this.#members.code.key(a))
    })
    return keys
  }

  #live(group: number, key: StateKey, userKey: StateKey): number {
    const a = this.#entries.find(group, key, userKey)
    return a === 0 || (this.#life.timed && !this.#life.test(this.#entries)(a)) ? 0 : a
  }

  #userKey(member: number): StateKey {
    return this.#members.code.row(member)['u'] as StateKey
  }

  /** The entry a member stands for, 0 when that is gone. */
  #entryOf(group: number, key: StateKey, member: number): number {
    const { u, seq } = this.#members.code.row(member) as { u: StateKey; seq: number }
    const a = this.#live(group, key, u)
    return a !== 0 && this.#entries.code.seq(a) === seq ? a : 0
  }

  #tidy(): void {
    this.#members.groups.forEach((of, group) => {
      if (of === undefined) return
      for (const key of this.#keys(group)) this.#members.retain(group, key, (a) => this.#entryOf(group, key, a) !== 0)
    })
  }
}
