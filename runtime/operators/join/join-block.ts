import { MillraceError } from '../../model/errors.ts'

/*
 * A block of the state of one key group of a join, little-endian:
 *   u32 magic 'MJN1' | u32 bytes of the header | header: JSON, padded with spaces to 8 bytes
 *   records of the left side, then of the right (row-log.ts), each side in the order in which its rows came
 *   a bit for each row that is marked (version 2), the lowest first
 * Of version 1 a group has one block, with all there is. Of version 2 it has several, each with rows or marks or how far the
 * join had come.
 */
const MAGIC = 0x314e4a4d

export interface JoinBlockHeader {
  version: 1 | 2
  /** How far the join had come; null or absent when no watermark had, or another block says it. */
  passed?: number | null
  /** What a restore must find again. Absent where no rows are. */
  shape?: string
  /** Words of 4 bytes of each side. */
  words: readonly [number, number]
  /** Whether rows had a match: of `count` of the group's rows of a side from the row `first` on, as its blocks bring them. */
  marks?: { side: 0 | 1; first: number; count: number }
}

export interface JoinBlock {
  header: JoinBlockHeader
  ints: Int32Array
  doubles: Float64Array
  bytes: Buffer
  /** The words of each side's records. */
  sides: readonly [[from: number, to: number], [from: number, to: number]]
  marks: Uint8Array
}

/** A block without its content, which begins at byte `start`, on a multiple of 8. */
export function emptyJoinBlock(header: JoinBlockHeader): { bytes: Uint8Array; start: number } {
  const head = Buffer.from(JSON.stringify(header))
  const start = 8 + padded(head.length)
  const bytes = new Uint8Array(start + (header.words[0] + header.words[1]) * 4 + markBytes(header))
  new Uint32Array(bytes.buffer, 0, 2).set([MAGIC, padded(head.length)])
  bytes.fill(32, 8, start).set(head, 8)
  return { bytes, start }
}

/** Throws STATE_CORRUPT or STATE_INCOMPATIBLE. */
export function readJoinBlock(block: Uint8Array): JoinBlock {
  const aligned = (block.byteOffset & 7) === 0 ? block : new Uint8Array(block)
  const [magic, size] = aligned.byteLength < 8 ? [0, 0] : new Uint32Array(aligned.buffer, aligned.byteOffset, 2)
  if (magic !== MAGIC || size === undefined || 8 + size > aligned.byteLength || size % 8 !== 0) throw corruptJoin('it does not begin with a header')
  const header = readHeader(aligned.subarray(8, 8 + size))
  const first = (8 + size) / 4
  const [left, right] = header.words
  const end = (first + left + right) * 4
  if (end + markBytes(header) !== aligned.byteLength) throw corruptJoin(`it has ${aligned.byteLength} bytes, what its header says takes ${end + markBytes(header)}`)
  return {
    header, sides: [[first, first + left], [first + left, first + left + right]], marks: aligned.subarray(end),
    ints: new Int32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 2), doubles: new Float64Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 3),
    bytes: Buffer.from(aligned.buffer, aligned.byteOffset, aligned.byteLength),
  }
}

export function corruptJoin(what: string): MillraceError {
  return new MillraceError('STATE_CORRUPT', `the state of a join is corrupt: ${what}`)
}

function readHeader(bytes: Uint8Array): JoinBlockHeader {
  let header: JoinBlockHeader
  try {
    header = JSON.parse(Buffer.from(bytes).toString('utf8')) as JoinBlockHeader
  } catch (cause) {
    throw new MillraceError('STATE_CORRUPT', 'the header of a join\'s state does not parse', { cause })
  }
  if (![1, 2].includes(header.version)) throw new MillraceError('STATE_INCOMPATIBLE', `the state of a join has version ${String(header.version)}, this release reads 1 and 2`)
  return header
}

function markBytes({ marks }: JoinBlockHeader): number { return marks === undefined ? 0 : padded((marks.count + 7) >> 3) }

const padded = (bytes: number): number => (bytes + 7) & ~7
