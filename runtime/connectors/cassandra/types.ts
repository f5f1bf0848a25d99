import { MillraceError } from '../../model/errors.ts'
import { latin1 } from '../../model/logical-values.ts'
import { decimalText, is64Bit } from '../../model/decimal-text.ts'
import { isFields } from '../../model/fields.ts'
import type { Field, ValueType } from '../../model/schema.ts'
import { valueTypeText } from '../../model/value-type.ts'
import { addressOf } from './inet-text.ts'

/** Types of CQL 3.4 that hold one value. */
const SIMPLE = [
  'ascii',
  'bigint',
  'blob',
  'boolean',
  'date',
  'decimal',
  'double',
  'float',
  'inet',
  'int',
  'smallint',
  'text',
  'time',
  'timestamp',
  'timeuuid',
  'tinyint',
  'uuid',
  'varint',
] as const
export type SimpleType = (typeof SIMPLE)[number]

export type CassandraType =
  | { readonly kind: SimpleType }
  | { readonly kind: 'list' | 'set'; readonly items: CassandraType }
  | { readonly kind: 'map'; readonly keys: CassandraType; readonly values: CassandraType }
  /** Counters, durations, tuples and types of users: in no statement of ours. */
  | { readonly kind: 'other'; readonly text: string }

export function isSimpleType(text: string): text is SimpleType {
  return SIMPLE.some((known) => known === text)
}

export function typeText(type: CassandraType): string {
  switch (type.kind) {
    case 'list':
    case 'set':
      return `${type.kind}<${typeText(type.items)}>`
    case 'map':
      return `map<${typeText(type.keys)}, ${typeText(type.values)}>`
    case 'other':
      return type.text
    default:
      return type.kind
  }
}

/**
 * A value between rows and the driver: integers of at most 32 bits, doubles, timestamps (ms) and dates (days) as numbers,
 * other integers and times (ns) as bigints, decimals, texts, UUIDs and addresses as texts, blobs as bytes. A varint or
 * decimal that no field can hold is a text about it.
 */
export type Cell =
  | number
  | bigint
  | string
  | boolean
  | Uint8Array
  // no collection of Cassandra holds a null, but an empty value of a number, which is read as one
  | readonly (Cell | null)[]
  | { readonly [key: string]: Cell | null }

/** A value of a row, never null → the cell. Throws VALUE_INVALID for one that the column cannot hold. */
export type CellOf = (value: unknown) => Cell
/** A cell → the value of the row; undefined when the row cannot hold it. */
export type ValueOfCell = (cell: Cell) => unknown

const INT_BITS: Partial<Record<CassandraType['kind'], number>> = { tinyint: 8, smallint: 16, int: 32 }
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** Of version 1; Cassandra takes no other. */
const TIME_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const NANOS_A_MILLI = 1_000_000n

/** How values of a field are written to a column; undefined when their types do not fit. */
export function cellWriter(field: Field, type: CassandraType): CellOf | undefined {
  const write = writerOf(field, type)
  if (write === undefined) return undefined
  return (value) => {
    const cell = write(value)
    if (cell !== undefined) return cell
    throw new MillraceError(
      'VALUE_INVALID',
      `${field.name}: ${JSON.stringify(value)} does not fit into a ${typeText(type)} of Cassandra`,
      { domain: 'user' },
    )
  }
}

type Writer = (value: unknown) => Cell | undefined

function writerOf(value: ValueType, type: CassandraType): Writer | undefined {
  if (type.kind === 'list' || type.kind === 'set' || type.kind === 'map') return collectionWriter(value, type)
  const kind = value.logical?.kind ?? value.type
  const bits = INT_BITS[type.kind]
  if (bits !== undefined) return kind === 'long' ? (number) => inBits(Number(number), bits) : undefined
  switch (type.kind) {
    case 'bigint':
      return kind === 'long' || kind === 'bigint' ? (number) => BigInt(String(number)) : undefined
    case 'varint':
      return kind === 'long' || kind === 'bigint' || (value.logical?.kind === 'decimal' && value.logical.scale === 0)
        ? (number) => BigInt(String(number))
        : undefined
    case 'double':
      return kind === 'double' || kind === 'long' ? Number : undefined
    case 'float':
      return kind === 'double' || kind === 'long' ? floatOf : undefined
    case 'decimal':
      return kind === 'decimal' || kind === 'bigint' || kind === 'long' ? String : undefined
    case 'boolean':
      return kind === 'boolean' ? (boolean) => boolean === true : undefined
    case 'text':
      return kind === 'string' ? wellFormed : undefined
    case 'ascii':
      return kind === 'string' ? (text) => matching(text, /^[\0-\x7f]*$/) : undefined
    case 'uuid':
      return kind === 'string' ? (text) => matching(text, UUID) : undefined
    case 'timeuuid':
      return kind === 'string' ? (text) => matching(text, TIME_UUID) : undefined
    case 'inet':
      return kind === 'string' ? (text) => addressOf(String(text)) : undefined
    case 'blob':
      return kind === 'bytes' ? (bytes) => Buffer.from(String(bytes), 'latin1') : undefined
    case 'timestamp':
      return kind === 'timestamp' ? Number : undefined
    case 'date':
      return kind === 'date' ? (days) => inBits(Number(days), 32) : undefined
    case 'time':
      return kind === 'time' ? (millis) => BigInt(Number(millis)) * NANOS_A_MILLI : undefined
    default:
      return undefined
  }
}

function inBits(number: number, bits: number): number | undefined {
  return number >= -(2 ** (bits - 1)) && number < 2 ** (bits - 1) ? number : undefined
}

