import { MillraceError } from '../../../model/errors.ts'
import { entriesOf, findFrame, frameBytesAt, isFrameAt, FRAME_HEAD_BYTES, type EntryBounds } from './log-frame.ts'
import type { LogPosition } from './log-place.ts'
import { isMissing, takenOver, type SegmentFiles } from './log-writer.ts'

/** Read in one go, where a frame is not longer. */
const CHUNK_BYTES = 256 * 1024

/** The segments of a log that can be read. */
export interface LogExtent {
  /** So many bytes of a segment; undefined when it is not there. */
  readableBytes(segment: number): number | undefined
  /** True when nothing is appended to the segment any more. */
  isComplete(segment: number): boolean
  /** True when nothing is appended to the log any more, and this segment is its last or lies behind it. */
  endsWith(segment: number): boolean
}

/** Entries of one frame; their bytes are theirs until the next call. */
export interface ReadEntries {
  readonly entries: EntryBounds
  /** The place of the first one, for messages. */
  readonly where: string
}

interface Frame {
  readonly entries: EntryBounds
  /** Where the next one begins. */
  readonly end: number
}

/** Reads a log from a position on, while it is written or afterwards. */
export class LogCursor {
  readonly #files: Pick<SegmentFiles, 'read'>
  readonly #pathOf: (segment: number) => string
  readonly #extent: LogExtent
  #position: LogPosition
  #finished = false
  /** Bytes that were read ahead: those of the segment of the position, from `start` on. */
  #chunk: { segment: number; start: number; bytes: Buffer } | undefined
  /** The frame at the position. */
  #frame: Frame | undefined

  constructor(
    files: Pick<SegmentFiles, 'read'>,
    pathOf: (segment: number) => string,
    extent: LogExtent,
    position: LogPosition,
  ) {
    this.#files = files
    this.#pathOf = pathOf
    this.#extent = extent
    this.#position = position
  }

  get position(): LogPosition {
    return this.#position
  }

  /** True when all was read and nothing will follow. */
  get finished(): boolean {
    return this.#finished
  }

  /**
   * At most `most` entries, all of one frame; undefined when there is none now. The position is then behind them.
   * Throws LOG_DAMAGED.
   */
  async next(most: number): Promise<ReadEntries | undefined> {
    const frame = (this.#frame ??= await this.#readFrame())
    if (frame === undefined) return undefined
    const { segment, offset, entry } = this.#position
    const end = Math.min(entry + most, frame.entries.count)
    if (end < frame.entries.count) {
      this.#position = { segment, offset, entry: end }
    } else {
      this.#frame = undefined
      this.#position = { segment, offset: frame.end, entry: 0 }
    }
    const entries = partOf(frame.entries, entry, end)
    return { entries, where: `${this.#pathOf(segment)}, byte ${offset}, entry ${entry}` }
  }

  async #readFrame(): Promise<Frame | undefined> {
    for (;;) {
      const { segment, offset } = this.#position
      const readable = this.#extent.readableBytes(segment) ?? 0
      // It may be shorter: what a dead process had not flushed could be read until the power failed.
      if (offset < readable) {
        const frame = await this.#frameAt(segment, offset, readable)
        if (frame !== undefined) return frame
        await this.#checkTorn(segment, offset, readable)
      }
      if (this.#extent.endsWith(segment)) {
        this.#finished = true
        return undefined
      }
      if (!this.#extent.isComplete(segment)) return undefined
      this.#position = { segment: segment + 1, offset: 0, entry: 0 }
    }
  }

  /** The whole frame at an offset; undefined when none is there. */
  async #frameAt(segment: number, offset: number, readable: number): Promise<Frame | undefined> {
    let bytes = await this.#bytesAt(segment, offset, Math.min(FRAME_HEAD_BYTES, readable - offset), readable)
    const length = frameBytesAt(bytes, 0)
    if (length === undefined || offset + length > readable) return undefined
    bytes = await this.#bytesAt(segment, offset, length, readable)
    return isFrameAt(bytes, 0) ? { entries: entriesOf(bytes, length), end: offset + length } : undefined
  }

  /** At least `length` bytes from an offset, of what was read ahead or of the file; fewer where it ends before. */
  async #bytesAt(segment: number, offset: number, length: number, readable: number): Promise<Buffer> {
    const ahead = this.#chunk
    if (ahead?.segment === segment && offset >= ahead.start && offset + length <= ahead.start + ahead.bytes.length)
      return ahead.bytes.subarray(offset - ahead.start)
    const wanted = Math.min(readable - offset, Math.max(length, CHUNK_BYTES))
    const bytes = await this.#read(segment, offset, wanted)
    this.#chunk = { segment, start: offset, bytes }
    return bytes
  }

  /**
   * The rest that a crash left at the end of a segment was never acknowledged. A whole frame behind it says that it was: the next
   * one is written only after the one before was flushed.
   */
  async #checkTorn(segment: number, offset: number, readable: number): Promise<void> {
    const next = findFrame(await this.#read(segment, offset, readable - offset), 1)
    if (next !== undefined) throw this.#damaged(segment, offset, offset + next)
  }

  async #read(segment: number, offset: number, length: number): Promise<Buffer> {
    try {
      const read = await this.#files.read(this.#pathOf(segment), offset, length)
      return Buffer.from(read.buffer, read.byteOffset, read.length)
    } catch (error) {
      throw isMissing(error) ? takenOver() : error
    }
  }

  #damaged(segment: number, from: number, to: number): MillraceError {
    return new MillraceError(
      'LOG_DAMAGED',
      `${this.#pathOf(segment)} is damaged from byte ${from} to ${to}: what was acknowledged is lost there`,
      {
        domain: 'dependency',
        hint: 'The volume has lost data. Restore the file, or move it away: log.onLoss then decides.',
      },
    )
  }
}

function partOf(
  { bytes, metadataStarts, valueStarts, valueEnds }: EntryBounds,
  start: number,
  end: number,
): EntryBounds {
  return {
    bytes,
    count: Math.max(0, end - start),
    metadataStarts: metadataStarts.subarray(start, end),
    valueStarts: valueStarts.subarray(start, end),
    valueEnds: valueEnds.subarray(start, end),
  }
}
