import type { JoinHost, JoinSideCode } from '../../codegen/join-code.ts'
import { MillraceError } from '../../model/errors.ts'
import type { JoinPanes } from './join-panes.ts'

/*
 * The state of one key group of a join, little-endian:
 *   u32 magic 'MJN1' | u32 bytes of the header | header: JSON, padded with spaces to 8 bytes
 *   the records of the left side, then those of the right (row-log.ts), each side in the order in which its rows came
 */
const MAGIC = 0x314e4a4d

interface Header {
  version: 1
  /** How far the join had come; null when no watermark had. */
  passed: number | null
  shape: string
  /** Words of 4 bytes of each side. */
  words: readonly [number, number]
}

const padded = (bytes: number): number => (bytes + 7) & ~7

/** Writes and reads blocks of one join. */
export class JoinSnapshots {
  readonly #sides: readonly [JoinSideCode, JoinSideCode]
  readonly #shape: string

  constructor(sides: readonly [JoinSideCode, JoinSideCode], shape: string) {
    this.#sides = sides
    this.#shape = shape
  }

  /**
   * One block for each group that ever had a row: without rows it still says how far the join had come. Rows are copied
   * column by column into place, none becomes an object.
   */
  write(panes: readonly [JoinPanes, JoinPanes], seen: Uint8Array, passedOf: (group: number) => number): [group: number, bytes: Uint8Array][] {
    const words = ([0, 1] as const).map((side) => this.#measure(side, panes[side], seen.length))
    const blocks = Array.from(seen, (isSeen, group) => (isSeen === 1 ? this.#block(passedOf(group), [words[0]?.[group] ?? 0, words[1]?.[group] ?? 0]) : undefined))
    const ints = blocks.map((block) => new Int32Array(block?.bytes.buffer ?? new ArrayBuffer(0)))
    const doubles = blocks.map((block) => new Float64Array(block?.bytes.buffer ?? new ArrayBuffer(0)))
    const places = Int32Array.from(blocks, (block) => (block?.start ?? 0) >> 2)
    for (const side of [0, 1] as const) {
      for (const pane of panes[side].panes) for (const log of pane.parts) if (log !== undefined) this.#sides[side].dump(log, places, ints, doubles)
    }
    return blocks.flatMap((block, group) => (block === undefined ? [] : [[group, block.bytes] as [number, Uint8Array]]))
  }

  #measure(side: 0 | 1, panes: JoinPanes, groups: number): Int32Array {
    const words = new Int32Array(groups)
    for (const pane of panes.panes) for (const log of pane.parts) if (log !== undefined) this.#sides[side].measure(log, words)
    return words
  }

  #block(passed: number, words: readonly [number, number]): { bytes: Uint8Array; start: number } {
    const header: Header = { version: 1, passed: Number.isFinite(passed) ? passed : null, shape: this.#shape, words }
    const head = Buffer.from(JSON.stringify(header))
    const start = 8 + padded(head.length)
    const bytes = new Uint8Array(start + (words[0] + words[1]) * 4)
    new Uint32Array(bytes.buffer, 0, 2).set([MAGIC, padded(head.length)])
    bytes.fill(32, 8, start).set(head, 8)
    return { bytes, start }
  }

  /** Gives the rows of a block back to the join; returns how far it had come. */
  read(bytes: Uint8Array, host: JoinHost): number | undefined {
    const { header, sides: [left, right], ...views } = readJoinBlock(bytes)
    if (header.shape !== this.#shape) {
      throw new MillraceError('STATE_INCOMPATIBLE', `the state of a join was written for ${header.shape}, the job now has ${this.#shape}`,
        { domain: 'user', hint: 'give the changed join a new id to start it with empty state' })
    }
    const areSound = this.#sides[0].restore(views, ...left, host) && this.#sides[1].restore(views, ...right, host)
    if (!areSound) throw corrupt('a row goes beyond its end')
    return header.passed ?? undefined
  }
}

/** A block's header, its words and where the records of each side are among them. Throws STATE_CORRUPT or STATE_INCOMPATIBLE. */
export function readJoinBlock(block: Uint8Array): { header: Header; ints: Int32Array; doubles: Float64Array; bytes: Buffer; sides: readonly [[from: number, to: number], [from: number, to: number]] } {
  const aligned = (block.byteOffset & 7) === 0 ? block : new Uint8Array(block)
  const [magic, size] = aligned.byteLength < 8 ? [0, 0] : new Uint32Array(aligned.buffer, aligned.byteOffset, 2)
  if (magic !== MAGIC || size === undefined || 8 + size > aligned.byteLength || size % 8 !== 0) throw corrupt('it does not begin with a header')
  const header = readHeader(aligned.subarray(8, 8 + size))
  const first = (8 + size) / 4
  const [left, right] = header.words
  if (first * 4 + (left + right) * 4 !== aligned.byteLength) throw corrupt(`it has ${aligned.byteLength} bytes, its rows take ${(first + left + right) * 4}`)
  return {
    header, sides: [[first, first + left], [first + left, first + left + right]],
    ints: new Int32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 2), doubles: new Float64Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 3),
    bytes: Buffer.from(aligned.buffer, aligned.byteOffset, aligned.byteLength),
  }
}

function readHeader(bytes: Uint8Array): Header {
  let header: Header
  try {
    header = JSON.parse(Buffer.from(bytes).toString('utf8')) as Header
  } catch (cause) {
    throw new MillraceError('STATE_CORRUPT', 'the header of a join\'s state does not parse', { cause })
  }
  if (header.version !== 1) throw new MillraceError('STATE_INCOMPATIBLE', `the state of a join has version ${String(header.version)}, this release reads 1`)
  return header
}

function corrupt(what: string): MillraceError {
  return new MillraceError('STATE_CORRUPT', `the state of a join is corrupt: ${what}`)
}
