import { clipped } from '../../model/clipped.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Field, LogicalType, Row, Schema } from '../../model/schema.ts'
import { valueTypeText } from '../../model/value-type.ts'
import { compile, js, member, NOTHING, type Code } from '../emitter.ts'
import { JsonNumber } from '../../model/json-digits.ts'
import { valueReader } from '../../model/logical-values.ts'
import type { RowClass } from '../rows/row.ts'
import { parseIsoTimestamp } from '../../model/timestamp-text.ts'

/**
 * Makes a row of a value that a JsonParser gave; throws RECORD_INVALID with the field, what was expected and what was
 * found. It is also the slow path of the scanner.
 */
export type RecordReader = (record: unknown) => Row

/** Generates the reader of one stream's parsed JSON records. Missing and null are the same. */
export function compileRecordReader({ fields }: Schema, rowClass: RowClass): RecordReader {
  const readers = fields.flatMap((field, index) =>
    field.logical === undefined ? [] : [[`read${index}`, valueReader(field)] as const],
  )
  const refuseField = (index: number, value: unknown): never => refuse(fields[index], value)
  const plainReaders = fields.map(valueReader)
  const readNumber = (index: number, value: unknown): unknown =>
    (value instanceof JsonNumber ? plainReaders[index]?.(value) : undefined) ?? refuseField(index, value)
  return compile<RecordReader>(
    'json record',
    js`
      return function readRecord(o) {
        if (typeof o !== 'object' || o === null || Array.isArray(o)) refuseRecord(o)
        ${fields.map(readField)}
        return new Row(${fields.map((_, index) => js`v${index}`)})
      }`,
    {
      Row: rowClass,
      refuseField,
      readNumber,
      refuseRecord,
      parseIso: parseIsoTimestamp,
      ...Object.fromEntries(readers),
    },
  )
}

function readField(field: Field, index: number): Code {
  const value = js`v${index}`
  const refuse = js`refuseField(${index}, ${value})`
  const readLogical = js`
    const w${index} = read${index}(${value})
    if (w${index} === undefined) ${refuse}
    ${value} = w${index}`
  const read = field.logical === undefined ? readPlain(field, index, value, refuse) : readLogical
  const orNull = js`
    if (${value} === undefined || ${value} === null) ${value} = null
    else {
      ${read}
    }`
  const orRefuse = js`
    if (${value} === undefined || ${value} === null) ${refuse}
    ${read}`
  return js`
    let ${value} = ${member(js`o`, field.name)}
    ${field.nullable ? orNull : orRefuse}`
}

function readPlain(field: Field, index: number, value: Code, refuse: Code): Code {
  const readNumber = js`${value} = readNumber(${index}, ${value})`
  const readInteger = js`
    if (!Number.isSafeInteger(${value})) ${readNumber}
    ${value} += 0`
  switch (field.type) {
    // + 0 makes -0 the 0 that it is as a key
    case 'long':
      return readInteger
    case 'double':
      return js`
        if (typeof ${value} !== 'number' || ${value} - ${value} !== 0) ${readNumber}
        ${value} += 0`
    case 'boolean':
      return js`if (typeof ${value} !== 'boolean') ${refuse}`
    case 'string':
      return js`if (typeof ${value} !== 'string') ${refuse}`
    case 'timestamp':
      return js`
        if (typeof ${value} === 'string') {
          const t = parseIso(${value})
          if (t === undefined) ${refuse}
          ${value} = t
        } else {
          ${readInteger}
        }`
    case 'json':
      return NOTHING
  }
}

const EXPECTED: Readonly<Record<Field['type'], string>> = {
  long: 'an integer of at most 2^53 - 1 (bigint has 64 bits)',
  double: 'a finite number',
  boolean: 'true or false',
  string: 'a string',
  timestamp: 'epoch milliseconds or ISO 8601',
  json: 'a JSON value',
}

const LOGICAL: Readonly<Record<LogicalType['kind'], string>> = {
  date: 'a day as YYYY-MM-DD or days since 1970-01-01',
  time: 'a time of day as HH:MM:SS.sss or milliseconds since midnight',
  bigint: 'a whole number of 64 bits',
  bytes: 'base64',
  decimal: 'a number of no more digits than that',
  array: 'an array of such values',
  map: 'an object of such values',
  row: 'an object of such fields',
}

/** Throws RECORD_INVALID for a value that the field cannot take. */
function refuse(field: Field | undefined, value: unknown): never {
  const found = value === undefined ? 'nothing' : clipped(shown(value))
  const said =
    field === undefined
      ? 'a field'
      : `field '${field.name}' (${valueTypeText({ ...field, nullable: false })}) must be ${field.logical === undefined ? EXPECTED[field.type] : LOGICAL[field.logical.kind]}`
  throw new MillraceError('RECORD_INVALID', `${said}, found ${found}`, { domain: 'user' })
}

function refuseRecord(value: unknown): never {
  throw new MillraceError(
    'RECORD_INVALID',
    `a record must be a JSON object, found ${clipped(JSON.stringify(value) ?? 'nothing')}`,
    { domain: 'user' },
  )
}

/** As JSON, but a number such as 1e400, which JSON.parse reads as infinity, is not shown as null. */
function shown(value: unknown): string {
  if (value instanceof JsonNumber)
    return Number.isFinite(Number(value.digits)) ? value.digits : `${value.digits} (a number beyond 1.8e308)`
  if (typeof value === 'number' && !Number.isFinite(value)) return `${value} (a number beyond 1.8e308)`
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'number' && !Number.isFinite(inner) ? String(inner) : inner,
  )
}
