import { MillraceError } from '../model/errors.ts'
import type { StateKey } from '../memory/state-key.ts'
import type { RecordArena } from '../memory/arena/record-arena.ts'
import { compileRecordCode, type RecordCode } from '../codegen/records/record-code.ts'
import { RecordGroup, type GroupOwner } from '../memory/arena/record-group.ts'
import { APPEND, KIND, KIND_SHIFT, layoutOf, TOMBSTONE, UNITS, VALUE } from '../memory/arena/record-layout.ts'
import type { RecordSpec } from '../codegen/records/record-emitter.ts'
import type { RecordLoop } from '../codegen/records/record-loops.ts'

/** After so many writes… */
const SWEEP_WRITES = 16
/**
 * …so many places of an index are looked at for records whose time to live is over: where all die by it, half of
 * what is there is dead.
 */
const SWEEP_PLACES = 64
/** And this many bytes of segments on disk whose time to live is over. */
const SWEEP_BYTES = 1 << 14

/** What points at records of a table that are not in its index. */
export interface RecordPointers {
  /** Whether it points at a record of the key and user key that record `a` has. */
  has(group: number, a: number): boolean
  /** Where it points at record `a`, it points at what `move` returns from then on. */
  move(group: number, a: number, move: () => number): void
}

/**
 * One table of records in an arena, by key group: the part that does not depend on the row's fields. A log per group
 * holds every record that was written and not yet compacted away; replaying it in order gives the table.
 */
export class RecordTable implements GroupOwner {
  readonly code: RecordCode
  readonly groups: (RecordGroup | undefined)[]
  readonly resident: boolean
  /** Rows of a table of lists. */
  rows = 0
  /** Called with each record that a restore brings back, in memory. */
  onRestored: ((a: number) => void) | undefined
  /** Knows the records that were taken out of the index, or never came into it. */
  pointers: RecordPointers | undefined
  readonly #arena: RecordArena
  readonly #spec: RecordSpec
  readonly #previousWord: number
  readonly #fixedBytes: number
  readonly #chain: number[] = []
  /** Whether some of the last chain are on disk. */
  #isChainCold = false
  /** Records last written at or before it are gone. */
  #since = -Infinity

  constructor(spec: RecordSpec, arena: RecordArena, maxParallelism: number, loop?: RecordLoop) {
    this.#spec = spec
    this.#arena = arena
    this.resident = spec.resident === true
    const layout = layoutOf(spec)
    this.#previousWord = layout.previousWord
    this.#fixedBytes = layout.fixedBytes
    this.code = compileRecordCode(spec, arena, loop)
    this.groups = new Array<RecordGroup | undefined>(maxParallelism).fill(undefined)
  }

  /** Rows that are there, those whose time is over included until they are found. */
  get size(): number {
    return this.#spec.chained ? this.rows : this.groups.reduce((sum, of) => sum + recordsOf(of), 0)
  }

  readonly groupAt = (group: number): RecordGroup => (this.groups[group] ??= new RecordGroup(group, this))

  /** Address of what is under the key, of a list the newest; 0 when there is nothing. */
  find(group: number, key: StateKey, user?: StateKey): number {
    const of = this.groups[group]
    if (of === undefined) return 0
    const i = this.code.find(of, key, user)
    return i < 0 ? 0 : (of.index[i + 1] ?? 0)
  }

  /** Meanwhile all addresses stay valid that are not removed or written over. */
  holding<T>(act: () => T): T {
    this.#arena.holders++
    try {
      return act()
    } finally {
      this.#arena.holders--
    }
  }

  /** Before an operation that only reads: reading from disk brings records into memory, and that is paid for here. */
  settle(): void {
    this.#pay()
  }

  /** Moves a list to the log's end when some records of the last chain, which was this list, are on disk. */
  gather(group: number, key: StateKey): void {
    const of = this.groups[group]
    const i =
      of === undefined || !this.#isChainCold || this.#arena.holders > 0 ? -1 : this.code.find(of, key, undefined)
    if (of === undefined || i < 0) return
    const all = [...this.chain(of.index[i + 1] ?? 0)]
    this.#rebuild(of, i, all, all)
  }

