import type { StateKey } from '../memory/state-key.ts'
import type { RecordTable } from './record-table.ts'
import type { Row } from '../model/schema.ts'
import type { Timestamp } from '../model/time.ts'
import { TimerHeap } from './timer-heap.ts'
import type { TimerTable } from './state-store.ts'

const NO_ROW: Row = Object.freeze({})

/**
 * Timers: a record per (key, time), and a heap that knows only times, groups and the records' hashes. What is cancelled
 * stays in the heap until its time or until there is too much of it; a hash without a record is passed over.
 */
export class LogTimers implements TimerTable {
  readonly #records: RecordTable
  readonly #heap = new TimerHeap()

  constructor(records: RecordTable) {
    this.#records = records
  }

  at(group: number, key: StateKey, time: Timestamp): void {
    if (this.#records.find(group, key, time) !== 0) return
    const of = this.#records.groupAt(group)
    this.#records.code.put(of, key, time, NO_ROW, 0, 0)
    this.#heap.push(time, group, of.index[this.#records.code.find(of, key, time)] ?? 0)
    if (this.#heap.size > this.#records.size * 2 + 1024) this.#refill()
  }

  cancel(group: number, key: StateKey, time: Timestamp): void {
    this.#records.remove(group, key, time)
  }

  due(time: Timestamp, limit: number, fire: (group: number, key: StateKey, time: Timestamp) => void): boolean {
    const heap = this.#heap
    for (let fired = 0; heap.size > 0 && heap.time <= time; ) {
      const { time: at, group, hash } = heap
      const record = this.#recordOf(group, hash, at)
      if (record === 0) {
        heap.pop()
        continue
      }
      if (fired++ >= limit) return true
      heap.pop()
      const key = this.#records.code.key(record)
      this.#records.remove(group, key, at)
      fire(group, key, at)
    }
    return false
  }

  next(): Timestamp | undefined {
    return this.#heap.size === 0 ? undefined : this.#heap.time
  }

  /** After a group was restored: its timers go into the heap. */
  restored(group: number): void {
    const index = this.#records.groups[group]?.index ?? []
    for (let i = 0; i < index.length; i += 2) {
      const a = index[i + 1] ?? 0
      if (a !== 0) this.#heap.push(this.#records.code.user(a) as number, group, index[i] ?? 0)
    }
  }

  each(group: number, visit: (key: StateKey, time: Timestamp) => void): void {
    const { code } = this.#records
    this.#records.each(group, (a) => {
      visit(code.key(a), code.user(a) as number)
    })
  }

  get size(): number {
    return this.#records.size
  }

  /** Rebuilds the heap without cancelled timers. */
  #refill(): void {
    this.#heap.clear()
    this.#records.groups.forEach((_, group) => {
      this.restored(group)
    })
  }

  /** A record with that hash and time; which one does not matter when two keys share both. */
  #recordOf(group: number, hash: number, time: number): number {
    const of = this.#records.groups[group]
    if (of === undefined) return 0
    const { index, shift } = of
    const mask = index.length - 1
    for (let i = (hash >>> shift) << 1; index[i + 1] !== 0; i = (i + 2) & mask) {
      const a = index[i + 1] ?? 0
      if (index[i] === hash && this.#records.code.user(a) === time) return a
    }
    return 0
  }
}
