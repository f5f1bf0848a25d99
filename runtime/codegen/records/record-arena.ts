import { MillraceError } from '../../model/errors.ts'
import { UNITS } from './record-layout.ts'

/** Bytes of a full segment. A record's address is segment << 15 | offset / 8, so a segment cannot be larger. */
export const SEGMENT_BYTES = 1 << 18
const FIRST_SEGMENT_BYTES = 512
const FIRST_SLAB_BYTES = 1 << 14
const SLAB_BYTES = 1 << 26
const MAX_SEGMENTS = 1 << 17

/** Below this, garbage is not worth a pass. */
const MIN_GARBAGE_BYTES = 1 << 16
/** Garbage may be this share of all segments. */
const GARBAGE_SHARE = 0.3
/** Segments compacted per segment taken: each frees at least its share of garbage, so that garbage cannot outgrow the bound. */
const COMPACTIONS_PER_ROLL = 4

/** Typed views over one stretch of memory. */
interface Slab { readonly i32: Int32Array; readonly f64: Float64Array; readonly buffer: Buffer }

/** A log of records to which an arena gives segments. */
export interface Log {
  /** Active segment, 0 before the first. */
  seg: number
  /** All segments in the order in which they were taken, the active one last. */
  readonly segs: number[]
  /** Moves what lives in a segment to the log's end. */
  compact(segment: number): void
}

/**
 * The memory of a store's records: logs append to segments cut from slabs, and what is garbage in a segment is won back
 * by moving the rest (research note "row state"; after LFS, Rosenblum and Ousterhout 1992, with greedy choice of the
 * segment). A log's segments double from 512 bytes, so that many small logs take little. The tables are indexed by segment.
 */
export class RecordArena {
  /** The slab's views, and in words where the segment begins in them. */
  readonly i32: Int32Array[] = []
  readonly f64: Float64Array[] = []
  readonly buffer: Buffer[] = []
  base = new Int32Array(64)
  size = new Int32Array(64)
  /** Bytes written. */
  end = new Int32Array(64)
  /** Bytes of records that nobody refers to any more. */
  dead = new Int32Array(64)
  /** Bytes that a barrier has passed: they never change again. */
  frozen = new Int32Array(64)
  /** Tells a segment from others that had its number before. */
  serial = new Int32Array(64)
  /** Set when a segment was taken: call `maintain` once the running operation is over. */
  debt = false
  readonly #logs: (Log | undefined)[] = [undefined]
  readonly #freeIds: number[] = []
  /** Free segments by the logarithm of their size: [slab, base in words]. */
  readonly #spare: [Slab, number][][] = Array.from({ length: 19 }, () => [])
  readonly #slabs: (Slab | undefined)[] = [undefined]
  #slab: Slab | undefined
  #slabUsed = 0
  #reserved = 0
  #taken = 0
  #garbage = 0
  #serials = 0
  #freezes = 0
  /** Those of barriers whose bytes are still wanted. */
  readonly #wanted = new Set<number>()
  /** Segments that were given back since: `until` is the last freeze that may refer to them. */
  #held: { id: number; until: number }[] = []

