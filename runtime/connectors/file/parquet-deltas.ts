import { readVarint, type PageCursor } from './parquet-runs.ts'
import { unreadableParquet } from './unreadable-parquet.ts'

const MAX_BLOCK_VALUES = 65_536
const MAX_BITS = 64
/** So that each part ends with a whole word. */
const PART_MULTIPLE = 32
/** Beyond it, the sum of 32-bit numbers would not be exact. */
const MAX_SHORT_DELTA = 2 ** 33

/**
 * Walks over `count` numbers as Parquet, "Delta encoding (DELTA_BINARY_PACKED)", has them. Throws PARQUET_INVALID for
 * blocks of an impossible shape and for those that reach behind the page.
 */
export function checkDeltas(cursor: PageCursor, count: number): void {
  walkDeltas(cursor, count, undefined)
}

/** As checkDeltas, of numbers of 32 bits; returns their sum, counting none below zero. */
export function sumOfDeltas(cursor: PageCursor, count: number): number {
  let sum = 0
  walkDeltas(cursor, count, (value) => {
    sum += Math.max(0, value)
  })
  return sum
}

function walkDeltas(cursor: PageCursor, count: number, onValue: ((value: number) => void) | undefined): void {
  const blockValues = readVarint(cursor)
  const parts = readVarint(cursor)
  readVarint(cursor) // how many there are
  let value = zigzag(readVarint(cursor))
  const partValues = blockValues / parts
  if (parts < 1 || blockValues > MAX_BLOCK_VALUES || partValues < 1 || partValues % PART_MULTIPLE !== 0)
    throw unreadableParquet(`blocks of ${blockValues} deltas have ${parts} parts`)
  if (count > 0) onValue?.(value | 0)
  for (let seen = 1; seen < count; ) {
    const smallest = zigzag(readVarint(cursor))
    if (onValue !== undefined && Math.abs(smallest) > MAX_SHORT_DELTA)
      throw unreadableParquet(`a delta of 32 bits is ${smallest}`)
    const widthsAt = cursor.at
    cursor.at += parts
    for (let part = 0; part < parts && seen < count; part++) {
      const width = cursor.bytes[widthsAt + part] ?? MAX_BITS + 1
      const size = Math.ceil((partValues * width) / 8)
      if (width > MAX_BITS) throw unreadableParquet(`deltas have ${width} bits`)
      const here = Math.min(partValues, count - seen)
      if (cursor.at + Math.ceil((here * width) / 8) > cursor.bytes.length)
        throw unreadableParquet('a block of deltas ends behind its page')
      for (let i = 0; onValue !== undefined && i < here; i++) {
        value = (value + smallest + bitsAt(cursor.bytes, cursor.at, i * width, width)) | 0
        onValue(value)
      }
      cursor.at += size
      seen += here
    }
  }
}

/** The low 32 of `width` bits. */
function bitsAt(bytes: Uint8Array, from: number, firstBit: number, width: number): number {
  let value = 0
  for (let bit = 0; bit < Math.min(width, 32); bit++) {
    const at = firstBit + bit
    value |= (((bytes[from + (at >>> 3)] ?? 0) >>> (at & 7)) & 1) << bit
  }
  return value
}

function zigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}
