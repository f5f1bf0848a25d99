import { MillraceError } from '../../model/errors.ts'
import { ByteQueue } from '../kit/byte-queue.ts'

/** How records are told apart on a connection. */
export type Framing = 'lines' | 'length'

const LINE_END = 10
const CARRIAGE_RETURN = 13
const LENGTH_BYTES = 4

/**
 * The record as it goes over a connection: with a line end behind it, or its length (u32, big-endian) before it. Throws
 * RECORD_INVALID for a record of lines that has a line end itself.
 */
export function framed(record: Uint8Array, framing: Framing): Buffer {
  if (framing === 'lines') {
    if (!record.includes(LINE_END)) return Buffer.concat([record, Buffer.of(LINE_END)])
    throw new MillraceError('RECORD_INVALID', 'a record has a line end, and lines are framed by them', {
      domain: 'user',
      hint: 'set framing: length here and at the receiver',
    })
  }
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + record.length)
  frame.writeUInt32BE(record.length)
  frame.set(record, LENGTH_BYTES)
  return frame
}

/** Cuts the bytes of one connection into records; each byte is copied and looked at once, however they come. */
export class FrameReader {
  readonly #framing: Framing
  readonly #maxBytes: number
  readonly #queue = new ByteQueue()
  /** Up to here there is no line end. */
  #scanned = 0

  constructor(framing: Framing, maxBytes: number) {
    this.#framing = framing
    this.#maxBytes = maxBytes
  }

  /** Bytes of a record whose end has not come. */
  get unfinishedBytes(): number {
    return this.#queue.length
  }

  /**
   * The records that are whole now; they are the caller's. Empty lines are none. Throws FRAME_TOO_LARGE, and the
   * connection is then of no more use.
   */
  push(bytes: Uint8Array): Buffer[] {
    this.#queue.append(bytes)
    const records: Buffer[] = []
    let start = 0
    for (;;) {
      const frame = this.#framing === 'lines' ? this.#lineAt(start) : this.#lengthAt(start)
      if (frame === undefined) break
      const record = this.#queue.bytes.subarray(frame.start, frame.end)
      if (this.#framing === 'length' || record.length > 0) records.push(Buffer.from(record))
      start = frame.next
    }
    this.#queue.drop(start)
    this.#scanned = Math.max(0, this.#scanned - start)
    if (this.#queue.length > this.#maxBytes + LENGTH_BYTES) throw this.#tooLarge(this.#queue.length)
    return records
  }

  #lineAt(start: number): { start: number; end: number; next: number } | undefined {
    const { bytes } = this.#queue
    const found = bytes.indexOf(LINE_END, Math.max(start, this.#scanned))
    this.#scanned = found < 0 ? bytes.length : found + 1
    if (found < 0) return undefined
    const end = found > start && bytes[found - 1] === CARRIAGE_RETURN ? found - 1 : found
    if (end - start > this.#maxBytes) throw this.#tooLarge(end - start)
    return { start, end, next: found + 1 }
  }

  #lengthAt(start: number): { start: number; end: number; next: number } | undefined {
    const { bytes } = this.#queue
    if (start + LENGTH_BYTES > bytes.length) return undefined
    const length = bytes.readUInt32BE(start)
    if (length > this.#maxBytes) throw this.#tooLarge(length)
    const end = start + LENGTH_BYTES + length
    return end > bytes.length ? undefined : { start: start + LENGTH_BYTES, end, next: end }
  }

  #tooLarge(bytes: number): MillraceError {
    return new MillraceError('FRAME_TOO_LARGE', `a record of ${bytes} bytes or more is longer than ${this.#maxBytes}`, {
      domain: 'user',
      hint: 'maxRecordBytes is the limit; the framing may be another one than the sender has.',
    })
  }
}
