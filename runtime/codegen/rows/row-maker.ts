import { MillraceError } from '../../model/errors.ts'
import type { Field, Row, Schema } from '../../model/schema.ts'
import { parseValueType, valueTypeText } from '../../model/value-type.ts'
import { compile, js, member, type Code } from '../emitter.ts'
import { valueReader, type ValueReader } from '../../model/logical-values.ts'
import type { RowClass } from './row.ts'

/**
 * Makes a row of the declared schema from a value that a function of the user returned. Throws VALUE_INVALID with the
 * field, its type and the value.
 * Fields that are not declared are left out; a missing field of a nullable type is null.
 */
export type RowMaker = (value: unknown) => Row

/** Generates the maker of one stream. Nothing is converted: a value that does not fit is an error. */
export function compileRowMaker({ fields }: Schema, rowClass: RowClass): RowMaker {
  const values = fields.flatMap((field, index) => [
    js`let v${index} = ${member(js`o`, field.name)}`,
    checkUserValue(field, js`v${index}`, js`o`),
  ])
  return compile<RowMaker>(
    'user row',
    js`
      return function makeRow(o) {
        if (typeof o !== 'object' || o === null) refuseObject(o)
        ${values}
        return new Row(${fields.map((_, index) => js`v${index}`)})
      }`,
    { Row: rowClass, refuseObject, ...USER_VALUE_SCOPE },
  )
}

/**
 * Statements that leave a value of the field's type in the variable, undefined having become null, or throw
 * VALUE_INVALID. `origin` is what it came from; USER_VALUE_SCOPE must be in scope.
 */
export function checkUserValue(field: Field, variable: Code, origin: Code): Code {
  const refuse = (type: string): Code => js`refuseField(${field.name}, ${type}, ${variable}, ${origin})`
  if (field.logical !== undefined) {
    const type = valueTypeText({ ...field, nullable: false })
    return js`
      if (${variable} === undefined || ${variable} === null) {
        ${field.nullable ? js`${variable} = null` : refuse(field.type)}
      } else {
        const fit = fitValue(${type}, ${variable})
        if (fit === undefined) ${refuse(type)}
        ${variable} = fit
      }`
  }
  const wrong = wrongValue(field, variable)
  if (!field.nullable) return js`if (${wrong}) ${refuse(field.type)}`
  return js`
    if (${variable} === undefined) ${variable} = null
    else if (${variable} !== null && ${wrong}) ${refuse(field.type)}`
}

/** A test that is true for everything but a value of the field's type; undefined and null are not values. */
function wrongValue(field: Field, variable: Code): Code {
  switch (field.type) {
    // small integers, the common case, take one comparison
    case 'long':
    case 'timestamp':
      return js`((${variable} | 0) !== ${variable} && !Number.isSafeInteger(${variable}))`
    case 'double':
      return js`(typeof ${variable} !== 'number' || ${variable} - ${variable} !== 0)`
    case 'boolean':
      return js`typeof ${variable} !== 'boolean'`
    case 'string':
      return js`typeof ${variable} !== 'string'`
    case 'json':
      return js`(${variable} === null || !isJson(${variable}, 0))`
  }
}

const DEEPEST_JSON = 200

/** What JSON can say: prints and reads back as the same. */
function isJson(value: unknown, depth: number): boolean {
  if (typeof value === 'object' && value !== null) {
    if (depth > DEEPEST_JSON) return false
    if (Array.isArray(value)) return value.every((item) => isJson(item, depth + 1))
    const prototype: unknown = Object.getPrototypeOf(value)
    return (
      (prototype === Object.prototype || prototype === null) &&
      Object.values(value).every((item) => isJson(item, depth + 1))
    )
  }
  return (
    value === null ||
    typeof value === 'string' ||
    typeof value === 'boolean' ||
    (typeof value === 'number' && Number.isFinite(value))
  )
}

/** What emitted checks of values refer to. */
export const USER_VALUE_SCOPE: Readonly<Record<string, unknown>> = { refuseField, isJson, fitValue }

const READERS = new Map<string, ValueReader>()

/**
 * The value as rows carry it: of bytes also from a Uint8Array or a text of one character per byte; undefined when
 * it does not fit.
 */
function fitValue(typeText: string, value: unknown): unknown {
  if (typeText === 'bytes' && typeof value === 'string') return /^[\0-\xff]*$/.test(value) ? value : undefined
  let read = READERS.get(typeText)
  if (read === undefined) {
    const type = parseValueType(typeText)
    if (type === undefined) throw new MillraceError('TYPE_UNKNOWN', `there is no type ${typeText}`)
    READERS.set(typeText, (read = valueReader(type)))
  }
  return read(value)
}

function refuseObject(value: unknown): never {
  throw new MillraceError('VALUE_INVALID', `the function gave ${shown(value)}, not a row`, { domain: 'user' })
}

/** Refuses a promise and ignores its outcome: a rejection must not end the process. */
export function refusePromise(promise: Promise<unknown>): never {
  promise.catch(() => undefined)
  throw new MillraceError('VALUE_INVALID', 'the function gave a promise', {
    domain: 'user',
    hint: 'only asyncMap waits for its function',
  })
}

function refuseField(name: string, type: string, value: unknown, row: object): never {
  if (row instanceof Promise) refusePromise(row)
  const message =
    value === undefined
      ? `field '${name}' (${type}) is missing`
      : `field '${name}' (${type}) would be ${shown(value)}: ${REASONS[type] ?? `it must be a ${type}`}`
  throw new MillraceError('VALUE_INVALID', message, {
    domain: 'user',
    ...(value instanceof Date ? { hint: 'write getTime(): a timestamp is milliseconds since the epoch' } : {}),
  })
}

const REASONS: Readonly<Record<string, string>> = {
  long: 'it must be an integer of at most 2^53 - 1',
  timestamp: 'it must be whole milliseconds since the epoch',
  double: 'it must be a finite number',
  json: 'it must be something JSON can say',
  bytes: 'it must be a Uint8Array, or a text of one character per byte',
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Date) return 'a Date'
  return typeof value === 'object' && value !== null
    ? 'an object'
    : typeof value === 'bigint'
      ? `${value}n`
      : String(value)
}
