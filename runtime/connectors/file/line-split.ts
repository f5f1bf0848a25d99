import type { RowScanner } from '../../codegen/contracts.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import type { InputFile } from './input-file.ts'
import type { BadRecordHandler, RowChunk, SplitStream } from './split-stream.ts'

const NEWLINE = 10
const CARRIAGE_RETURN = 13
const QUOTE = 34
const READ_BYTES = 1024 * 1024
/** A longer line is not a record but a mistake; without a bound it would fill the memory. */
const MAX_LINE_BYTES = 16 * 1024 * 1024
const RAW_BYTES_KEPT = 64 * 1024

export interface LineSplitParts {
  file: Pick<InputFile, 'path' | 'read'>
  start: number
  end: number
  /** Offset of the next line, from an earlier chunk's `nextAfter`; undefined for a split never read. */
  next: number | undefined
  /** The first line of the file is not a record. */
  hasHead: boolean
  /** Finds the line end behind the record at `from`; the length of the bytes, or -1 within quotes, when it has none. */
  recordEnd: (bytes: Buffer, from: number) => number
  scanner: RowScanner
  /** The row's field that may not be null although the schema lets it. */
  eventTimeField: string | undefined
  onBadRecord: BadRecordHandler
}

/** Where a record is in the buffer. */
interface Bounds {
  from: number
  to: number
}

/**
 * The records, one a line, that start in bytes [start, end) of a file: a line belongs to the split in which its
 * first byte lies, so a split that starts inside a line skips to the next one and the last line is read past `end`
 * (as Hadoop's LineRecordReader). `\r\n` is understood, a last line may lack its newline, blank lines are skipped.
 */
export class LineSplit implements SplitStream {
  readonly #parts: LineSplitParts
  #buffer: Buffer = Buffer.alloc(0)
  /** Offset in the file of buffer[0], and index in the buffer of the next unread byte. */
  #bufferOffset: number
  #cursor = 0
  #fileEnded = false
  #skipFirst: boolean

  constructor(parts: LineSplitParts) {
    this.#parts = parts
    // One byte early: when it is a newline, a line starts exactly at `start`.
    this.#skipFirst = parts.next === undefined && (parts.start > 0 || parts.hasHead)
    this.#bufferOffset = parts.next ?? Math.max(0, parts.start - 1)
  }

  async read(maxRows: number): Promise<RowChunk | undefined> {
    const chunk: RowChunk = { rows: [], nextAfter: [] }
    if (this.#skipFirst) {
      this.#skipFirst = false
      await this.#skipLine()
    }
    while (chunk.rows.length < maxRows && this.#bufferOffset + this.#cursor < this.#parts.end) {
      const record = await this.#nextRecord()
      if (record === undefined) break
      const row = record === 'left out' ? undefined : this.#parse(record)
      if (row === undefined) continue
      chunk.rows.push(row)
      chunk.nextAfter.push(this.#bufferOffset + this.#cursor)
    }
    return chunk.rows.length > 0 ? chunk : undefined
  }

  /** Moves behind the next record; undefined at the end of the file. */
  async #nextRecord(): Promise<Bounds | 'left out' | undefined> {
    for (;;) {
      const isAllThere = this.#fileEnded || this.#buffer.length - this.#cursor > MAX_LINE_BYTES
      let end = this.#parts.recordEnd(this.#buffer, this.#cursor)
      // a record without an end has a quote that is never closed: it is the line, and the next ones are records
      if (end < 0 && isAllThere) end = lineEnd(this.#buffer, this.#cursor)
      if (end >= 0 && end < this.#buffer.length) return this.#take(end, end + 1)
      if (this.#fileEnded)
        return this.#cursor < this.#buffer.length ? this.#take(this.#buffer.length, this.#buffer.length) : undefined
      if (isAllThere) {
        await this.#leaveOutLine()
        return 'left out'
      }
      await this.#readMore()
    }
  }

  #take(to: number, next: number): Bounds {
    const from = this.#cursor
    this.#cursor = next
    return { from, to: to > from && this.#buffer[to - 1] === CARRIAGE_RETURN ? to - 1 : to }
  }

  async #readMore(): Promise<void> {
    const kept = this.#buffer.subarray(this.#cursor)
    this.#bufferOffset += this.#cursor
    this.#cursor = 0
    const bytes = await this.#parts.file.read(this.#bufferOffset + kept.length, READ_BYTES)
    this.#fileEnded = bytes.length < READ_BYTES
    this.#buffer =
      kept.length === 0 ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) : Buffer.concat([kept, bytes])
    this.#parts.scanner.open?.(this.#buffer)
  }

  async #leaveOutLine(): Promise<void> {
    const where = this.#place(this.#cursor)
    const raw = this.#buffer.subarray(this.#cursor, this.#cursor + RAW_BYTES_KEPT)
    this.#parts.onBadRecord(
      new MillraceError('RECORD_INVALID', `line is longer than ${MAX_LINE_BYTES} bytes`, { domain: 'user' }),
      where,
      raw,
    )
    await this.#skipLine()
  }

  /** Moves behind the next line end, or to the end of the file, however far that is. */
  async #skipLine(): Promise<void> {
    let newline = this.#buffer.indexOf(NEWLINE, this.#cursor)
    while (newline < 0 && !this.#fileEnded) {
      this.#cursor = this.#buffer.length
      await this.#readMore()
      newline = this.#buffer.indexOf(NEWLINE)
    }
    this.#cursor = newline < 0 ? this.#buffer.length : newline + 1
  }

  #parse({ from, to }: Bounds): Row | undefined {
    if (isBlank(this.#buffer, from, to)) return undefined
    try {
      const row = this.#parts.scanner.row(this.#buffer, from, to)
      const field = this.#parts.eventTimeField
      if (field !== undefined && row[field] === null) {
        throw new MillraceError('RECORD_INVALID', `event-time field ${field} is null or missing`, { domain: 'user' })
      }
      return row
    } catch (error) {
      if (!(error instanceof Error)) throw error
      this.#parts.onBadRecord(
        error,
        this.#place(from),
        this.#buffer.subarray(from, Math.min(to, from + RAW_BYTES_KEPT)),
      )
      return undefined
    }
  }

  #place(index: number): string {
    return `${this.#parts.file.path} at byte ${this.#bufferOffset + index}`
  }
}

/** The end of a record that is a line. */
export function lineEnd(bytes: Buffer, from: number): number {
  const end = bytes.indexOf(NEWLINE, from)
  return end < 0 ? bytes.length : end
}

/** The end of a record of CSV: a line end in quotes belongs to a cell (RFC 4180). A doubled quote changes nothing. */
export function lineEndBehindQuotes(bytes: Buffer, from: number): number {
  let isQuoted = false
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) isQuoted = !isQuoted
    else if (byte === NEWLINE && !isQuoted) return at
  }
  return isQuoted ? -1 : bytes.length
}

function isBlank(bytes: Buffer, from: number, to: number): boolean {
  for (let index = from; index < to; index++) {
    const byte = bytes[index]
    if (byte !== 32 && byte !== 9 && byte !== CARRIAGE_RETURN) return false
  }
  return true
}

/** Cuts a file of `size` bytes into ranges of about `target`: equal ones, so that none is a stub. */
export function byteRanges(size: number, target: number): { start: number; end: number }[] {
  const count = Math.max(1, Math.ceil(size / target))
  return Array.from({ length: count }, (_, index) => ({
    start: Math.floor((size * index) / count),
    end: Math.floor((size * (index + 1)) / count),
  }))
}
