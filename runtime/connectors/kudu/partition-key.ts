import { isVariable, widthOf, KUDU_TYPE, type Cell, type KuduColumn } from './columns.ts'
import { hashBucket } from './murmur2-64a.ts'

/** Columns are indexes into those of the table. */
export interface Partitioning {
  readonly hash: readonly { readonly columns: readonly number[]; readonly buckets: number; readonly seed: number }[]
  readonly range: readonly number[]
}

const TWO_32 = 2 ** 32

/** Bytes that grow as they are written, and are used again for the next row. */
class KeyBytes {
  bytes = Buffer.alloc(256)
  length = 0

  clear(): void {
    this.length = 0
  }

  reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return
    const larger = Buffer.alloc((this.length + more) * 2)
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }

  byte(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  /** Big-endian with the sign bit turned, so that the order of the bytes is that of the numbers. */
  integer(value: number | bigint, width: number): void {
    this.reserve(width)
    if (width <= 4) this.bytes.writeIntBE(Number(value), this.length, width)
    else if (width === 8 && typeof value === 'number') {
      const high = Math.floor(value / TWO_32)
      this.bytes.writeInt32BE(high, this.length)
      this.bytes.writeInt32BE((value - high * TWO_32) | 0, this.length + 4)
    } else {
      const whole = BigInt(value)
      if (width === 16) this.bytes.writeBigInt64BE(whole >> 64n, this.length)
      this.bytes.writeBigUInt64BE(BigInt.asUintN(64, whole), this.length + width - 8)
    }
    this.bytes[this.length] = (this.bytes[this.length] ?? 0) ^ 0x80
    this.length += width
  }

  /** With `isLast` the bytes as they are, else so that no text is the beginning of a longer one. */
  variable(value: Uint8Array, isLast: boolean): void {
    this.reserve(value.length * 2 + 2)
    for (const byte of value) {
      this.bytes[this.length++] = byte
      if (byte === 0 && !isLast) this.bytes[this.length++] = 1
    }
    if (isLast) return
    this.bytes[this.length++] = 0
    this.bytes[this.length++] = 0
  }
}

/**
 * Makes the partition key of a row: the bucket of each hash dimension, then the range columns. The result is valid
 * until the next call. Source: KeyEncoder.java and src/kudu/common/partition.cc of apache/kudu.
 */
export function partitionKeyer(
  columns: readonly KuduColumn[],
  { hash, range }: Partitioning,
): (cells: readonly (Cell | null)[]) => Buffer {
  const key = new KeyBytes()
  const part = new KeyBytes()
  const encode = (into: KeyBytes, wanted: readonly number[], cells: readonly (Cell | null)[]): void => {
    wanted.forEach((index, place) => {
      const column = columns[index]
      const cell = cells[index]
      // key columns are never null
      if (column !== undefined && cell !== null && cell !== undefined)
        encodeCell(into, column, cell, place === wanted.length - 1)
    })
  }
  return (cells) => {
    key.clear()
    for (const dimension of hash) {
      part.clear()
      encode(part, dimension.columns, cells)
      const bucket = hashBucket(part.bytes, part.length, dimension.seed, dimension.buckets)
      key.reserve(4)
      key.length = key.bytes.writeUInt32BE(bucket, key.length)
    }
    encode(key, range, cells)
    return key.bytes.subarray(0, key.length)
  }
}

function encodeCell(into: KeyBytes, { type }: KuduColumn, cell: Cell, isLast: boolean): void {
  if (isVariable(type)) into.variable(typeof cell === 'string' ? Buffer.from(cell) : (cell as Uint8Array), isLast)
  else if (type === KUDU_TYPE.bool) into.byte(cell === true ? 1 : 0)
  else into.integer(cell as number | bigint, widthOf(type))
}

/** A stretch of partition keys; an empty end is none. */
export interface KeyRange {
  readonly start: Buffer
  readonly end: Buffer
}

/** The range that holds a key, of ranges in the order of their starts; undefined where none covers it. */
export function rangeHolding<R extends KeyRange>(ranges: readonly R[], key: Buffer): R | undefined {
  let from = 0
  let to = ranges.length
  while (to - from > 1) {
    const middle = (from + to) >> 1
    if (Buffer.compare(ranges[middle]?.start ?? key, key) <= 0) from = middle
    else to = middle
  }
  const range = ranges[from]
  if (range === undefined || Buffer.compare(range.start, key) > 0) return undefined
  return range.end.length === 0 || Buffer.compare(key, range.end) < 0 ? range : undefined
}
