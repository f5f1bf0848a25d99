import { MillraceError } from '../../model/errors.ts'
import type { SpillSettings } from './cold-segments.ts'
import { FIRST_SEGMENT_BYTES, NO_SLAB, powerOfTwo, SEGMENT_BYTES } from './segment-memory.ts'
import { Segments } from './segments.ts'

const MAX_SEGMENTS = 1 << 17

/** Below this, garbage is not worth a pass. */
const MIN_GARBAGE_BYTES = 1 << 16
/** Garbage may be this share of all segments in memory… */
const GARBAGE_SHARE = 0.3
/** …and this share of the segments on disk, where room costs less and compaction costs a read and a write. */
const COLD_GARBAGE_SHARE = 0.6
/**
 * While places are preferred: room for as much again as there is, which no preparation of a switch should come
 * near.
 */
const GARBAGE_SHARE_OF_PLACES = 0.6
/**
 * Segments compacted per segment taken: each frees at least its share of garbage, so that garbage cannot outgrow
 * the bound.
 */
const COMPACTIONS_PER_ROLL = 4
/**
 * A segment on disk is compacted when at least this share of it is garbage; otherwise the oldest is compacted, which
 * drops its tombstones.
 */
const MIN_COLD_GAIN = 0.3
/** A segment that has to leave memory is compacted instead when this much of it is garbage. */
const MIN_EVICTED_GAIN = 0.5
/** A full segment is this part of the limit at most: each log keeps its active one in memory. */
const SEGMENTS_IN_LIMIT = 512

/** A log of records to which an arena gives segments. */
export interface Log {
  /** Active segment, 0 before the first. */
  seg: number
  /** All segments in the order in which they were taken, the active one last. */
  readonly segs: number[]
  /** Its segments stay in memory. */
  readonly resident: boolean
  /** Its active segment may leave memory too, where nothing is written to it for a while: there are many such logs. */
  readonly rests?: boolean
  /** Moves what lives in a segment to the log's end. */
  compact(segment: number): void
  /** When the newest record of a segment was written; Infinity where records do not say. */
  newestIn(segment: number): number
}

/**
 * The memory of a store's records: logs append to segments cut from slabs, and a segment is compacted by moving what is
 * not garbage (research note "row state"; after LFS, Rosenblum and Ousterhout 1992, with greedy choice of the
 * segment). A log's segments double from 512 bytes, so that many small logs take little.
 *
 * With a limit, the oldest segments leave memory for a file, and a record of theirs that is read goes to the log's end
 * again (FIFO with reinsertion, Eytan et al. 2020), so that the log's end is what is in use.
 */
export class RecordArena extends Segments {
  /** Above 0 while callers hold addresses: only records that they ask for are moved then. */
  holders = 0
  /** Set when a segment was taken: call `maintain` once the running operation is over. */
  debt = false
  readonly #logs: (Log | undefined)[]
  readonly #freeIds: number[] = []
  readonly #limit: number
  readonly #largest: number
  /**
   * Segments in the order in which they were taken; segments that left memory or were released are still among them.
   * `end`: its end when it was last passed over.
   */
  #queue: [id: number, serial: number, end: number][] = []
  /** Bytes of live segments on disk, and the garbage in them. */
  #coldBytes = 0
  #coldGarbage = 0
  #maintaining = false
  #taken = 0
  #garbage = 0
  #share = GARBAGE_SHARE
  #freezes = 0
  /** The freezes of barriers whose bytes are still needed. */
  readonly #wanted = new Set<number>()
  /** Segments that were released since: `until` is the last freeze that may refer to them. */
  #held: { id: number; until: number }[] = []

