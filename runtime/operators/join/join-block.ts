import { emptyHeadedBlock, HeadedBlock, magicOf } from '../../memory/headed-block.ts'
import { MillraceError } from '../../model/errors.ts'

/*
 * A block of the state of one key group of a join, little-endian:
 *   a headed block (codegen/rows/headed-block.ts) with the magic 'MJN1', and behind its header
 *   records of the left side, then of the right (row-log.ts), each side in the order in which its rows came
 *   a bit for each row that is marked (version 2), the lowest first
 * In version 1 a group has one block, with all there is. In version 2 it has several, each with rows or marks or
 * how far the join had come.
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
  /**
   * Whether rows had a match: of `count` of the group's rows of a side from the row `first` on, as its blocks bring
   * them.
   */
  marks?: { side: 0 | 1; first: number; count: number }
}

/** A block that is read; words count from the first behind the header. */
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
  return emptyHeadedBlock(MAGIC, header, (header.words[0] + header.words[1]) * 4 + markBytes(header))
}

/** Throws STATE_CORRUPT or STATE_INCOMPATIBLE. */
export function readJoinBlock(block: Uint8Array): JoinBlock {
  if (magicOf(block) !== MAGIC) throw corruptJoin('it does not begin with a header')
  const headed = new HeadedBlock<JoinBlockHeader>(block)
  const { header } = headed
  if (![1, 2].includes(header.version))
    throw new MillraceError(
      'STATE_INCOMPATIBLE',
      `the state of a join has version ${String(header.version)}, this release reads 1 and 2`,
    )
  const { buffer, byteOffset, byteLength } = headed.rest()
  const [left, right] = header.words
  const end = (left + right) * 4
  if (end + markBytes(header) !== byteLength)
    throw corruptJoin(`it has ${byteLength} bytes behind its header, which says ${end + markBytes(header)}`)
  return {
    header,
    sides: [
      [0, left],
      [left, left + right],
    ],
    marks: new Uint8Array(buffer, byteOffset + end, byteLength - end),
    ints: new Int32Array(buffer, byteOffset, byteLength >> 2),
    doubles: new Float64Array(buffer, byteOffset, byteLength >> 3),
    bytes: Buffer.from(buffer, byteOffset, byteLength),
  }
}

export function corruptJoin(what: string): MillraceError {
  return new MillraceError('STATE_CORRUPT', `the state of a join is corrupt: ${what}`)
}

function markBytes({ marks }: JoinBlockHeader): number {
  return marks === undefined ? 0 : padded((marks.count + 7) >> 3)
}

const padded = (bytes: number): number => (bytes + 7) & ~7
