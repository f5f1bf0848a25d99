import { crc32 } from 'node:zlib'
import type { RecordBounds } from '../../../codegen/contracts.ts'
import { MillraceError } from '../../../model/errors.ts'

/**
 * A group of entries that are flushed together. Layout, numbers little-endian: magic (4 bytes), length of the rest
 * (u32), CRC-32 of the rest (u32), then each entry: length of its metadata (u32), length of its value (u32), both.
 */
const MAGIC = Buffer.from('MWL1', 'latin1')
export const FRAME_HEAD_BYTES = 12
const ENTRY_HEAD_BYTES = 8
/** A longer frame is none: its length is damaged. */
export const MAX_FRAME_BYTES = 256 * 1024 * 1024

/** One record of a sender, as the log keeps it. */
export interface LogEntry {
  /** The circumstances of the record, as JSON; empty where no field of the rows has it. */
  readonly metadata: string
  readonly value: Uint8Array
}

/** Where the entries of a frame are in its bytes; the metadata of each ends where its value starts. */
export interface EntryBounds extends RecordBounds {
  metadataStarts: Int32Array
}

/** The bytes that an entry takes in a log, without its part of the frame's head. */
export function entryBytes({ metadata, value }: LogEntry): number {
  return ENTRY_HEAD_BYTES + Buffer.byteLength(metadata) + value.length
}

export function encodeFrame(entries: readonly LogEntry[]): Buffer {
  const frame = Buffer.allocUnsafe(entries.reduce((sum, entry) => sum + entryBytes(entry), FRAME_HEAD_BYTES))
  let at = FRAME_HEAD_BYTES
  for (const { metadata, value } of entries) {
    const metadataBytes = frame.write(metadata, at + ENTRY_HEAD_BYTES, 'utf8')
    frame.writeUInt32LE(metadataBytes, at)
    frame.writeUInt32LE(value.length, at + 4)
    at += ENTRY_HEAD_BYTES + metadataBytes
    frame.set(value, at)
    at += value.length
  }
  MAGIC.copy(frame)
  frame.writeUInt32LE(frame.length - FRAME_HEAD_BYTES, 4)
  frame.writeUInt32LE(crc32(frame.subarray(FRAME_HEAD_BYTES)), 8)
  return frame
}

/**
 * The length of the frame that begins at `at`, with its head; undefined when no frame begins there, or the bytes end
 * within its head.
 */
export function frameBytesAt(bytes: Buffer, at: number): number | undefined {
  if (at + FRAME_HEAD_BYTES > bytes.length || bytes.compare(MAGIC, 0, MAGIC.length, at, at + MAGIC.length) !== 0)
    return undefined
  const length = bytes.readUInt32LE(at + 4)
  return length > MAX_FRAME_BYTES ? undefined : FRAME_HEAD_BYTES + length
}

/** True when a whole frame with the right checksum begins at `at`. */
export function isFrameAt(bytes: Buffer, at: number): boolean {
  const length = frameBytesAt(bytes, at)
  if (length === undefined || at + length > bytes.length) return false
  return crc32(bytes.subarray(at + FRAME_HEAD_BYTES, at + length)) === bytes.readUInt32LE(at + 8)
}

/** The entries of a frame at the beginning of `bytes`. Throws LOG_DAMAGED for one that was written so. */
export function entriesOf(bytes: Buffer, end: number): EntryBounds {
  const count = countEntries(bytes, end)
  const bounds = {
    bytes,
    count,
    metadataStarts: new Int32Array(count),
    valueStarts: new Int32Array(count),
    valueEnds: new Int32Array(count),
  }
  let at = FRAME_HEAD_BYTES
  for (let index = 0; index < count; index++) {
    const metadataStart = at + ENTRY_HEAD_BYTES
    const valueStart = metadataStart + bytes.readUInt32LE(at)
    at = valueStart + bytes.readUInt32LE(at + 4)
    bounds.metadataStarts[index] = metadataStart
    bounds.valueStarts[index] = valueStart
    bounds.valueEnds[index] = at
  }
  return bounds
}

function countEntries(bytes: Buffer, end: number): number {
  let count = 0
  for (let at = FRAME_HEAD_BYTES; at < end; count++) {
    const next = at + ENTRY_HEAD_BYTES
    at = next > end ? Infinity : next + bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4)
    if (at > end) throw new MillraceError('LOG_DAMAGED', `entry ${count} of a frame leaves it`, { domain: 'platform' })
  }
  return count
}

/** Where in `bytes` the next whole frame begins, from `from` on; undefined when there is none. */
export function findFrame(bytes: Buffer, from: number): number | undefined {
  for (let at = bytes.indexOf(MAGIC, from); at >= 0; at = bytes.indexOf(MAGIC, at + 1)) {
    if (isFrameAt(bytes, at)) return at
  }
  return undefined
}