  /** `spill`: how much may lie in memory; absent: all. */
  constructor(spill?: SpillSettings) {
    super(spill)
    this.#logs = new Array<Log | undefined>(this.firstId).fill(undefined)
    this.#limit = spill?.limitBytes ?? Infinity
    this.#largest =
      spill === undefined
        ? SEGMENT_BYTES
        : Math.min(SEGMENT_BYTES, Math.max(FIRST_SEGMENT_BYTES, powerOfTwo(this.#limit / SEGMENTS_IN_LIMIT)))
  }

  /** Bytes of the segments on disk that are in use. */
  get coldBytes(): number {
    return this.#coldBytes
  }

  /** Bytes of all segments in use, garbage and room at their ends included. */
  get takenBytes(): number {
    return this.#taken + this.#coldBytes
  }

  /** Closes the log's active segment and gives it one with room for `need` bytes. */
  roll(log: Log, need: number): void {
    let used = 0
    for (let i = log.segs.length - 1; i >= 0 && used < SEGMENT_BYTES; i--) used += this.end[log.segs[i] ?? 0] ?? 0
    this.#endActive(log)
    const size = Math.min(this.#largest, Math.max(FIRST_SEGMENT_BYTES, powerOfTwo(used)))
    this.take(log, need > SEGMENT_BYTES ? (need + 7) & ~7 : Math.max(size, powerOfTwo(need)))
    this.debt = true
  }

  /** Nothing is written to its active segment any more. */
  #endActive(log: Log): void {
    if (log.seg !== 0) this.kill(log.seg, (this.size[log.seg] ?? 0) - (this.end[log.seg] ?? 0))
    log.seg = 0
  }

  /** Counts bytes of a segment as garbage. */
  kill(segment: number, bytes: number): void {
    this.dead[segment] = (this.dead[segment] ?? 0) + bytes
    if ((this.base[segment] ?? 0) < 0) this.#coldGarbage += bytes
    else this.#garbage += bytes
  }

  /**
   * Takes a segment of exactly `bytes`: a power of two, or any multiple of 8 above SEGMENT_BYTES for one huge
   * record.
   */
  take(log: Log, bytes: number): void {
    const id = this.#freeIds.pop() ?? this.#logs.length
    if (id >= MAX_SEGMENTS)
      throw new MillraceError(
        'STATE_TOO_LARGE',
        `the state of one operator in one slot exceeds ${MAX_SEGMENTS} segments of ${SEGMENT_BYTES} bytes`,
        { domain: 'user', hint: 'run the operator with more replicas' },
      )
    this.open(id, bytes)
    if (this.spills && !log.resident) this.#queue.push([id, this.serial[id] ?? 0, -1])
    this.#logs[id] = log
    this.#taken += bytes
    log.seg = id
    log.segs.push(id)
  }

  /** Gives a log's segment back, but keeps it for barriers before; no index may refer to its records. */
  release(id: number): void {
    const log = this.#logs[id]
    if (log === undefined) return
    log.segs.splice(log.segs.indexOf(id), 1)
    if (log.seg === id) log.seg = 0
    if (this.isCold(id)) {
      this.#coldBytes -= this.end[id] ?? 0
      this.#coldGarbage -= this.dead[id] ?? 0
    } else {
      this.#taken -= this.size[id] ?? 0
      this.#garbage -= this.dead[id] ?? 0
    }
    this.dead[id] = 0
    this.#logs[id] = undefined
    if (this.#wanted.size === 0) this.#free(id)
    else this.#held.push({ id, until: this.#freezes })
  }

  /**
   * At a barrier: what has been written stays as it is, in memory too until `thaw` is called with the number given.
   * Records that change later are written to the log's end. Throws the failure of the disk since the last barrier.
   */
  freeze(): number {
    this.checkDisk()
    this.frozen.set(this.end)
    this.#wanted.add(++this.#freezes)
    return this.#freezes
  }

  /**
   * With `places` what has been written is moved only when much more of it is garbage: what is written later then
   * mostly stands behind what a snapshot has.
   */
  prefer(what: 'room' | 'places'): void {
    this.#share = what === 'places' ? GARBAGE_SHARE_OF_PLACES : GARBAGE_SHARE
  }

  /** The bytes of a freeze are not wanted any more. */
  thaw(freeze: number): void {
    this.#wanted.delete(freeze)
    const oldest = Math.min(...this.#wanted)
    const free = this.#held.filter(({ until }) => until < oldest)
    this.#held = this.#held.filter(({ until }) => until >= oldest)
    for (const { id } of free) this.#free(id)
  }

  /** Copies the record at `a` to the log's end and returns its address there; the old one counts as it did. */
  copy(log: Log, a: number): number {
    const bytes = this.recordBytes(a)
    if ((this.end[log.seg] ?? 0) + bytes > (this.size[log.seg] ?? 0)) this.roll(log, bytes)
    if (this.isCold(a >>> 15)) a = this.load(a)
    const from = a >>> 15
    const to = log.seg
    const o = this.end[to] ?? 0
    const words = this.i32[to] ?? NO_SLAB.i32
    const source = this.i32[from] ?? NO_SLAB.i32
    const d = (this.base[to] ?? 0) + (o >> 2)
    const q = (this.base[from] ?? 0) + ((a & 32767) << 1)
    const count = bytes >> 2
    if (count <= 64) for (let k = 0; k < count; k++) words[d + k] = source[q + k] ?? 0
    else words.set(source.subarray(q, q + count), d)
    this.end[to] = o + bytes
    return (to << 15) | (o >> 3)
  }

  /**
   * For a record that is about to be changed in place: where it may be, at the log's end when a barrier has passed
   * it.
   */
  own(log: Log, a: number): number {
    if ((a & 32767) << 3 >= (this.frozen[a >>> 15] ?? 0)) return a
    const copy = this.copy(log, a)
    this.kill(a >>> 15, this.recordBytes(a))
    return copy
  }

  /** Copies a record on disk to the log's end, for it is in use, and returns its address there. */
  promote(log: Log, a: number): number {
    const copy = this.copy(log, a)
    this.kill(a >>> 15, this.recordBytes(copy))
    return copy
  }

  #free(id: number): void {
    this.close(id)
    this.#freeIds.push(id)
  }

  /**
   * Between operations: compacts the segments with most garbage while there is too much of it, and sees that memory
   * keeps its limit.
   */
  maintain(): void {
    if (this.#maintaining || this.holders > 0) return
    this.#maintaining = true
    try {
      for (
        let steps = COMPACTIONS_PER_ROLL;
        steps > 0 && this.#garbage > MIN_GARBAGE_BYTES && this.#garbage > this.#taken * this.#share;
        steps--
      ) {
        const segment = this.#worst()
        if (segment === 0) break
        this.compact(segment)
      }
      if (this.spills) this.#spill()
    } finally {
      this.#maintaining = false
    }
    this.debt = false
  }

  /** Moves what lives in a segment to the end of its log and gives the segment back. */
  compact(segment: number): void {
    const log = this.#logs[segment]
    if (log === undefined) return
    const isCold = this.isCold(segment)
    if (!isCold || this.#gain(segment) < (this.end[segment] ?? 0)) {
      if (isCold) this.#return(segment)
      if (log.seg === segment) log.seg = 0
      log.compact(segment)
    }
    this.release(segment)
  }

  #worst(): number {
    let worst = 0
    let most = 0
    for (let id = 1; id < this.#logs.length; id++) {
      const dead = this.dead[id] ?? 0
      if (dead > most && !this.isCold(id) && this.#logs[id]?.seg !== id) {
        most = dead
        worst = id
      }
    }
    return worst
  }

  /** Bytes of a segment that compaction would not write again; its end when it would write nothing. */
  #gain(id: number): number {
    const end = this.end[id] ?? 0
    const log = this.#logs[id]
    if (log?.seg === id) return 0
    const dead = (this.dead[id] ?? 0) - (this.isCold(id) ? 0 : (this.size[id] ?? 0) - end)
    return log?.segs[0] === id ? dead : dead - (this.stones[id] ?? 0)
  }

  #spill(): void {
    for (
      let steps = COMPACTIONS_PER_ROLL;
      steps > 0 && this.#coldGarbage > MIN_GARBAGE_BYTES && this.#coldGarbage > this.#coldBytes * COLD_GARBAGE_SHARE;
      steps--
    ) {
      this.compact(this.#worstCold())
    }
    if (this.#queue.length > this.#logs.length * 2)
      this.#queue = this.#queue.filter(([id, serial]) => this.serial[id] === serial && !this.isCold(id))
    for (let left = this.#queue.length; left > 0 && this.residentBytes > this.#limit; left--) this.#evictNext()
  }

  /** Where most is won, or if that is little anywhere, the oldest. */
  #worstCold(): number {
    let [worst, most, oldest, first] = [0, 0, 0, Infinity]
    for (let id = 1; id < this.#logs.length; id++) {
      if (!this.isCold(id) || this.#logs[id] === undefined) continue
      const gain = this.#gain(id)
      const serial = this.serial[id] ?? 0
      if (gain > most) [worst, most] = [id, gain]
      if (serial < first) [oldest, first] = [id, serial]
    }
    return most >= (this.end[worst] ?? 0) * MIN_COLD_GAIN ? worst : oldest
  }

  #evictNext(): void {
    const next = this.#queue.shift()
    if (next === undefined) return
    const [id, serial, seenEnd] = next
    if (this.serial[id] !== serial || this.isCold(id)) return
    const log = this.#logs[id]
    const end = this.end[id] ?? 0
    if (log?.seg === id && log.rests === true && end === seenEnd) this.#endActive(log)
    if (log?.seg === id) this.#queue.push([id, serial, end])
    else if (log !== undefined && this.#gain(id) > (this.end[id] ?? 0) * MIN_EVICTED_GAIN) this.compact(id)
    else this.#evict(id, log)
  }

  /** Also segments that are only held for a barrier. */
  #evict(id: number, log: Log | undefined): void {
    const end = this.end[id] ?? 0
    this.newest[id] = log?.newestIn(id) ?? Infinity
    this.toDisk(id)
    if (log === undefined) return
    const size = this.size[id] ?? 0
    const dead = this.dead[id] ?? 0
    this.#taken -= size
    this.#garbage -= dead
    this.dead[id] = dead - (size - end)
    this.#coldBytes += end
    this.#coldGarbage += dead - (size - end)
  }

  /** Back into memory, to be compacted. */
  #return(id: number): void {
    const end = this.end[id] ?? 0
    const size = this.size[id] ?? 0
    this.toMemory(id)
    const dead = this.dead[id] ?? 0
    this.#coldBytes -= end
    this.#coldGarbage -= dead
    this.dead[id] = dead + size - end
    this.#taken += size
    this.#garbage += dead + size - end
    this.#queue.push([id, this.serial[id] ?? 0, -1])
  }
}
