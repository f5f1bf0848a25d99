import { memberOf } from '../model/fields.ts'
import { bigintText } from '../model/decimal-text.ts'
import { JsonNumber, withoutDigits } from '../model/json-digits.ts'
import { daysOf } from '../model/logical-values.ts'
import { parseIsoTimestamp } from '../model/timestamp-text.ts'
import { isFieldName, namedField, type Field, type ValueType } from '../model/schema.ts'

/** What a sample of records says about their stream. */
export interface InferredSchema {
  records: number
  fields: readonly Field[]
  /** Names that cannot be names of fields. */
  leftOut: readonly string[]
  /** The field that most likely is the time of the event; `disorderMs` is how far a record came behind a later one. */
  eventTime: { field: string; disorderMs: number } | undefined
}

/** A member with this many names or more is a map rather than a row of fields. */
const MAX_ROW_FIELDS = 64
const TIME_NAME = /time|date|(^|_)ts$|(^|_)at$|[a-z]At$/i
/** Milliseconds of 2001 to 2096: a number of this size under a name of time. */
const EPOCH_MS = { from: 978_307_200_000, to: 4_000_000_000_000 }

/** The schema of records as parseWithDigits gave them; values that are not objects are skipped. */
export function inferSchema(records: readonly unknown[]): InferredSchema {
  const objects = records.filter(
    (record) => typeof record === 'object' && record !== null && !Array.isArray(record),
  ) as Readonly<Record<string, unknown>>[]
  const names = [...new Set(objects.flatMap((record) => Object.keys(record)))]
  const fields = names.filter(isFieldName).map((name) =>
    namedField(
      name,
      settled(
        fieldOfValues(
          name,
          objects.map((record) => memberOf(record, name) ?? null),
        ),
      ),
    ),
  )
  return {
    records: objects.length,
    fields,
    leftOut: names.filter((name) => !isFieldName(name)),
    eventTime: eventTimeOf(fields, objects),
  }
}

/** A cell of a CSV file as the JSON value it most likely means. */
export function valueOfCell(text: string): unknown {
  if (text === '') return null
  if (text === 'true' || text === 'false') return text === 'true'
  // 007 is a name, not a number
  if (/^-?(?:0|[1-9]\d*)$/.test(text) && !Number.isSafeInteger(Number(text))) return new JsonNumber(text)
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : text
}

/** The type of values that were always null, or of the items of empty lists; gives way to any other type. */
const UNSEEN: ValueType = { type: 'json', nullable: false, logical: { kind: 'row', fields: [] } }
const NULL: ValueType = { ...UNSEEN, nullable: true }

function fieldOfValues(name: string, values: readonly unknown[]): Field {
  return namedField(name, itemType(name, values))
}

function typeOf(name: string, value: unknown): ValueType {
  switch (typeof value) {
    case 'boolean':
      return { type: 'boolean', nullable: false }
    case 'number':
      return { type: numberType(name, value), nullable: false }
    case 'string':
      return textType(value)
    case 'object':
      if (value instanceof JsonNumber) return digitsType(name, value.digits)
      return value === null
        ? NULL
        : Array.isArray(value)
          ? { type: 'json', nullable: false, logical: { kind: 'array', items: itemType(name, value) } }
          : rowType(value as Readonly<Record<string, unknown>>)
    default:
      return { type: 'json', nullable: false }
  }
}

function itemType(name: string, values: readonly unknown[]): ValueType {
  return values.map((value) => typeOf(name, value)).reduce(merged, UNSEEN)
}

/** With any JSON value where nothing was seen. */
function settled(type: ValueType): ValueType {
  const { logical, nullable } = type
  if (logical === UNSEEN.logical) return { type: 'json', nullable: true }
  if (logical?.kind === 'array')
    return { type: 'json', nullable, logical: { kind: 'array', items: settled(logical.items) } }
  if (logical?.kind === 'row')
    return {
      type: 'json',
      nullable,
      logical: { kind: 'row', fields: logical.fields.map((field) => namedField(field.name, settled(field))) },
    }
  return type
}

