import { MillraceError } from '../../model/errors.ts'
import type { ScratchFile } from '../../ports/scratch.ts'
import { UNITS } from './record-layout.ts'
import { createSlab, powerOfTwo, SEGMENT_BYTES, type Slab } from './segment-memory.ts'

/** How much of a store may lie in memory, and where the rest goes. */
export interface SpillSettings {
  limitBytes: number
  /** Called once, when the limit is first exceeded. */
  open(): ScratchFile
}

/** The bytes that one read of a record asks for, until records turn out to be larger. */
const FIRST_READ_BYTES = 256
const MOST_READ_BYTES = 4096

/**
 * Segments that do not fit into memory, in a file: whole ones are written behind each other, or where one was that
 * is not needed any more; single records are read into a stretch of memory that is used again when it is full.
 */
export class ColdSegments {
  /** Holds copies of records. */
  readonly copies = createSlab(SEGMENT_BYTES)
  readonly #open: () => ScratchFile
  #file: ScratchFile | undefined
  /** By segment, where it begins in the file. */
  readonly #at: (number | undefined)[] = []
  /** Free places by the logarithm of their size. */
  readonly #free: number[][] = Array.from({ length: 32 }, () => [])
  #fileBytes = 0
  /** By the address of a record, where in `copies` its copy begins. */
  readonly #copied = new Map<number, number>()
  #copiedBytes = 0
  #readBytes = FIRST_READ_BYTES
  /** How often copies made room for others. */
  resets = 0
  /** The first failure of the file system: from then on the state is incomplete. */
  #failure: MillraceError | undefined

  constructor(open: () => ScratchFile) {
    this.#open = open
  }

  /** The size of the file, free places included. */
  get fileBytes(): number {
    return this.#fileBytes
  }

  close(): void {
    this.#file?.close()
    this.#file = undefined
    this.#at.length = 0
  }

  /** Throws the failure that was thrown before, in case a caller did not pass it on. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Throws STATE_DISK_FULL or STATE_DISK_FAILED; the segment is then not there. */
  write(segment: number, bytes: Uint8Array): void {
    const room = powerOfTwo(bytes.length)
    const free = this.#free[Math.log2(room)]
    const reused = free?.pop()
    const at = reused ?? this.#fileBytes
    try {
      this.#file ??= this.#open()
      this.#file.write(bytes, at)
    } catch (error) {
      if (reused !== undefined) free?.push(reused)
      throw this.#failed(error, `writing ${bytes.length} bytes of state behind ${this.#fileBytes} others`)
    }
    if (reused === undefined) this.#fileBytes += room
    this.#at[segment] = at
  }

  /** Fills `into` with what a segment has from byte `from`. Throws STATE_DISK_FAILED. */
  read(segment: number, from: number, into: Uint8Array): void {
    const at = this.#at[segment]
    try {
      if (at === undefined || this.#file === undefined) throw new Error(`segment ${segment} is not there`)
      this.#file.read(into, at + from)
    } catch (error) {
      throw this.#failed(error, `reading ${into.length} bytes of state`)
    }
  }

  /** Frees the place of a segment that had `bytes`. */
  drop(segment: number, bytes: number): void {
    const at = this.#at[segment]
    if (at === undefined) return
    this.#at[segment] = undefined
    this.#free[Math.log2(powerOfTwo(bytes))]?.push(at)
    this.#forgetCopies()
  }

  /**
   * Where in `copies` the record at `a` now begins, in a segment of `end` bytes: it stays there until the next
   * call.
   */
  copyOf(a: number, end: number): number {
    const known = this.#copied.get(a)
    if (known !== undefined) return known
    const [segment, from] = [a >>> 15, (a & 32767) << 3]
    const guess = Math.min(this.#readBytes, end - from)
    let to = this.#room(guess)
    this.read(segment, from, this.copies.buffer.subarray(to, to + guess))
    const bytes = ((this.copies.i32[to >> 2] ?? 0) & UNITS) * 8 || end - from
    if (bytes > guess) {
      this.#readBytes = Math.min(MOST_READ_BYTES, powerOfTwo(bytes))
      to = this.#room(bytes)
      this.read(segment, from, this.copies.buffer.subarray(to, to + bytes))
    }
    this.#copied.set(a, to)
    this.#copiedBytes = to + bytes
    return to
  }

  /** A huge record, the only one of its segment. */
  hugeCopyOf(segment: number, end: number): Slab {
    const slab = createSlab(end)
    this.read(segment, 0, slab.buffer)
    return slab
  }

  #room(bytes: number): number {
    if (this.#copiedBytes + bytes > SEGMENT_BYTES) this.#forgetCopies()
    return this.#copiedBytes
  }

  #forgetCopies(): void {
    this.#copied.clear()
    this.#copiedBytes = 0
    this.resets++
  }

  #failed(cause: unknown, what: string): MillraceError {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    const isFull = code === 'ENOSPC' || code === 'EDQUOT'
    this.#failure = new MillraceError(
      isFull ? 'STATE_DISK_FULL' : 'STATE_DISK_FAILED',
      `${what} on the local disk failed: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        domain: 'platform',
        retriable: true,
        cause,
        hint: isFull
          ? 'State beyond spec.state.memory goes to spec.state.folder: give that folder a larger volume, raise spec.state.memory, or run the operator with more replicas.'
          : 'State beyond spec.state.memory goes to spec.state.folder: see that it lies on a healthy local disk and may be written to.',
      },
    )
    return this.#failure
  }
}