  /** Bytes of all segments in use, garbage and room at their ends included. */
  get takenBytes(): number { return this.#taken }

  /** Closes the log's active segment and gives it one with room for `need` bytes. */
  roll(log: Log, need: number): void {
    let used = 0
    for (let i = log.segs.length - 1; i >= 0 && used < SEGMENT_BYTES; i--) used += this.end[log.segs[i] ?? 0] ?? 0
    if (log.seg !== 0) this.kill(log.seg, (this.size[log.seg] ?? 0) - (this.end[log.seg] ?? 0))
    const size = Math.min(SEGMENT_BYTES, Math.max(FIRST_SEGMENT_BYTES, powerOfTwo(used)))
    this.take(log, need > SEGMENT_BYTES ? need + 7 & ~7 : Math.max(size, powerOfTwo(need)))
    this.debt = true
  }

  /** Counts bytes of a segment as garbage. */
  kill(segment: number, bytes: number): void {
    this.dead[segment] = (this.dead[segment] ?? 0) + bytes
    this.#garbage += bytes
  }

  /** Takes a segment of exactly `bytes`: a power of two, or any multiple of 8 above SEGMENT_BYTES for one huge record. */
  take(log: Log, bytes: number): void {
    const id = this.#freeIds.pop() ?? this.#logs.length
    if (id >= MAX_SEGMENTS) throw new MillraceError('STATE_TOO_LARGE', `the state of one operator in one slot exceeds ${MAX_SEGMENTS} segments of ${SEGMENT_BYTES} bytes`, { domain: 'user', hint: 'run the operator with more replicas' })
    if (id >= this.base.length) this.#growTables()
    const [slab, base] = bytes > SEGMENT_BYTES ? [createSlab(bytes), 0] as const : this.#spare[log2(bytes)]?.pop() ?? this.#cut(bytes)
    this.#slabs[id] = slab
    this.i32[id] = slab.i32
    this.f64[id] = slab.f64
    this.buffer[id] = slab.buffer
    this.base[id] = base
    this.size[id] = bytes
    this.end[id] = this.dead[id] = this.frozen[id] = 0
    this.serial[id] = ++this.#serials
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
    this.#taken -= this.size[id] ?? 0
    this.#garbage -= this.dead[id] ?? 0
    this.dead[id] = 0
    this.#logs[id] = undefined
    if (this.#wanted.size === 0) this.#free(id)
    else this.#held.push({ id, until: this.#freezes })
  }

  /**
   * At a barrier: what has been written stays as it is, in memory too until `thaw` is called with the number given. What is
   * changed later is written anew at the log's end.
   */
  freeze(): number {
    this.frozen.set(this.end)
    this.#wanted.add(++this.#freezes)
    return this.#freezes
  }

  /** The bytes of a freeze are not wanted any more. */
  thaw(freeze: number): void {
    this.#wanted.delete(freeze)
    const oldest = Math.min(...this.#wanted)
    const free = this.#held.filter(({ until }) => until < oldest)
    this.#held = this.#held.filter(({ until }) => until >= oldest)
    for (const { id } of free) this.#free(id)
  }

  /** The arena's own bytes of a segment. */
  bytesOf(segment: number, from: number, to: number): Uint8Array {
    const start = (this.base[segment] ?? 0) * 4
    return this.buffer[segment]?.subarray(start + from, start + to) ?? new Uint8Array()
  }

  /** Bytes of the record at `a`. */
  recordBytes(a: number): number {
    const segment = a >>> 15
    const units = (this.i32[segment]?.[(this.base[segment] ?? 0) + ((a & 32767) << 1)] ?? 0) & UNITS
    return units === 0 ? this.end[segment] ?? 0 : units * 8
  }

  /** Copies the record at `a` to the log's end and returns its address there; the old one counts as it did. */
  copy(log: Log, a: number): number {
    const bytes = this.recordBytes(a)
    if ((this.end[log.seg] ?? 0) + bytes > (this.size[log.seg] ?? 0)) this.roll(log, bytes)
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
    return to << 15 | o >> 3
  }

  /** For a record that is about to be changed in place: where it may be, at the log's end when a barrier has passed it. */
  own(log: Log, a: number): number {
    if ((a & 32767) << 3 >= (this.frozen[a >>> 15] ?? 0)) return a
    const copy = this.copy(log, a)
    this.kill(a >>> 15, this.recordBytes(a))
    return copy
  }

  #free(id: number): void {
    const slab = this.#slabs[id]
    if (slab === undefined) return
    const size = this.size[id] ?? 0
    if (size <= SEGMENT_BYTES) this.#spare[log2(size)]?.push([slab, this.base[id] ?? 0])
    this.#slabs[id] = undefined
    this.i32[id] = NO_SLAB.i32
    this.f64[id] = NO_SLAB.f64
    this.buffer[id] = NO_SLAB.buffer
    this.size[id] = this.end[id] = this.frozen[id] = 0
    this.#freeIds.push(id)
  }

  /** Between operations: compacts the segments with most garbage while there is too much of it. */
  maintain(): void {
    for (let steps = COMPACTIONS_PER_ROLL; steps > 0 && this.#garbage > MIN_GARBAGE_BYTES && this.#garbage > this.#taken * GARBAGE_SHARE; steps--) {
      const segment = this.#worst()
      if (segment === 0) break
      this.compact(segment)
    }
    this.debt = false
  }

  /** Moves what lives in a segment to the end of its log and gives the segment back. */
  compact(segment: number): void {
    const log = this.#logs[segment]
    if (log === undefined) return
    if (log.seg === segment) log.seg = 0
    log.compact(segment)
    this.release(segment)
  }

  #worst(): number {
    let worst = 0
    let most = 0
    for (let id = 1; id < this.#logs.length; id++) {
      const dead = this.dead[id] ?? 0
      if (dead > most && this.#logs[id]?.seg !== id) {
        most = dead
        worst = id
      }
    }
    return worst
  }

  #cut(bytes: number): [Slab, number] {
    if (this.#slab === undefined || this.#slabUsed + bytes > this.#slab.buffer.length) {
      this.#keepRest()
      this.#slab = createSlab(Math.max(bytes, Math.min(SLAB_BYTES, Math.max(FIRST_SLAB_BYTES, powerOfTwo(this.#reserved)))))
      this.#slabUsed = 0
      this.#reserved += this.#slab.buffer.length
    }
    const base = this.#slabUsed >> 2
    this.#slabUsed += bytes
    return [this.#slab, base]
  }

  /** What a slab has left when something larger is wanted goes to the free segments. */
  #keepRest(): void {
    while (this.#slab !== undefined && this.#slab.buffer.length - this.#slabUsed >= FIRST_SEGMENT_BYTES) {
      const left = this.#slab.buffer.length - this.#slabUsed
      const bytes = Math.min(SEGMENT_BYTES, 1 << 31 - Math.clz32(left))
      this.#spare[log2(bytes)]?.push([this.#slab, this.#slabUsed >> 2])
      this.#slabUsed += bytes
    }
  }

  #growTables(): void {
    this.base = grown(this.base)
    this.size = grown(this.size)
    this.end = grown(this.end)
    this.dead = grown(this.dead)
    this.frozen = grown(this.frozen)
    this.serial = grown(this.serial)
  }
}

const NO_SLAB = createSlab(0)

function createSlab(bytes: number): Slab {
  const memory = new ArrayBuffer(bytes)
  return { i32: new Int32Array(memory), f64: new Float64Array(memory), buffer: Buffer.from(memory) }
}

function powerOfTwo(least: number): number { return least <= 1 ? 1 : 1 << 32 - Math.clz32(least - 1) }
function log2(power: number): number { return 31 - Math.clz32(power) }

function grown(old: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(old.length * 2)
  wider.set(old)
  return wider
}