/** A number beyond the range would be stored as infinity. */
function floatOf(value: unknown): number | undefined {
  const number = Number(value)
  return Number.isFinite(number) && !Number.isFinite(Math.fround(number)) ? undefined : number
}

function matching(value: unknown, pattern: RegExp): string | undefined {
  const text = String(value)
  return pattern.test(text) ? text : undefined
}

/** The bytes of UTF-8 hold no half of a character: another text would be stored. */
function wellFormed(value: unknown): string | undefined {
  const text = String(value)
  return text.isWellFormed() ? text : undefined
}

/** No collection of Cassandra holds a null. */
function collectionWriter(
  value: ValueType,
  type: CassandraType & { kind: 'list' | 'set' | 'map' },
): Writer | undefined {
  if (type.kind === 'map') {
    if (value.logical?.kind !== 'map' || !isTextual(type.keys)) return undefined
    const writeKey = writerOf(KEY_OF_MAP, type.keys)
    const write = writerOf(value.logical.values, type.values)
    return (
      writeKey &&
      write &&
      ((map) =>
        isFields(map)
          ? allOf(
              Object.entries(map).map(([key, item]) => [
                key,
                writeKey(key) === undefined ? undefined : written(write, item),
              ]),
            )
          : undefined)
    )
  }
  if (value.logical?.kind !== 'array') return undefined
  const write = writerOf(value.logical.items, type.items)
  return (
    write &&
    ((list) => {
      if (!Array.isArray(list)) return undefined
      const cells = list.map((item: unknown) => written(write, item))
      return cells.every((cell) => cell !== undefined) ? cells : undefined
    })
  )
}

const KEY_OF_MAP: ValueType = { type: 'string', nullable: false }

/** Names of the members of a map. */
function isTextual({ kind }: CassandraType): boolean {
  return kind === 'text' || kind === 'ascii'
}

function written(write: Writer, item: unknown): Cell | undefined {
  return item === null || item === undefined ? undefined : write(item)
}

function allOf(entries: readonly (readonly [string, Cell | undefined])[]): Cell | undefined {
  return entries.every((entry): entry is [string, Cell] => entry[1] !== undefined)
    ? Object.fromEntries(entries)
    : undefined
}

/** How cells of a column are read as values of a field; undefined when their types do not fit. */
export function cellReader(value: ValueType, type: CassandraType): ValueOfCell | undefined {
  const kind = value.logical?.kind ?? value.type
  switch (type.kind) {
    case 'tinyint':
    case 'smallint':
    case 'int':
      if (kind === 'bigint') return String
      return kind === 'long' || kind === 'double' ? (cell) => cell : undefined
    case 'bigint':
    case 'varint':
      if (kind === 'long') return (cell) => (typeof cell === 'bigint' ? exactNumber(cell) : undefined)
      return kind === 'bigint'
        ? (cell) => (typeof cell === 'bigint' && is64Bit(cell) ? String(cell) : undefined)
        : undefined
    case 'double':
    case 'float':
      return kind === 'double' ? (cell) => (Number.isFinite(cell) ? cell : undefined) : undefined
    case 'decimal': {
      if (value.logical?.kind !== 'decimal') return undefined
      const { precision, scale } = value.logical
      return (cell) => decimalText(String(cell), precision, scale)
    }
    case 'boolean':
      return kind === 'boolean' ? (cell) => cell : undefined
    case 'text':
    case 'ascii':
    case 'uuid':
    case 'timeuuid':
    case 'inet':
      return kind === 'string' ? (cell) => cell : undefined
    case 'blob':
      return kind === 'bytes' ? (cell) => latin1(cell as Uint8Array) : undefined
    case 'timestamp':
      // the driver has none beyond 8.64e15 ms
      return kind === 'timestamp' ? (cell) => (Number.isNaN(cell) ? undefined : cell) : undefined
    case 'date':
      return kind === 'date' ? (cell) => cell : undefined
    case 'time':
      return kind === 'time' ? (cell) => Number((cell as bigint) / NANOS_A_MILLI) : undefined
    case 'list':
    case 'set':
      return value.logical?.kind === 'array' ? listReader(value.logical.items, type.items) : undefined
    case 'map':
      return value.logical?.kind === 'map' && isTextual(type.keys)
        ? mapReader(value.logical.values, type.values)
        : undefined
    case 'other':
      return undefined
  }
}

function listReader(items: ValueType, type: CassandraType): ValueOfCell | undefined {
  const read = cellReader(items, type)
  return (
    read &&
    ((cell) => {
      const values = (cell as readonly (Cell | null)[]).map((item) => (item === null ? undefined : read(item)))
      return values.includes(undefined) ? undefined : values
    })
  )
}

function mapReader(values: ValueType, type: CassandraType): ValueOfCell | undefined {
  const read = cellReader(values, type)
  return (
    read &&
    ((cell) => {
      const entries = Object.entries(cell as Readonly<Record<string, Cell | null>>).map(([key, item]) => [
        key,
        item === null ? undefined : read(item),
      ])
      return entries.some(([, item]) => item === undefined) ? undefined : Object.fromEntries(entries)
    })
  )
}

function exactNumber(cell: bigint): number | undefined {
  const number = Number(cell)
  return Number.isSafeInteger(number) ? number : undefined
}

/** A field and a column that do not fit. */
export function typesDiffer(
  table: string,
  field: ValueType,
  column: { name: string; type: CassandraType },
): MillraceError {
  return new MillraceError(
    'CASSANDRA_TYPE_MISMATCH',
    `column ${column.name} of the Cassandra table ${table} is ${typeText(column.type)}, the field is ${valueTypeText(field)}`,
    { domain: 'user', hint: 'docs/cassandra.md lists which types fit each other' },
  )
}
