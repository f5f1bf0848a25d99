import { checkJsonBounds } from './json-bounds.ts'
import type { Field, ValueType } from './schema.ts'

/** A number of a JSON text by its digits, where a double may have others. */
export class JsonNumber {
  readonly digits: string

  constructor(digits: string) {
    this.digits = digits
  }

  /** Called by JSON.stringify, which then writes the digits. */
  toJSON(): unknown {
    return jsonNumber(this.digits)
  }
}

/** A value that JSON.stringify writes as the number of these digits (ECMAScript, "JSON.rawJSON"). */
export function jsonNumber(digits: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(digits)
}

/**
 * JSON text → value, as JSON.parse, which may keep some numbers as JsonNumber. Throws what JSON.parse throws, and
 * RECORD_INVALID for a text beyond the limits of checkJsonBounds.
 */
export type JsonParser = (text: string) => unknown

/**
 * Numbers of 16 digits or more, or with an exponent of three digits. All others are the same digits after they were a
 * double: 15 digits always are (IEEE 754, 5.12.2).
 */
const MANY_DIGITS = /\d(?:\.?\d){15}|[eE][+-]?\d{3}/
/**
 * Numbers that a double may make a whole number of, or another one: with 16 digits in their whole part; close to a
 * whole number in all of 15 digits; very small. Doubles with all of their digits, which are frequent, are none.
 */
const WHOLE_BY_ROUNDING = /(?:^|[^\d.])\d{16}|\d{15}\.\d|\d{10}\.[09]|\.0{5}|\.9{5}|[eE]-?\d{3}|\d(?:\.?\d){15}[eE]/

/** The parser for objects with these fields. Of a field that is any JSON the numbers are doubles. */
export function jsonRecordParser(fields: readonly Field[]): JsonParser {
  const names = fields.filter((field) => field.type === 'json' && field.logical === undefined).map(({ name }) => name)
  return parserFor(fields, (text) => {
    const record = parsedWithDigits(text)
    if (typeof record !== 'object' || record === null) return record
    for (const name of names)
      if (Object.hasOwn(record, name))
        (record as Record<string, unknown>)[name] = withoutDigits((record as Record<string, unknown>)[name])
    return record
  })
}

/** The parser for values of one type. */
export function jsonValueParser(type: ValueType): JsonParser {
  return parserFor([type], parsedWithDigits)
}

/**
 * JSON.parse where no type has digits to lose. A text in which no number has as many costs a search for one; another
 * is parsed three to four times slower.
 */
function parserFor(types: readonly ValueType[], parseExactly: JsonParser): JsonParser {
  const suspicious = types.some(hasDigits) ? MANY_DIGITS : types.some(isWhole) ? WHOLE_BY_ROUNDING : undefined
  return (text) => {
    checkJsonBounds(text)
    return suspicious?.test(text) === true ? parseExactly(text) : (JSON.parse(text) as unknown)
  }
}

/** The value with doubles for all its numbers: what JSON.parse gives. */
export function withoutDigits(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof JsonNumber) return Number(value.digits)
  if (Array.isArray(value)) return value.map(withoutDigits)
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withoutDigits(member)]))
}

/**
 * JSON text → value, in which numbers that a double would print with other digits are JsonNumbers. Throws what JSON.parse
 * throws, and RECORD_INVALID for a text beyond the limits of checkJsonBounds.
 */
export function parseWithDigits(text: string): unknown {
  checkJsonBounds(text)
  return parsedWithDigits(text)
}

/** Of a text within the limits. */
function parsedWithDigits(text: string): unknown {
  // With a function, V8 (of Node 26.10) writes beyond its memory while it gives up some malformed texts, deep ones at
  // least, and the process dies of it later. Without one it refuses them soundly.
  JSON.parse(text)
  return JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown) as unknown
}

/** `source` is the text of a number (ECMAScript, "JSON.parse source text access"). */
function keepDigits(_key: string, value: unknown, { source }: { source: string }): unknown {
  return typeof value === 'number' && String(value) !== source ? new JsonNumber(source) : value
}

function hasDigits({ logical }: ValueType): boolean {
  return logical?.kind === 'decimal' || logical?.kind === 'bigint' || inner(logical).some(hasDigits)
}

function isWhole({ type, logical }: ValueType): boolean {
  return type === 'long' || type === 'timestamp' || inner(logical).some(isWhole)
}

function inner(logical: ValueType['logical']): readonly ValueType[] {
  switch (logical?.kind) {
    case 'row':
      return logical.fields
    case 'array':
      return [logical.items]
    case 'map':
      return [logical.values]
    default:
      return []
  }
}
