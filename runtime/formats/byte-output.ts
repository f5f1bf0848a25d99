import { wholeText } from '../model/whole-text.ts'

/** Room for the length before a block; the block is moved back to where the length ends. */
const BLOCK_ROOM = 5

/**
 * Writes the parts of one binary record into a buffer that may be too short: then nothing more is written and
 * `isFull` says so.
 */
export class ByteOutput {
  bytes: Buffer = Buffer.alloc(0)
  at = 0
  isFull = false

  open(bytes: Buffer, at: number): void {
    this.bytes = bytes
    this.at = at
    this.isFull = at > bytes.length
  }

  byte(value: number): void {
    if (this.#has(1)) this.bytes[this.at++] = value
  }

  /** A base-128 varint of a number of 0 to 2^64. */
  varint(value: number): void {
    if (this.#has(10)) this.#varintHere(value)
  }

  #varintHere(value: number): void {
    let rest = value
    while (rest > 127) {
      this.bytes[this.at++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    this.bytes[this.at++] = rest
  }

  /** As varint, of an exact integer whose sign has moved to the lowest bit. */
  zigzag(value: number): void {
    if (value >= -1_073_741_824 && value < 1_073_741_824) this.varint(((value << 1) ^ (value >> 31)) >>> 0)
    else this.bigZigzag(BigInt(value))
  }

  bigZigzag(value: bigint): void {
    this.bigVarint(value < 0n ? -2n * value - 1n : 2n * value)
  }

  bigVarint(value: bigint): void {
    if (!this.#has(10)) return
    let rest = BigInt.asUintN(64, value)
    while (rest > 127n) {
      this.bytes[this.at++] = Number(rest & 127n) | 128
      rest >>= 7n
    }
    this.bytes[this.at++] = Number(rest)
  }

  /** The low 32 bits of an integer, least significant byte first. */
  word(value: number): void {
    if (this.#has(4)) this.at = this.bytes.writeInt32LE(value | 0, this.at)
  }

  float(value: number): void {
    if (this.#has(4)) this.at = this.bytes.writeFloatLE(value, this.at)
  }

  double(value: number): void {
    if (this.#has(8)) this.at = this.bytes.writeDoubleLE(value, this.at)
  }

  /** UTF-8 or, of bytes as rows carry them, latin1; `length` writes how many bytes follow. Throws as `wholeText`. */
  text(value: string, encoding: 'utf8' | 'latin1', length: (output: ByteOutput, bytes: number) => void): void {
    const bytes = encoding === 'latin1' ? value.length : Buffer.byteLength(wholeText(value))
    length(this, bytes)
    if (this.#has(bytes)) this.at += this.bytes.write(value, this.at, encoding)
  }

  /** What `write` writes, behind its length as a varint. */
  block(write: () => void): void {
    if (!this.#has(BLOCK_ROOM)) return
    const from = this.at
    this.at += BLOCK_ROOM
    write()
    const length = this.at - from - BLOCK_ROOM
    if (this.isFull) return
    this.at = from
    this.#varintHere(length)
    this.bytes.copyWithin(this.at, from + BLOCK_ROOM, from + BLOCK_ROOM + length)
    this.at += length
  }

  #has(bytes: number): boolean {
    if (!this.isFull && this.at + bytes <= this.bytes.length) return true
    this.isFull = true
    return false
  }
}
