import { unreadableParquet } from './unreadable-parquet.ts'

/** Writers fill the last run up: to eight values, some to more. */
const MAX_PADDING = 512
const MAX_VARINT_BYTES = 10
const MAX_WIDTH = 32

/** Where a decoder stands in the bytes of a page. */
export interface PageCursor {
  readonly bytes: Uint8Array
  at: number
}

/**
 * Walks over runs of levels or of indexes of a dictionary (Parquet, "RLE/Bit-Packing Hybrid") up to `count` values or
 * the end of the page. Throws PARQUET_INVALID for a run of more values than are left. Returns how many values are
 * `wanted`, when that is given: only then the bits are looked at.
 */
export function checkRuns(cursor: PageCursor, width: number, count: number, wanted?: number): number {
  if (width > MAX_WIDTH) throw unreadableParquet(`indexes have ${width} bits`)
  const { bytes } = cursor
  let found = 0
  for (let seen = 0; seen < count && cursor.at < bytes.length; ) {
    const head = readVarint(cursor)
    const isPacked = head % 2 === 1
    const values = isPacked ? (head - 1) * 4 : head / 2
    if (values > count - seen + (isPacked ? MAX_PADDING : 0))
      throw unreadableParquet(`a run has ${values} values, ${count - seen} are left`)
    // hyparquet reads a byte for it
    if (isPacked && values === 0) throw unreadableParquet('a run of packed values is empty')
    const size = isPacked ? (values / 8) * width : (width + 7) >>> 3
    if (wanted !== undefined)
      found += isPacked
        ? countPacked(bytes, cursor.at, width, Math.min(values, count - seen), wanted)
        : littleEndian(bytes, cursor.at, size) === wanted
          ? values
          : 0
    cursor.at += size
    seen += values
  }
  return found
}

function countPacked(bytes: Uint8Array, from: number, width: number, count: number, wanted: number): number {
  let found = 0
  for (let i = 0, bit = 0; i < count; i++) {
    let value = 0
    for (let b = 0; b < width; b++, bit++) value |= (((bytes[from + (bit >>> 3)] ?? 0) >>> (bit & 7)) & 1) << b
    if (value === wanted) found++
  }
  return found
}

function littleEndian(bytes: Uint8Array, at: number, size: number): number {
  let value = 0
  for (let i = 0; i < size; i++) value += (bytes[at + i] ?? 0) * 2 ** (8 * i)
  return value
}

/** An unsigned number in base 128, of ten bytes at most. */
export function readVarint(cursor: PageCursor): number {
  let value = 0
  for (let scale = 1, count = 0; count < MAX_VARINT_BYTES; scale *= 128, count++) {
    const byte = cursor.bytes[cursor.at++]
    if (byte === undefined) throw unreadableParquet('a page ends within a number')
    value += (byte & 127) * scale
    if (byte < 128) return value
  }
  throw unreadableParquet(`a number has more than ${MAX_VARINT_BYTES} bytes`)
}