function numberType(name: string, value: number): 'long' | 'double' | 'timestamp' {
  if (!Number.isSafeInteger(value)) return 'double'
  return TIME_NAME.test(name) && value >= EPOCH_MS.from && value <= EPOCH_MS.to ? 'timestamp' : 'long'
}

function digitsType(name: string, digits: string): ValueType {
  const isBigint = /^-?\d+$/.test(digits) && !Number.isSafeInteger(Number(digits)) && bigintText(digits) !== undefined
  return isBigint
    ? { type: 'string', nullable: false, logical: { kind: 'bigint' } }
    : { type: numberType(name, Number(digits)), nullable: false }
}

function textType(value: string): ValueType {
  if (daysOf(value) !== undefined) return { type: 'long', nullable: false, logical: { kind: 'date' } }
  return { type: parseIsoTimestamp(value) === undefined ? 'string' : 'timestamp', nullable: false }
}

function rowType(value: Readonly<Record<string, unknown>>): ValueType {
  const names = Object.keys(value)
  if (names.length === 0 || names.length >= MAX_ROW_FIELDS || !names.every(isFieldName))
    return { type: 'json', nullable: false }
  return {
    type: 'json',
    nullable: false,
    logical: { kind: 'row', fields: names.map((name) => fieldOfValues(name, [value[name]])) },
  }
}

/** The type that takes the values of both. */
function merged(left: ValueType, right: ValueType): ValueType {
  const nullable = left.nullable || right.nullable
  if (left.logical === UNSEEN.logical) return { ...right, nullable }
  return { ...(right.logical === UNSEEN.logical ? left : both(left, right)), nullable }
}

function both(left: ValueType, right: ValueType): Omit<ValueType, 'nullable'> {
  const [a, b] = [left.logical, right.logical]
  if (a?.kind === 'array' && b?.kind === 'array')
    return { type: 'json', logical: { kind: 'array', items: merged(a.items, b.items) } }
  if (a?.kind === 'row' && b?.kind === 'row')
    return { type: 'json', logical: { kind: 'row', fields: mergedFields(a.fields, b.fields) } }
  if (a?.kind === b?.kind && left.type === right.type) return left
  const kinds = new Set([a?.kind ?? left.type, b?.kind ?? right.type])
  const areAll = (...allowed: string[]): boolean => [...kinds].every((kind) => allowed.includes(kind))
  if (areAll('long', 'bigint')) return { type: 'string', logical: { kind: 'bigint' } }
  if (areAll('long', 'bigint', 'double')) return { type: 'double' }
  if (areAll('date', 'timestamp')) return { type: 'timestamp' }
  if (areAll('date', 'timestamp', 'string') && kinds.has('string')) return { type: 'string' }
  return areAll('long', 'timestamp') ? { type: 'long' } : { type: 'json' }
}

/** A field that only one of them has may be missing. */
function mergedFields(left: readonly Field[], right: readonly Field[]): Field[] {
  const names = [...new Set([...left, ...right].map(({ name }) => name))]
  return names.map((name) => {
    const [a = NULL, b = NULL] = [left, right].map((fields) => fields.find((field) => field.name === name))
    return namedField(name, merged(a, b))
  })
}

/** The timestamp that is never null and most in order; among equals the first whose name says time. */
export function eventTimeOf(
  fields: readonly Field[],
  records: readonly Readonly<Record<string, unknown>>[],
): InferredSchema['eventTime'] {
  const candidates = fields
    .filter(({ type, nullable }) => type === 'timestamp' && !nullable)
    .map(({ name }) => {
      let latest = -Infinity
      let disorderMs = 0
      for (const record of records) {
        const value = record[name]
        const time = typeof value === 'string' ? (parseIsoTimestamp(value) ?? 0) : Number(withoutDigits(value))
        disorderMs = Math.max(disorderMs, latest - time)
        latest = Math.max(latest, time)
      }
      return { field: name, disorderMs }
    })
  return candidates.sort(
    (a, b) => a.disorderMs - b.disorderMs || Number(TIME_NAME.test(b.field)) - Number(TIME_NAME.test(a.field)),
  )[0]
}
