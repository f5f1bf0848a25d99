import type { Log } from './record-arena.ts'

/** The table a group belongs to. */
export interface GroupOwner {
  readonly resident: boolean
  compact(group: RecordGroup, segment: number): void
  newestIn(segment: number): number
}

/**
 * The records of one table and key group: an open-addressing index (linear probing, load ≤ 3/4, the hash's upper bits
 * choose the place, since within a group the lower bits are equal) from hash to address, and the log the addresses
 * point into. Entry i of the index stands at words 2 i and 2 i + 1: hash, address; address 0 means no entry.
 */
export class RecordGroup implements Log {
  readonly id: number
  index = new Int32Array(16)
  /** Place of a hash: (h >>> shift) entries in. */
  shift = 29
  /** Keys in the index. */
  n = 0
  /** Records that are not in the index, for something else points at them. */
  pointedAt = 0
  seg = 0
  readonly segs: number[] = []
  /** Writes since it began. */
  writes = 0
  /** How far the search for records whose time is over has come. */
  sweepAt = 0
  readonly #owner: GroupOwner

  constructor(id: number, owner: GroupOwner) {
    this.id = id
    this.#owner = owner
  }

  get resident(): boolean {
    return this.#owner.resident
  }
  compact(segment: number): void {
    this.#owner.compact(this, segment)
  }
  newestIn(segment: number): number {
    return this.#owner.newestIn(segment)
  }

  /** Doubles the index. Entries are placed by their upper bits, so the pass runs over both in order. */
  grow(): void {
    const old = this.index
    this.shift--
    const index = new Int32Array(old.length * 2)
    const mask = index.length - 1
    for (let j = 0; j < old.length; j += 2) {
      const address = old[j + 1] ?? 0
      if (address === 0) continue
      const h = old[j] ?? 0
      let i = (h >>> this.shift) << 1
      while (index[i + 1] !== 0) i = (i + 2) & mask
      index[i] = h
      index[i + 1] = address
    }
    this.index = index
  }

  /** Takes entry at word i out; entries behind it move up, so that no tombstone is needed. */
  unlink(i: number): void {
    const index = this.index
    const mask = index.length - 1
    this.n--
    for (let j = (i + 2) & mask; index[j + 1] !== 0; j = (j + 2) & mask) {
      const home = ((index[j] ?? 0) >>> this.shift) << 1
      // the entry may move to the gap when its home does not lie between them, cyclically
      if (((j - home) & mask) < ((j - i) & mask)) continue
      index[i] = index[j] ?? 0
      index[i + 1] = index[j + 1] ?? 0
      i = j
    }
    index[i] = index[i + 1] = 0
  }
}
