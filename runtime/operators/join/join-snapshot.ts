import { compileBatchCodec } from '../../codegen/codec.ts'
import type { BatchCodec } from '../../codegen/contracts.ts'
import type { JoinSideCode } from '../../codegen/join-code.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import type { JoinPanes } from './join-panes.ts'

/*
 * The state of one key group of a join, little-endian:
 *   u32 magic 'MJN1' | u32 bytes of the header | header: JSON, padded with spaces to 8 bytes
 *   per frame of the header: rows of one side as the codec of the exchange writes them, padded to 8 bytes
 * The rows hold the kept fields, the time they are kept by, and whether they had a match.
 */
const MAGIC = 0x314e4a4d
const FRAME_ROWS = 4096

interface Header {
  version: 1
  /** How far the join had come; null when no watermark had. */
  passed: number | null
  shape: string
  frames: readonly { side: 0 | 1; bytes: number }[]
}

const padded = (bytes: number): number => (bytes + 7) & ~7

/** Writes and reads blocks of one join. */
export class JoinSnapshots {
  readonly #sides: readonly [JoinSideCode, JoinSideCode]
  readonly #codecs: readonly [BatchCodec, BatchCodec]
  readonly #shape: string

  constructor(sides: readonly [JoinSideCode, JoinSideCode], shape: string) {
    this.#sides = sides
    this.#codecs = [compileBatchCodec(sides[0].storedSchema, sides[0].storedClass), compileBatchCodec(sides[1].storedSchema, sides[1].storedClass)]
    this.#shape = shape
  }

  /** One block for each group that ever had a row: without rows it still says how far the join had come. */
  write(panes: readonly [JoinPanes, JoinPanes], seen: Uint8Array, passedOf: (group: number) => number): [group: number, bytes: Uint8Array][] {
    const frames: { side: 0 | 1; bytes: Uint8Array }[][] = Array.from(seen, () => [])
    for (const side of [0, 1] as const) this.#frames(side, panes[side], seen.length, (group, bytes) => { frames[group]?.push({ side, bytes }) })
    return [...seen.keys()].filter((group) => seen[group] === 1).map((group) => [group, this.#block(passedOf(group), frames[group] ?? [])])
  }

  #frames(side: 0 | 1, panes: JoinPanes, groups: number, put: (group: number, bytes: Uint8Array) => void): void {
    const pending: Row[][] = Array.from({ length: groups }, () => [])
    const flush = (rows: Row[], group: number): void => {
      if (rows.length > 0) put(group, this.#codecs[side].encode(rows, rows.length))
      rows.length = 0
    }
    for (const pane of panes.panes) {
      for (const log of pane.parts) {
        for (let index = 0; log !== undefined && index < log.n; index++) {
          const group = ((log.h[index] as number) >>> 0) % groups
          const rows = pending[group] as Row[]
          if (rows.push(this.#sides[side].stored(log, index)) === FRAME_ROWS) flush(rows, group)
        }
      }
    }
    pending.forEach(flush)
  }

  #block(passed: number, frames: readonly { side: 0 | 1; bytes: Uint8Array }[]): Uint8Array {
    const header: Header = {
      version: 1, passed: Number.isFinite(passed) ? passed : null, shape: this.#shape,
      frames: frames.map(({ side, bytes }) => ({ side, bytes: bytes.length })),
    }
    const head = Buffer.from(JSON.stringify(header))
    const block = new Uint8Array(8 + padded(head.length) + frames.reduce((sum, { bytes }) => sum + padded(bytes.length), 0))
    new Uint32Array(block.buffer, 0, 2).set([MAGIC, padded(head.length)])
    block.fill(32, 8, 8 + padded(head.length)).set(head, 8)
    let at = 8 + padded(head.length)
    for (const { bytes } of frames) {
      block.set(bytes, at)
      at += padded(bytes.length)
    }
    return block
  }

  /** Hands the rows of a block to `take`, in the order in which they came; returns how far the join had come. */
  read(bytes: Uint8Array, take: (side: 0 | 1, rows: readonly Row[], count: number) => void): number | undefined {
    const aligned = (bytes.byteOffset & 7) === 0 ? bytes : new Uint8Array(bytes)
    const [magic, size] = aligned.byteLength < 8 ? [0, 0] : new Uint32Array(aligned.buffer, aligned.byteOffset, 2)
    if (magic !== MAGIC || size === undefined || 8 + size > aligned.byteLength) throw corrupt('it does not begin with a header')
    const header = readHeader(aligned.subarray(8, 8 + size))
    if (header.shape !== this.#shape) {
      throw new MillraceError('STATE_INCOMPATIBLE', `the state of a join was written for ${header.shape}, the job now has ${this.#shape}`,
        { domain: 'user', hint: 'give the changed join a new id to start it with empty state' })
    }
    let at = 8 + size
    for (const { side, bytes: length } of header.frames) {
      const rows: Row[] = []
      if (at + length > aligned.byteLength) throw corrupt(`a frame of ${length} bytes at ${at} lies beyond its ${aligned.byteLength} bytes`)
      take(side, rows, this.#codecs[side].decode(aligned.subarray(at, at + length), rows))
      at += padded(length)
    }
    return header.passed ?? undefined
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
