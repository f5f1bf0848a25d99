import { MAX_DEPTH } from '../../model/decoding-limits.ts'
import { textOfUnits, unitsOfBytes } from '../../model/decimal-units.ts'
import { MillraceError } from '../../model/errors.ts'
import { valueReader } from '../../model/logical-values.ts'
import { isoDate } from '../../model/timestamp-text.ts'
import type { FieldType, ValueType } from '../../model/schema.ts'

/**
 * A value as Parquet gives it → as a row carries it; null stays null, undefined says that it does not fit. Throws
 * RECORD_INVALID for one that is nested too deep.
 */
export type ColumnConverter = (value: unknown) => unknown

/** The converter of one column; a fresh closure each, so that each sees the types of its own column only. */
export function columnConverter(type: ValueType): ColumnConverter {
  const convert = type.logical === undefined ? CONVERTERS[type.type] : logicalConverter(type)
  return (value) => (value === null || value === undefined ? null : convert(value))
}

/** As columnConverter, of a column whose values are the units of decimals: whole numbers, or bytes of them. */
export function decimalConverter(type: ValueType, scale: number): ColumnConverter {
  const convert = columnConverter(type)
  const isExact = type.logical?.kind === 'decimal' || type.logical?.kind === 'bigint'
  return (value) => {
    if (value === null || value === undefined) return null
    const units = value instanceof Uint8Array ? unitsOfBytes(value) : BigInt(value as number | bigint)
    const text = textOfUnits(units, scale)
    return convert(isExact ? text : Number(text))
  }
}

/** A binary column that Parquet takes for a text is no bytes any more: what was no UTF-8 is lost. */
function logicalConverter(type: ValueType): ColumnConverter {
  const read = valueReader(type)
  if (type.logical?.kind === 'bigint')
    return (value) => (typeof value === 'bigint' && fitsLong(value) ? String(value) : read(jsonValue(value)))
  return type.logical?.kind === 'bytes'
    ? (value) => (value instanceof Uint8Array ? read(value) : undefined)
    : (value) => read(jsonValue(value))
}

/** Unsigned integers may not. */
function fitsLong(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value
}

const CONVERTERS: Readonly<Record<FieldType, (value: unknown) => unknown>> = {
  long: exactInteger,
  double: (value) => {
    if (typeof value === 'bigint') return Number(value)
    return typeof value === 'number' && Number.isFinite(value) ? value : undefined
  },
  boolean: (value) => (typeof value === 'boolean' ? value : undefined),
  string: (value) => (typeof value === 'string' ? value : undefined),
  timestamp: (value) => {
    if (value instanceof Date) return value.getTime()
    if (typeof value !== 'string') return exactInteger(value)
    const time = Date.parse(value)
    return Number.isNaN(time) ? undefined : time
  },
  json: jsonValue,
}

function exactInteger(value: unknown): number | undefined {
  const number = typeof value === 'bigint' ? Number(value) : value
  return Number.isSafeInteger(number) ? (number as number) : undefined
}

/** Throws RECORD_INVALID for values that are nested deeper than MAX_DEPTH. */
function jsonValue(value: unknown): unknown {
  return jsonAt(value, 0)
}

function jsonAt(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH)
    throw new MillraceError('RECORD_INVALID', `a value is nested more than ${MAX_DEPTH} deep`, { domain: 'user' })
  if (typeof value === 'bigint') return exactInteger(value) ?? String(value)
  // only days come as Date
  if (value instanceof Date) return isoDate(value.getTime())
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map((item) => jsonAt(item, depth + 1))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, jsonAt(inner, depth + 1)]))
  return value
}