  /**
   * Takes a record out of the index, for something else points at it from now on, and returns its address; 0 when it is
   * not there.
   */
  take(group: number, key: StateKey, user: StateKey): number {
    const of = this.groups[group]
    const i = of === undefined || of.n === 0 ? -1 : this.code.find(of, key, user)
    if (of === undefined || i < 0) return 0
    const a = of.index[i + 1] ?? 0
    of.unlink(i)
    of.pointedAt++
    return a
  }

  /** Removes record `a`, which is not in the index. */
  bury(group: number, a: number): void {
    const of = this.groupAt(group)
    this.#putTombstone(of, a)
    this.#arena.kill(a >>> 15, this.#arena.recordBytes(a))
    of.pointedAt--
  }

  /** Removes all records under the key; false when there are none. */
  remove(group: number, key: StateKey, user?: StateKey): boolean {
    const of = this.groups[group]
    const i = of === undefined ? -1 : this.code.look(of, key, user)
    if (of === undefined || i < 0) return false
    this.#bury(of, i)
    this.#pay()
    return true
  }

  /** Addresses of a list's records, oldest first, valid until the next change; the array is reused. */
  chain(a: number): readonly number[] {
    const arena = this.#arena
    const { i32, base } = arena
    const chain = this.#chain
    chain.length = 0
    this.#isChainCold = false
    while (a !== 0) {
      chain.push(a)
      if (!this.#spec.chained) break
      if (arena.isCold(a >>> 15)) {
        this.#isChainCold = true
        a = arena.load(a)
      }
      const segment = a >>> 15
      const q = (base[segment] ?? 0) + ((a & 32767) << 1)
      const head = i32[segment]?.[q] ?? 0
      a = ((head >>> KIND_SHIFT) & KIND) === APPEND ? (i32[segment]?.[q + this.#previousWord] ?? 0) : 0
    }
    return chain.reverse()
  }

  /** Keeps of a list only the records `keep` accepts; returns how many went. They lie behind each other afterwards. */
  retain(group: number, key: StateKey, keep: (a: number) => boolean): number {
    const of = this.groups[group]
    const i = of === undefined ? -1 : this.code.find(of, key, undefined)
    if (of === undefined || i < 0) return 0
    const all = [...this.chain(of.index[i + 1] ?? 0)]
    const isCold = this.#isChainCold
    const kept = this.holding(() => all.filter(keep))
    if (kept.length === all.length) {
      if (isCold) this.#rebuild(of, i, all, all)
      this.#pay()
      return 0
    }
    if (kept.length === 0) this.#bury(of, i)
    else this.#rebuild(of, i, all, kept)
    this.#pay()
    return all.length - kept.length
  }

  each(group: number, visit: (a: number) => void): void {
    const index = this.groups[group]?.index ?? []
    for (let i = 1; i < index.length; i += 2) if (index[i] !== 0) visit(index[i] ?? 0)
  }

  /**
   * Called after a write: looks at some entries and removes those last written at or before `since`; calls `onGone`
   * before each. Entries on disk are removed when their whole segment is that old.
   */
  sweep(group: number, since: number, onGone?: (a: number) => void): void {
    const of = this.groups[group]
    if (of !== undefined && ++of.writes % SWEEP_WRITES === 0) this.expire(group, since, onGone)
  }

  /** As `sweep`, whether or not something was written. */
  expire(group: number, since: number, onGone?: (a: number) => void): void {
    const of = this.groups[group]
    if (of === undefined) return
    // without `onGone` compaction may take them out as well
    if (onGone === undefined) this.#since = since
    const arena = this.#arena
    for (let bytes = 0; bytes < SWEEP_BYTES; ) {
      const oldest = of.segs[0] ?? 0
      if (!arena.isCold(oldest) || (arena.newest[oldest] ?? 0) > since) break
      bytes += arena.size[oldest] ?? 0
      arena.compact(oldest)
    }
    for (let n = Math.min(SWEEP_PLACES, of.index.length / 2); n > 0; n--) {
      const i = (of.sweepAt += 2) & (of.index.length - 1)
      const a = of.index[i + 1] ?? 0
      if (a === 0 || arena.isCold(a >>> 15) || this.code.at(a) > since) continue
      onGone?.(a)
      // a restore finds the time of an entry over as well, unless its time to live is longer by then: what depends on
      // it is gone for good
      if (onGone === undefined) this.#drop(of, i)
      else this.#bury(of, i)
      // another may have moved up to this place
      of.sweepAt -= 2
    }
  }

  /** The segments of a group's log in order; none when nothing is in the table. */
  segments(group: number): number[] {
    const of = this.groups[group]
    return of === undefined || recordsOf(of) === 0 ? [] : [...of.segs]
  }

  /** Replays a log's parts behind those it was given before. Throws STATE_CORRUPT. */
  restore(group: number, parts: readonly Uint8Array[]): void {
    const of = this.groupAt(group)
    const arena = this.#arena
    for (const part of parts) {
      const bytes = part.byteLength
      if (bytes % 8 !== 0) throw corrupt(`a log of ${bytes} bytes is not a sequence of records`)
      if (bytes === 0) continue
      if ((arena.end[of.seg] ?? 0) + bytes > (arena.size[of.seg] ?? 0)) arena.roll(of, bytes)
      const segment = of.seg
      const from = arena.end[segment] ?? 0
      arena.buffer[segment]?.set(part, (arena.base[segment] ?? 0) * 4 + from)
      arena.end[segment] = from + bytes
      this.#replay(of, segment, from)
    }
    this.#pay()
  }

  #replay(of: RecordGroup, segment: number, from: number): void {
    const arena = this.#arena
    const words = arena.i32[segment] ?? new Int32Array()
    const end = arena.end[segment] ?? 0
    for (let o = from; o < end; ) {
      const a = (segment << 15) | (o >> 3)
      const q = (arena.base[segment] ?? 0) + (o >> 2)
      const head = words[q] ?? 0
      const bytes = (head & UNITS) * 8 || end - o
      const claims = o + bytes > end ? -1 : this.code.claims(a, bytes)
      if (claims < 0 || claims > bytes - this.#fixedBytes)
        throw corrupt(`a record of ${bytes} bytes at ${o} of ${end} has ${claims} characters`)
      o += bytes
      this.#enter(of, a, bytes, (head >>> KIND_SHIFT) & KIND)
    }
  }

  #enter(of: RecordGroup, a: number, bytes: number, kind: number): void {
    const arena = this.#arena
    const q = (arena.base[a >>> 15] ?? 0) + ((a & 32767) << 1)
    const words = arena.i32[a >>> 15] ?? new Int32Array()
    let i = this.code.findOf(of, a)
    // a record of a list whose beginning is gone was garbage: a tombstone or a new beginning follows, or its time to
    // live is over
    if (kind === TOMBSTONE || (kind === APPEND && i < 0)) {
      if (i >= 0) this.#drop(of, i)
      arena.kill(a >>> 15, bytes)
      if (kind === TOMBSTONE) arena.stones[a >>> 15] = (arena.stones[a >>> 15] ?? 0) + bytes
      return
    }
    this.onRestored?.(a)
    this.rows++
    if (i < 0) {
      if ((of.n + 1) * 8 > of.index.length * 3) of.grow()
      i = this.#freeEntry(of, words[q + 1] ?? 0)
      of.n++
    } else if (kind === APPEND) {
      words[q + this.#previousWord] = of.index[i + 1] ?? 0
    } else {
      const old = this.chain(of.index[i + 1] ?? 0)
      this.rows -= old.length
      for (const one of old) arena.kill(one >>> 15, this.#arena.recordBytes(one))
    }
    of.index[i + 1] = a
  }

  #freeEntry(of: RecordGroup, h: number): number {
    const mask = of.index.length - 1
    let i = (h >>> of.shift) << 1
    while (of.index[i + 1] !== 0) i = (i + 2) & mask
    of.index[i] = h
    return i
  }

  /** Takes an entry out so that a replay does so too. */
  #bury(of: RecordGroup, i: number): void {
    const a = of.index[i + 1] ?? 0
    this.#putTombstone(of, a)
    this.#drop(of, i)
  }

  #drop(of: RecordGroup, i: number): void {
    const all = this.chain(of.index[i + 1] ?? 0)
    for (const a of all) this.#arena.kill(a >>> 15, this.#arena.recordBytes(a))
    this.rows -= all.length
    of.unlink(i)
  }

  /** Moves the kept records of a list to the log's end. */
  #rebuild(of: RecordGroup, i: number, all: readonly number[], kept: readonly number[]): void {
    let previous = 0
    for (const a of kept) previous = this.#move(of, a, previous === 0 ? VALUE : APPEND, previous)
    for (const a of all) this.#arena.kill(a >>> 15, this.#arena.recordBytes(a))
    this.rows -= all.length - kept.length
    of.index[i + 1] = previous
  }

