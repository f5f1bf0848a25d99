import { ColdSegments, type SpillSettings } from './cold-segments.ts'
import { UNITS } from './record-layout.ts'
import { createSlab, NO_SLAB, SEGMENT_BYTES, SegmentMemory, type Place } from './segment-memory.ts'

/** Numbers of segments that hold copies of records on disk. */
const COPIES = 1,
  HUGE_COPY = 2,
  AHEAD = 3
/** A caller that reads record after record reads so many bytes at a time. */
const AHEAD_BYTES = 1 << 16

/**
 * The properties and the place of each segment of an arena, in memory or on disk. The tables are indexed by segment.
 */
export class Segments {
  /** The slab's views, and in words where the segment begins in them; below 0 when it is not in memory. */
  readonly i32: Int32Array[] = []
  readonly f64: Float64Array[] = []
  readonly buffer: Buffer[] = []
  readonly view: DataView[] = []
  base = new Int32Array(64)
  size = new Int32Array(64)
  /** Bytes written. */
  end = new Int32Array(64)
  /** Bytes of records that nothing refers to any more. */
  dead = new Int32Array(64)
  /** Bytes that a barrier has passed: they never change again. */
  frozen = new Int32Array(64)
  /** Tells a segment from others that had its number before. */
  serial = new Int32Array(64)
  /** Bytes of tombstones: garbage that must stay while older segments of the log do. */
  stones = new Int32Array(64)
  /** When the newest record of a segment on disk was written; Infinity where records carry no time. */
  newest = new Float64Array(64)
  /** Counts the events after which other bytes may be where a record in memory or a copy was. */
  moves = 0
  /** Whether segments may be on disk. */
  readonly spills: boolean
  readonly #memory = new SegmentMemory()
  readonly #places: (Place | undefined)[] = []
  readonly #cold: ColdSegments | undefined
  /** The serial number of the segment whose record HUGE_COPY holds. */
  #hugeSerial = 0
  /** The segment AHEAD holds bytes [from, to) of the segment of this serial number, at their own places. */
  #ahead = { serial: 0, from: 0, to: 0 }
  #serials = 0
  #resident = 0

  /** `spill`: where segments can go besides memory. */
  constructor(spill: SpillSettings | undefined) {
    this.spills = spill !== undefined
    if (spill === undefined) return
    this.#cold = new ColdSegments(() => spill.open())
    this.#show(COPIES, [this.#cold.copies, 0])
    this.size[COPIES] = this.end[COPIES] = SEGMENT_BYTES
    this.#show(HUGE_COPY, [NO_SLAB, 0])
    this.#show(AHEAD, [createSlab(SEGMENT_BYTES), 0])
    this.size[AHEAD] = this.end[AHEAD] = SEGMENT_BYTES
  }

  /** Bytes of segments in memory, including segments that are only held for a barrier. */
  get residentBytes(): number {
    return this.#resident
  }
  /** Bytes of the file, with what is free in it. */
  get fileBytes(): number {
    return this.#cold?.fileBytes ?? 0
  }
  /** The number of the first segment that may be opened. */
  protected get firstId(): number {
    return this.spills ? AHEAD + 1 : 1
  }

  /** The arena's own bytes of a segment, or those the file has. */
  bytesOf(segment: number, from: number, to: number): Uint8Array {
    if (this.#cold !== undefined && this.isCold(segment)) {
      const bytes = new Uint8Array(to - from)
      this.#cold.read(segment, from, bytes)
      return bytes
    }
    const start = (this.base[segment] ?? 0) * 4
    return this.buffer[segment]?.subarray(start + from, start + to) ?? new Uint8Array()
  }

  /** Bytes of the record at `a`. */
  recordBytes(a: number): number {
    if (this.isCold(a >>> 15)) a = this.load(a)
    const segment = a >>> 15
    const units = (this.i32[segment]?.[(this.base[segment] ?? 0) + ((a & 32767) << 1)] ?? 0) & UNITS
    return units === 0 ? (this.end[segment] ?? 0) : units * 8
  }

  /** True when a segment is not in memory. */
  isCold(segment: number): boolean {
    return (this.base[segment] ?? 0) < 0
  }

