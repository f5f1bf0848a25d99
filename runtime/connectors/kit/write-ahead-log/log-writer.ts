import { MillraceError } from '../../../model/errors.ts'
import type { Files, LogFile } from '../../../ports/files.ts'
import { bytesOf, GroupCommit } from './group-commit.ts'
import { encodeFrame, type LogEntry } from './log-frame.ts'

/** Where the segments of a log are: on a volume (`ports.files`), or in memory. */
export type SegmentFiles = Pick<Files, 'createLog' | 'read' | 'delete'>

export interface LogLimits {
  /** The bytes of all segments that are kept. */
  readonly maxBytes: number
  /** A segment that is longer is followed by a new one. */
  readonly segmentBytes: number
}

/**
 * Appends to one log. Entries that come while others are being flushed are flushed together: one frame, one flush (group
 * commit). An entry is acknowledged only after it is flushed and the file was found in its place afterwards: who closes
 * an era moves its folder first and reads then, and so finds everything that was acknowledged.
 *
 * The writer flushes a frame before it writes the next, so a whole frame behind a damaged one proves that the damaged
 * one had been flushed.
 */
export class LogWriter {
  readonly #files: SegmentFiles
  readonly #pathOf: (segment: number) => string
  readonly #limits: LogLimits
  #segment = 0
  #file: LogFile | undefined
  #offset = 0
  /** The flushed bytes of each segment that is kept: so much can be read. */
  readonly #flushed = new Map<number, number>()
  #keptBytes = 0
  readonly #group = new GroupCommit((entries) => this.#commit(entries))
  #flushedEntries = 0
  #end: MillraceError | undefined
  #onFlushed: () => void = () => undefined

  constructor(files: SegmentFiles, pathOf: (segment: number) => string, limits: LogLimits) {
    this.#files = files
    this.#pathOf = pathOf
    this.#limits = limits
  }

  /**
   * Resolves with 'kept' once a crash of the process and of the machine leaves the entries to the next attempt, with
   * 'full' when there is no room for them now. Rejects when they may be lost (LOG_UNWRITABLE, or LOG_CLOSED when the
   * attempt is over): the sender is to send them again.
   */
  append(entries: readonly LogEntry[]): Promise<'kept' | 'full'> {
    if (this.#end !== undefined) return Promise.reject(this.#end)
    if (this.#keptBytes + this.#group.waitingBytes + bytesOf(entries) > this.#limits.maxBytes)
      return Promise.resolve('full')
    return this.#group.add(entries)
  }

  /** How many entries were flushed so far. */
  get flushedEntries(): number {
    return this.#flushedEntries
  }

  /** Why nothing can be appended any more; undefined while it can. */
  get ended(): MillraceError | undefined {
    return this.#end
  }

  /** How much of a segment can be read; undefined before it exists and after it was deleted. */
  readableBytes(segment: number): number | undefined {
    return this.#flushed.get(segment)
  }

  /** True when nothing is appended to the segment any more. */
  isComplete(segment: number): boolean {
    return segment < this.#segment || (segment === this.#segment && this.#file === undefined)
  }

  /** Called whenever more can be read. */
  onFlushed(handle: () => void): void {
    this.#onFlushed = handle
  }

  /** Deletes the complete segments before this one. A file that stays behind is deleted with its era. */
  async deleteBefore(segment: number): Promise<void> {
    for (const [earlier, bytes] of this.#flushed) {
      if (earlier >= segment || !this.isComplete(earlier)) continue
      this.#flushed.delete(earlier)
      this.#keptBytes -= bytes
      await this.#files.delete(this.#pathOf(earlier))
    }
  }

  /** Refuses what waits to be flushed: it may not survive. */
  async close(): Promise<void> {
    this.#end ??= new MillraceError('LOG_CLOSED', 'the source is closed', { domain: 'platform', retriable: true })
    await this.#group.settled()
    await this.#closeFile()
  }

  async #commit(entries: readonly LogEntry[]): Promise<void> {
    try {
      if (this.#end !== undefined) throw this.#end
      await this.#flush(encodeFrame(entries))
    } catch (error) {
      // nobody knows what of the file survives: it ends where it was last flushed
      await this.#closeFile()
      throw this.#end ?? unwritable(this.#pathOf(this.#segment), error)
    }
    this.#flushedEntries += entries.length
    this.#onFlushed()
  }

  async #flush(frame: Buffer): Promise<void> {
    const file = await this.#openFile()
    await file.append(frame)
    await file.sync()
    if (!(await file.isInPlace())) throw this.#takenOver()
    this.#offset += frame.length
    this.#keptBytes += frame.length
    this.#flushed.set(this.#segment, this.#offset)
  }

  async #openFile(): Promise<LogFile> {
    if (this.#file !== undefined && this.#offset < this.#limits.segmentBytes) return this.#file
    await this.#closeFile()
    const next = this.#segment + 1
    this.#file = await this.#create(this.#pathOf(next))
    this.#segment = next
    this.#offset = 0
    this.#flushed.set(next, 0)
    return this.#file
  }

  /** Segments are numbered without a gap: a gap is what a lost segment leaves. */
  async #create(path: string): Promise<LogFile> {
    try {
      return await this.#files.createLog(path)
    } catch (error) {
      if (isMissing(error)) throw this.#takenOver()
      // it may have come to be before the call failed
      if (codeOf(error) === 'EEXIST') await this.#files.delete(path)
      throw error
    }
  }

  #takenOver(): MillraceError {
    return (this.#end ??= takenOver())
  }

  async #closeFile(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    // what was flushed is safe, and the rest was refused
    await file?.close().catch(() => undefined)
  }
}

/** The folder of the log was moved or deleted: this attempt can acknowledge nothing any more. */
export function takenOver(): MillraceError {
  return new MillraceError('LOG_CLOSED', 'a newer attempt of the job has taken the log over', {
    domain: 'platform',
    retriable: true,
  })
}

export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT'
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function unwritable(path: string, cause: unknown): MillraceError {
  return new MillraceError('LOG_UNWRITABLE', `cannot write ${path}`, {
    domain: 'dependency',
    retriable: true,
    cause,
    hint: 'senders are asked to send again; look at the space and the rights of the volume of log.path',
  })
}
