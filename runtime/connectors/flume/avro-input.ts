import { utf8Text } from '../../model/utf8-text.ts'
import { flumeProtocol } from './netty-frames.ts'

/** Reads Avro's binary encoding (specification, "Binary Encoding"); every length is checked before it is used. */
export class AvroInput {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  /** Zigzag varint, up to 2^53. */
  long(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined || factor > 2 ** 49) throw flumeProtocol('a number has no end')
      value += (byte & 127) * factor
      if (byte < 128) break
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  fixed(length: number): Buffer {
    if (length < 0 || length > this.#bytes.length - this.#at)
      throw flumeProtocol(`${length} bytes are said to follow, and ${this.#bytes.length - this.#at} do`)
    const found = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return found
  }

  bytes(): Buffer {
    return this.fixed(this.long())
  }

  text(): string {
    const bytes = this.bytes()
    const text = utf8Text(bytes, 0, bytes.length)
    if (text === undefined) throw flumeProtocol('a text is not UTF-8')
    return text
  }

  /** Null, or what `read` reads. */
  optional<T>(read: () => T): T | null {
    const branch = this.long()
    if (branch !== 0 && branch !== 1) throw flumeProtocol(`branch ${branch} of a union of two`)
    return branch === 0 ? null : read()
  }

  /** The items of an array or map. Each takes a byte at least, so their number is bounded by the message. */
  items(readItem: () => void): void {
    for (let count = this.#blockCount(); count > 0; count = this.#blockCount()) {
      if (count > this.#bytes.length - this.#at) throw flumeProtocol(`${count} items are said to follow`)
      for (let index = 0; index < count; index++) readItem()
    }
  }

  #blockCount(): number {
    const count = this.long()
    if (count >= 0) return count
    // the size of the block in bytes, for readers that skip it
    this.long()
    return -count
  }
}