  /** Copies a record to the end of its group's log. */
  #move(of: RecordGroup, a: number, kind: number, previous: number): number {
    const arena = this.#arena
    const to = arena.copy(of, a)
    const words = arena.i32[to >>> 15] ?? new Int32Array()
    const d = (arena.base[to >>> 15] ?? 0) + ((to & 32767) << 1)
    words[d] = ((words[d] ?? 0) & ~(KIND << KIND_SHIFT)) | (kind << KIND_SHIFT)
    if (this.#spec.chained) words[d + this.#previousWord] = previous
    return to
  }

  #pay(): void {
    if (this.#arena.debt) this.#arena.maintain()
  }

  /**
   * Moves what lives in a segment to the end of the group's log. A tombstone goes when nothing older can be under
   * its key.
   */
  compact(of: RecordGroup, segment: number): void {
    const arena = this.#arena
    const end = arena.end[segment] ?? 0
    const isOldest = of.segs[0] === segment
    const rebuilt = new Set<number>()
    for (let o = 0; o < end; ) {
      const a = (segment << 15) | (o >> 3)
      const q = (arena.base[segment] ?? 0) + (o >> 2)
      const head = arena.i32[segment]?.[q] ?? 0
      o += this.#arena.recordBytes(a)
      if (((head >>> KIND_SHIFT) & KIND) === TOMBSTONE) {
        if (!isOldest && this.code.findOf(of, a) < 0 && this.pointers?.has(of.id, a) !== true) this.#putTombstone(of, a)
      } else if (this.#spec.chained) this.#compactChain(of, a, segment, rebuilt)
      else this.#compactRecord(of, a, arena.i32[segment]?.[q + 1] ?? 0)
    }
  }

  newestIn(segment: number): number {
    if (!this.#spec.timed) return Infinity
    const arena = this.#arena
    let newest = -Infinity
    for (let o = 0; o < (arena.end[segment] ?? 0); ) {
      const a = (segment << 15) | (o >> 3)
      newest = Math.max(newest, this.code.at(a))
      o += arena.recordBytes(a)
    }
    return newest
  }

  /** Copies a record to the log's end as a tombstone. */
  #putTombstone(of: RecordGroup, a: number): void {
    const arena = this.#arena
    const moved = this.#move(of, a, TOMBSTONE, 0)
    const bytes = arena.recordBytes(moved)
    arena.kill(moved >>> 15, bytes)
    arena.stones[moved >>> 15] = (arena.stones[moved >>> 15] ?? 0) + bytes
  }

  /** It lives when the index points at it: no key is compared. */
  #compactRecord(of: RecordGroup, a: number, h: number): void {
    const { index } = of
    const mask = index.length - 1
    let i = (h >>> of.shift) << 1
    while (index[i + 1] !== 0 && index[i + 1] !== a) i = (i + 2) & mask
    if (index[i + 1] !== a) {
      this.pointers?.move(of.id, a, () => this.#move(of, a, VALUE, 0))
      return
    }
    // no tombstone: a restore finds its time over as well
    if (this.#spec.timed && this.code.at(a) <= this.#since) this.#drop(of, i)
    else index[i + 1] = this.#move(of, a, VALUE, 0)
  }

  #compactChain(of: RecordGroup, a: number, segment: number, rebuilt: Set<number>): void {
    const i = this.code.findOf(of, a)
    const head = i < 0 ? 0 : (of.index[i + 1] ?? 0)
    if (head === 0 || rebuilt.has(head)) return
    const all = [...this.chain(head)]
    if (all.some((one) => one >>> 15 === segment)) {
      const kept = this.#spec.timed ? all.filter((one) => this.code.at(one) > this.#since) : all
      if (kept.length > 0) this.#rebuild(of, i, all, kept)
      else {
        this.#drop(of, i)
        return
      }
    }
    rebuilt.add(of.index[i + 1] ?? 0)
  }
}

function recordsOf(of: RecordGroup | undefined): number {
  return of === undefined ? 0 : of.n + of.pointedAt
}

function corrupt(what: string): MillraceError {
  return new MillraceError('STATE_CORRUPT', `state of a table is corrupt: ${what}`)
}