  /**
   * Where the record at `a` can be read: there, or when it is on disk in a copy that stays until the next call for
   * another.
   */
  load(a: number): number {
    const segment = a >>> 15
    if (this.#cold === undefined || !this.isCold(segment)) return a
    const end = this.end[segment] ?? 0
    if ((this.size[segment] ?? 0) <= SEGMENT_BYTES) {
      const { resets } = this.#cold
      const copy = (COPIES << 15) | (this.#cold.copyOf(a, end) >> 3)
      if (this.#cold.resets !== resets) this.moves++
      return copy
    }
    if (this.#hugeSerial !== this.serial[segment]) {
      this.moves++
      this.#show(HUGE_COPY, [this.#cold.hugeCopyOf(segment, end), 0])
      this.size[HUGE_COPY] = this.end[HUGE_COPY] = end
      this.#hugeSerial = this.serial[segment] ?? 0
    }
    return HUGE_COPY << 15
  }

  /** As `load`, for a caller that reads record after record: the records behind it are read in the same call. */
  loadAhead(a: number): number {
    const segment = a >>> 15
    if (this.#cold === undefined || !this.isCold(segment)) return a
    if ((this.size[segment] ?? 0) > SEGMENT_BYTES) return this.load(a)
    const from = (a & 32767) << 3
    if (!this.#isAhead(segment, from)) this.#readAhead(segment, from, AHEAD_BYTES)
    if (!this.#isAhead(segment, from)) this.#readAhead(segment, from, SEGMENT_BYTES)
    return (AHEAD << 15) | (a & 32767)
  }

  /** Whether all of the record at byte `from` has been read. */
  #isAhead(segment: number, from: number): boolean {
    const ahead = this.#ahead
    return (
      ahead.serial === this.serial[segment] &&
      from >= ahead.from &&
      from < ahead.to &&
      from + ((this.i32[AHEAD]?.[from >> 2] ?? 0) & UNITS) * 8 <= ahead.to
    )
  }

  #readAhead(segment: number, from: number, bytes: number): void {
    const to = Math.min(this.end[segment] ?? 0, from + bytes)
    this.moves++
    this.#ahead = { serial: 0, from, to }
    this.#cold?.read(segment, from, this.buffer[AHEAD]?.subarray(from, to) ?? new Uint8Array())
    this.#ahead.serial = this.serial[segment] ?? 0
  }

  /** Gives the file back; what is in it cannot be read any more. */
  closeDisk(): void {
    this.#cold?.close()
  }

  /** Throws what the disk refused before, at a barrier: what is kept is not what it should be. */
  checkDisk(): void {
    this.#cold?.check()
  }

  /** An empty segment in memory. */
  protected open(id: number, bytes: number): void {
    if (id >= this.base.length) this.#growTables()
    this.#show(id, this.#memory.take(bytes))
    this.size[id] = bytes
    this.end[id] = this.dead[id] = this.frozen[id] = this.stones[id] = 0
    this.serial[id] = ++this.#serials
    this.#resident += bytes
  }

  protected close(id: number): void {
    this.moves++
    if (this.isCold(id)) this.#cold?.drop(id, this.end[id] ?? 0)
    else this.#hide(id)
    this.base[id] = this.size[id] = this.end[id] = this.frozen[id] = 0
  }

  /** Its bytes never change from then on. Throws STATE_DISK_FULL or STATE_DISK_FAILED, and it is where it was. */
  protected toDisk(id: number): void {
    const end = this.end[id] ?? 0
    this.#cold?.write(id, this.bytesOf(id, 0, end))
    this.#hide(id)
    this.base[id] = -1
    this.frozen[id] = end
  }

  /** Back into memory, where it may not be written to either. Throws STATE_DISK_FAILED. */
  protected toMemory(id: number): void {
    const end = this.end[id] ?? 0
    const size = this.size[id] ?? 0
    const place = this.#memory.take(size)
    const [slab, base] = place
    this.#cold?.read(id, 0, slab.buffer.subarray(base * 4, base * 4 + end))
    this.#cold?.drop(id, end)
    this.moves++
    this.#show(id, place)
    this.#resident += size
  }

  #show(id: number, place: Place): void {
    const [slab, base] = place
    this.#places[id] = place
    this.i32[id] = slab.i32
    this.f64[id] = slab.f64
    this.buffer[id] = slab.buffer
    this.view[id] = slab.view
    this.base[id] = base
  }

  #hide(id: number): void {
    const place = this.#places[id]
    if (place === undefined) return
    this.moves++
    const size = this.size[id] ?? 0
    this.#memory.give(place, size)
    this.#show(id, [NO_SLAB, 0])
    this.#places[id] = undefined
    this.#resident -= size
  }

  #growTables(): void {
    this.base = grown(this.base)
    this.size = grown(this.size)
    this.end = grown(this.end)
    this.dead = grown(this.dead)
    this.frozen = grown(this.frozen)
    this.serial = grown(this.serial)
    this.stones = grown(this.stones)
    const newest = new Float64Array(this.newest.length * 2)
    newest.set(this.newest)
    this.newest = newest
  }
}

function grown(old: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(old.length * 2)
  wider.set(old)
  return wider
}
