import { unreadableParquet } from './unreadable-parquet.ts'

const BOOLEANS: ReadonlySet<number> = new Set([1, 2])
const MAX_VARINT_BYTES = 10
/** Footers of Parquet nest about ten deep. */
const MAX_DEPTH = 32
/** A column of a row group has some thirty. */
const MAX_VALUES = 4_000_000

/** Numbers and structs of a struct by their ids; texts and lists are checked and left out. */
export type ThriftStruct = ReadonlyMap<number, number | ThriftStruct>

/**
 * Reads Thrift's compact protocol no further than its bytes: every length is checked before anything is made for it,
 * and a number has ten bytes at most. Throws PARQUET_INVALID. hyparquet, which decodes the same bytes then, makes
 * lists of any length and numbers of any size.
 */
export class ThriftReader {
  readonly #bytes: Uint8Array
  at: number
  #values = 0

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  /** Moves behind the struct that begins here. */
  struct(depth = 0): ThriftStruct {
    if (depth > MAX_DEPTH) throw unreadableParquet(`its metadata is nested more than ${MAX_DEPTH} deep`)
    const values = new Map<number, number | ThriftStruct>()
    for (let id = 0; ; ) {
      const head = this.#byte()
      if (head === 0) return values
      const delta = head >>> 4
      id = delta === 0 ? this.#number() : id + delta
      const value = this.#value(head & 15, depth)
      if (value !== undefined) values.set(id, value)
    }
  }

  #value(type: number, depth: number): number | ThriftStruct | undefined {
    if (++this.#values > MAX_VALUES) throw unreadableParquet(`its metadata has more than ${MAX_VALUES} values`)
    switch (type) {
      case 1:
        return 1
      case 2:
        return 0
      case 3:
        return this.#byte()
      case 4:
      case 5:
      case 6:
        return this.#number()
      case 7:
        this.#skip(8)
        return undefined
      case 8:
        this.#skip(this.#varint())
        return undefined
      case 9:
        this.#list(depth)
        return undefined
      case 12:
        return this.struct(depth + 1)
      default:
        throw unreadableParquet(`its metadata has a value of type ${type}`)
    }
  }

  #list(depth: number): void {
    const head = this.#byte()
    const type = head & 15
    const count = head >>> 4 === 15 ? this.#varint() : head >>> 4
    // an item takes one byte at least
    if (count > this.#bytes.length - this.at)
      throw unreadableParquet(`a list of ${count} items begins ${this.#bytes.length - this.at} bytes before its end`)
    if (depth > MAX_DEPTH) throw unreadableParquet(`its metadata is nested more than ${MAX_DEPTH} deep`)
    for (let i = 0; i < count; i++) {
      if (BOOLEANS.has(type)) this.#skip(1)
      else this.#value(type, depth + 1)
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.at++]
    if (byte === undefined) throw unreadableParquet('its metadata has no end')
    return byte
  }

  #skip(length: number): void {
    if (length > this.#bytes.length - this.at)
      throw unreadableParquet(`a text of ${length} bytes begins ${this.#bytes.length - this.at} bytes before its end`)
    this.at += length
  }

  #varint(): number {
    let value = 0
    for (let scale = 1, count = 0; count < MAX_VARINT_BYTES; scale *= 128, count++) {
      const byte = this.#byte()
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    throw unreadableParquet(`a number has more than ${MAX_VARINT_BYTES} bytes`)
  }

  /** Zigzag; exact for what is compared with limits. */
  #number(): number {
    const value = this.#varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
}
