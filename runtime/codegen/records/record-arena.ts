import { MillraceError } from '../../model/errors.ts'

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
  /** Set when a segment was taken: call `maintain` once the running operation is over. */
  debt = false
  readonly #logs: (Log | undefined)[] = [undefined]
  readonly #freeIds: number[] = []
  /** Free segments by the logarithm of their size: [slab, base in words]. */
  readonly #free: [Slab, number][][] = Array.from({ length: 19 }, () => [])
  readonly #slabs: (Slab | undefined)[] = [undefined]
  #slab: Slab | undefined
  #slabUsed = 0
  #reserved = 0
  #taken = 0
  #garbage = 0

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
    const [slab, base] = bytes > SEGMENT_BYTES ? [createSlab(bytes), 0] as const : this.#free[log2(bytes)]?.pop() ?? this.#cut(bytes)
    this.#slabs[id] = slab
    this.i32[id] = slab.i32
    this.f64[id] = slab.f64
    this.buffer[id] = slab.buffer
    this.base[id] = base
    this.size[id] = bytes
    this.end[id] = this.dead[id] = 0
    this.#logs[id] = log
    this.#taken += bytes
    log.seg = id
    log.segs.push(id)
  }

  /** Gives a log's segment back; nothing may refer to its records. */
  release(id: number): void {
    const log = this.#logs[id]
    const slab = this.#slabs[id]
    if (log === undefined || slab === undefined) return
    log.segs.splice(log.segs.indexOf(id), 1)
    if (log.seg === id) log.seg = 0
    const size = this.size[id] ?? 0
    this.#taken -= size
    this.#garbage -= this.dead[id] ?? 0
    if (size <= SEGMENT_BYTES) this.#free[log2(size)]?.push([slab, this.base[id] ?? 0])
    this.#logs[id] = this.#slabs[id] = undefined
    this.i32[id] = NO_SLAB.i32
    this.f64[id] = NO_SLAB.f64
    this.buffer[id] = NO_SLAB.buffer
    this.size[id] = this.end[id] = this.dead[id] = 0
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
      this.#free[log2(bytes)]?.push([this.#slab, this.#slabUsed >> 2])
      this.#slabUsed += bytes
    }
  }

  #growTables(): void {
    this.base = grown(this.base)
    this.size = grown(this.size)
    this.end = grown(this.end)
    this.dead = grown(this.dead)
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
