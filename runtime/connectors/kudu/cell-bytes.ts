import { isVariable, KUDU_TYPE, widthOf, type Cell, type KuduColumn, type KuduType } from './columns.ts'

const TWO_32 = 2 ** 32

/** Writes a cell of a type of fixed width, little-endian, as rows and predicates have it. Returns where it ends. */
export function writeFixedCell(into: Buffer, at: number, type: KuduType, cell: Cell): number {
  if (type === KUDU_TYPE.bool || type === KUDU_TYPE.isDeleted) return into.writeUInt8(cell === true ? 1 : 0, at)
  if (type === KUDU_TYPE.int8) return into.writeInt8(cell as number, at)
  if (type === KUDU_TYPE.int16) return into.writeInt16LE(cell as number, at)
  if (type === KUDU_TYPE.float) return into.writeFloatLE(cell as number, at)
  if (type === KUDU_TYPE.double) return into.writeDoubleLE(cell as number, at)
  if (type === KUDU_TYPE.decimal128) {
    into.writeBigUInt64LE(BigInt.asUintN(64, cell as bigint), at)
    return into.writeBigInt64LE((cell as bigint) >> 64n, at + 8)
  }
  if (typeof cell === 'bigint') return into.writeBigInt64LE(cell, at)
  if (widthOf(type) !== 8) return into.writeInt32LE(cell as number, at)
  const high = Math.floor((cell as number) / TWO_32)
  into.writeInt32LE(((cell as number) - high * TWO_32) | 0, at)
  return into.writeInt32LE(high, at + 4)
}

/** A cell alone, as predicates have it (ColumnPredicatePB in src/kudu/common/common.proto of apache/kudu). */
export function cellBytes({ type }: KuduColumn, cell: Cell): Buffer {
  if (isVariable(type)) return typeof cell === 'string' ? Buffer.from(cell) : Buffer.from(cell as Uint8Array)
  const bytes = Buffer.alloc(widthOf(type))
  writeFixedCell(bytes, 0, type, cell)
  return bytes
}
