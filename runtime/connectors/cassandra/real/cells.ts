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
      return new Date(Number(cell))
    case 'uuid':
    case 'timeuuid':
      return types.Uuid.fromString(String(cell))
    case 'inet':
      return types.InetAddress.fromString(String(cell))
    case 'list':
    case 'set':
      return (cell as readonly Cell[]).map((item) => toDriver(type.items, item))
    case 'map':
      return Object.fromEntries(
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
      return (value as readonly unknown[]).map((item) => fromDriver(type.items, item) ?? '')
    case 'map':
      return Object.fromEntries(
        Object.entries(value as object).map(([key, item]) => [key, fromDriver(type.values, item) ?? '']),
      )
    default:
      return value as Cell
  }
}

/** Dates are days, of which this one is 1970-01-01. */
const DATE_OF_EPOCH = 2 ** 31

function dateOf(days: number): types.LocalDate {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(days + DATE_OF_EPOCH)
  return types.LocalDate.fromBuffer(bytes)
}
