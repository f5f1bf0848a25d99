import { types } from 'cassandra-driver'
import type { CassandraType, Cell } from '../types.ts'

/** A cell → what the driver encodes. */
export function toDriver(type: CassandraType, cell: Cell): unknown {
  switch (type.kind) {
    case 'decimal':
      return types.BigDecimal.fromString(String(cell))
    case 'date':
      return dateOf(Number(cell))
    case 'time':
      return new types.LocalTime(types.Long.fromString(String(cell)))
    case 'timestamp':
      return Number(cell)
    case 'varint':
      return types.Integer.fromString(String(cell))
    case 'uuid':
    case 'timeuuid':
      return types.Uuid.fromString(String(cell))
    case 'inet':
      return types.InetAddress.fromString(String(cell))
    case 'list':
    case 'set':
      return listOf((cell as readonly Cell[]).map((item) => toDriver(type.items, item)))
    case 'map':
      return new Map(
        Object.entries(cell as Readonly<Record<string, Cell>>).map(([key, item]) => [key, toDriver(type.values, item)]),
      )
    default:
      return cell
  }
}

/** A value that the driver decoded → the cell. */
export function fromDriver(type: CassandraType, value: unknown): Cell | null {
  if (value === null || value === undefined) return null
  switch (type.kind) {
    case 'decimal':
      return decimalOf(types.BigDecimal.toBuffer(value as types.BigDecimal))
    case 'varint': {
      const bytes = types.Integer.toBuffer(value as types.Integer)
      return integerOf(bytes) ?? tooLong(bytes)
    }
    case 'uuid':
    case 'timeuuid':
    case 'inet':
      return String(value)
    case 'date':
      return Math.round((value as types.LocalDate).toBuffer().readUInt32BE() - DATE_OF_EPOCH)
    case 'time':
      return BigInt((value as types.LocalTime).getTotalNanoseconds().toString())
    case 'timestamp':
      return (value as Date).getTime()
    case 'list':
    case 'set':
      return (value as readonly unknown[]).map((item) => fromDriver(type.items, item))
    case 'map':
      return Object.fromEntries(
        [...(value as ReadonlyMap<string, unknown>)].map(([key, item]) => [key, fromDriver(type.values, item)]),
      )
    default:
      return value as Cell
  }
}

/** The driver writes NULL for a list without items. */
function listOf(items: unknown[]): unknown {
  return items.length === 0 ? Buffer.alloc(COUNT_BYTES) : items
}
const COUNT_BYTES = 4

/** Many more digits than any field has. */
const MOST_BYTES = 64

/** Two's complement, big-endian; undefined beyond 64 bytes, of which bigints would take long. */
function integerOf(bytes: Buffer): bigint | undefined {
  if (bytes.length > MOST_BYTES) return undefined
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x0${bytes.toString('hex')}`))
}

function tooLong(bytes: Buffer): string {
  return `a number of ${bytes.length} bytes`
}

/** The scale, 32 bits, before the unscaled value. The driver writes out all zeros, of which there may be 2^31. */
function decimalOf(bytes: Buffer): string {
  const digits = bytes.subarray(4)
  const unscaled = integerOf(digits)
  return unscaled === undefined ? tooLong(digits) : `${unscaled}E${0 - bytes.readInt32BE(0)}`
}

/** Dates are days, of which this one is 1970-01-01. */
const DATE_OF_EPOCH = 2 ** 31

function dateOf(days: number): types.LocalDate {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(days + DATE_OF_EPOCH)
  return types.LocalDate.fromBuffer(bytes)
}
