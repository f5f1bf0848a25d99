import { MillraceError } from '../../model/errors.ts'
import { utf8Text } from '../../model/utf8-text.ts'
import { isVariable, KUDU_TYPE, widthOf, type Cell, type KuduColumn } from './columns.ts'

/** The sidecars of one column in a columnar answer. */
export interface ColumnBytes {
  readonly data: Buffer
  readonly varlen: Buffer | undefined
  /** A bit that is set says that the cell is not null; undefined when none is. */
  readonly nonNull: Buffer | undefined
}

/** Rows of a scan, in the order of their keys. */
export interface ScanBlock {
  readonly count: number
  /** By column in the order that was asked for; undefined is NULL. A text that is not UTF-8 comes as its bytes. */
  cell(column: number, row: number): Cell | undefined
  /** The encoded key of the last row: a scan that begins behind it goes on with the next one. */
  readonly lastKey: Buffer
}

type CellReader = (row: number) => Cell

/**
 * Reads cells in place. Throws KUDU_ANSWER when the bytes are fewer than the rows need. Source: ColumnarRowBlockPB in
 * src/kudu/common/wire_protocol.proto of apache/kudu.
 */
export function columnarBlock(
  columns: readonly KuduColumn[],
  bytes: readonly ColumnBytes[],
  count: number,
  lastKey: Buffer,
): ScanBlock {
  if (count > 0 && bytes.length !== columns.length)
    throw malformed(`${bytes.length} columns in place of ${columns.length}`)
  const readers = count === 0 ? [] : columns.map((column, index) => readerOf(column, at(bytes, index), count))
  return {
    count,
    lastKey,
    cell(column, row) {
      const nonNull = bytes[column]?.nonNull
      if (nonNull !== undefined && ((nonNull[row >> 3] ?? 0) & (1 << (row & 7))) === 0) return undefined
      return readers[column]?.(row)
    },
  }
}

function readerOf(column: KuduColumn, bytes: ColumnBytes, count: number): CellReader {
  const { data, varlen, nonNull } = bytes
  if (nonNull !== undefined && nonNull.length * 8 < count) throw malformed(`${nonNull.length} bytes of nulls`)
  const { type } = column
  if (isVariable(type)) return variableReader(type, data, varlen ?? Buffer.alloc(0), count)
  if (data.length < count * widthOf(type)) throw malformed(`${data.length} bytes of ${column.name} for ${count} rows`)
  switch (type) {
    case KUDU_TYPE.bool:
    case KUDU_TYPE.isDeleted:
      return (row) => data[row] === 1
    case KUDU_TYPE.int8:
      return (row) => data.readInt8(row)
    case KUDU_TYPE.int16:
      return (row) => data.readInt16LE(row * 2)
    case KUDU_TYPE.float:
      return (row) => data.readFloatLE(row * 4)
    case KUDU_TYPE.double:
      return (row) => data.readDoubleLE(row * 8)
    case KUDU_TYPE.int64:
    case KUDU_TYPE.unixtimeMicros:
    case KUDU_TYPE.decimal64:
      return (row) => data.readBigInt64LE(row * 8)
    case KUDU_TYPE.decimal128:
      return (row) => (data.readBigInt64LE(row * 16 + 8) << 64n) | data.readBigUInt64LE(row * 16)
    default:
      return (row) => data.readInt32LE(row * 4)
  }
}

function variableReader(type: number, offsets: Buffer, varlen: Buffer, count: number): CellReader {
  if (offsets.length < (count + 1) * 4) throw malformed(`${offsets.length} bytes of offsets for ${count} rows`)
  const bounds = (row: number): [from: number, to: number] => {
    const from = offsets.readUInt32LE(row * 4)
    const to = offsets.readUInt32LE(row * 4 + 4)
    if (from > to || to > varlen.length) throw malformed(`a text from ${from} to ${to} of ${varlen.length} bytes`)
    return [from, to]
  }
  return type === KUDU_TYPE.binary
    ? (row) => varlen.subarray(...bounds(row))
    : (row) => {
        const [from, to] = bounds(row)
        return utf8Text(varlen, from, to) ?? varlen.subarray(from, to)
      }
}

function at(bytes: readonly ColumnBytes[], index: number): ColumnBytes {
  const found = bytes[index]
  if (found === undefined) throw malformed(`no column ${index}`)
  return found
}

function malformed(what: string): MillraceError {
  return new MillraceError('KUDU_ANSWER', `a Kudu server sent a malformed block of rows: ${what}`, {
    domain: 'dependency',
    retriable: true,
  })
}
