import { MillraceError } from '../model/errors.ts'

/*
 * A block of state, little-endian:
 *   u32 magic | u32 bytes of the header | header: JSON, padded with spaces to 8 bytes | parts, each padded to 8 bytes
 */

const padded = (bytes: number): number => (bytes + 7) & ~7

/** Memory for one block after the other: fresh memory costs more than writing a block does. */
export class BlockMemory {
  #bytes = new Uint8Array()

  /** So many bytes with anything in them; what was taken before is not used any more. */
  take(size: number): Uint8Array {
    if (size > MOST_KEPT) return new Uint8Array(size)
    if (size > this.#bytes.length) this.#bytes = new Uint8Array(Math.min(MOST_KEPT, size * 2))
    return this.#bytes.subarray(0, size)
  }
}
const MOST_KEPT = 1 << 19

/** In `memory` the block is there until the next one takes it. */
export function writeHeadedBlock(
  magic: number,
  header: object,
  parts: readonly Uint8Array[],
  memory?: BlockMemory,
): Uint8Array {
  const size = parts.reduce((sum, part) => sum + padded(part.byteLength), 0)
  const { bytes, start } = emptyHeadedBlock(magic, header, size, memory)
  let at = start
  for (const part of parts) {
    bytes.set(part, at)
    at += padded(part.byteLength)
    bytes.fill(0, at - padded(part.byteLength) + part.byteLength, at)
  }
  return bytes
}

/** A block whose parts are to be filled in: `size` bytes from byte `start` on, a multiple of 8. */
export function emptyHeadedBlock(
  magic: number,
  header: object,
  size: number,
  memory?: BlockMemory,
): { bytes: Uint8Array; start: number } {
  const head = Buffer.from(JSON.stringify(header))
  const start = 8 + padded(head.length)
  const bytes = memory === undefined ? new Uint8Array(start + size) : memory.take(start + size)
  new Uint32Array(bytes.buffer, 0, 2).set([magic, start - 8])
  bytes.fill(32, 8, start).set(head, 8)
  return { bytes, start }
}

/** The magic of any block; 0 when it is too short for one. */
export function magicOf(bytes: Uint8Array): number {
  return bytes.byteLength < 8 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
}

/** Reads what the functions above wrote. Throws STATE_CORRUPT when it is not whole. */
export class HeadedBlock<Header> {
  readonly header: Header
  readonly #bytes: Uint8Array
  #at: number

  /** The header, of the type that the magic promises: the caller has checked the magic. */
  constructor(bytes: Uint8Array) {
    // a Buffer's slice would be no copy
    const aligned = (bytes.byteOffset & 7) === 0 ? bytes : new Uint8Array(bytes)
    const size = bytes.byteLength < 8 ? Infinity : new DataView(aligned.buffer, aligned.byteOffset).getUint32(4, true)
    if (size % 8 !== 0 || 8 + size > bytes.byteLength)
      throw corruptBlock(`${bytes.byteLength} bytes do not hold the header they begin with`)
    try {
      this.header = JSON.parse(Buffer.from(aligned.buffer, aligned.byteOffset + 8, size).toString('utf8')) as Header
    } catch (cause) {
      throw new MillraceError('STATE_CORRUPT', 'the header of a block of state does not parse', { cause })
    }
    this.#bytes = aligned
    this.#at = 8 + size
  }

  /** The next part; its first byte is aligned to 8. */
  take(size: number): Uint8Array {
    const part = this.#bytes.subarray(this.#at, this.#at + size)
    if (!(size >= 0) || part.byteLength !== size)
      throw corruptBlock(`a part of ${size} bytes at ${this.#at} lies beyond its ${this.#bytes.byteLength} bytes`)
    this.#at += padded(size)
    return part
  }

  /** All behind the parts that were taken; its first byte is aligned to 8. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at)
  }
}

export function corruptBlock(what: string): MillraceError {
  return new MillraceError('STATE_CORRUPT', `a block of state is corrupt: ${what}`)
}
