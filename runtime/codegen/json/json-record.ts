import { MillraceError } from '../../model/errors.ts'
import type { Field, LogicalType, Row, Schema } from '../../model/schema.ts'
import { valueTypeText } from '../../model/value-type.ts'
import { Emitter } from '../emitter.ts'
import { valueReader } from '../../model/logical-values.ts'
import type { RowClass } from '../rows/row.ts'
import { parseIsoTimestamp } from '../../model/timestamp-text.ts'

/**
 * What JSON.parse gave → row; throws RECORD_INVALID naming field, expected and found. Also the slow path of the
 * scanner.
 */
export type RecordReader = (record: unknown) => Row

/** Generates the reader of one stream's parsed JSON records. Missing and null are the same. */
export function compileRecordReader(schema: Schema, rowClass: RowClass): RecordReader {
  const code = new Emitter()
  code.line(
    `return function readRecord(o) { if (typeof o !== 'object' || o === null || Array.isArray(o)) refuseRecord(o)`,
  )
  schema.fields.forEach((field, index) => {
    const v = `v${index}`
    code.line(`let ${v} = o${code.property(field.name)}`)
    const refuse = `refuseField(${index}, ${v})`
    const read =
      field.logical === undefined
        ? readStatement(field, v, refuse)
        : `const w${index} = read${index}(${v}); if (w${index} === undefined) ${refuse}; ${v} = w${index}`
    if (field.nullable) code.line(`if (${v} === undefined || ${v} === null) ${v} = null; else { ${read} }`)
    else code.line(`if (${v} === undefined || ${v} === null) ${refuse}; ${read}`)
  })
  code.line(`return new Row(${schema.fields.map((_, index) => `v${index}`).join(', ')}) }`)
  const readers = schema.fields.flatMap((field, index) =>
    field.logical === undefined ? [] : [[`read${index}`, valueReader(field)] as const],
  )
  const refuseField = (index: number, value: unknown): never => refuse(schema.fields[index], value)
  return code.compile<RecordReader>({
    Row: rowClass,
    refuseField,
    refuseRecord,
    parseIso: parseIsoTimestamp,
    ...Object.fromEntries(readers),
  })
}

function readStatement(field: Field, v: string, refuse: string): string {
  switch (field.type) {
    // + 0 makes -0 the 0 that it is as a key
    case 'long':
      return `if (!Number.isSafeInteger(${v})) ${refuse}; ${v} += 0`
    case 'double':
      return `if (typeof ${v} !== 'number' || ${v} - ${v} !== 0) ${refuse}; ${v} += 0`
    case 'boolean':
      return `if (typeof ${v} !== 'boolean') ${refuse}`
    case 'string':
      return `if (typeof ${v} !== 'string') ${refuse}`
    case 'timestamp':
      return `if (typeof ${v} === 'string') { const t = parseIso(${v}); if (t === undefined) ${refuse}; ${v} = t } else { if (!Number.isSafeInteger(${v})) ${refuse}; ${v} += 0 }`
    case 'json':
      return ''
  }
}

const EXPECTED: Readonly<Record<Field['type'], string>> = {
  long: 'an integer of at most 2^53 - 1',
  double: 'a finite number',
  boolean: 'true or false',
  string: 'a string',
  timestamp: 'epoch milliseconds or ISO 8601',
  json: 'a JSON value',
}

const LOGICAL: Readonly<Record<LogicalType['kind'], string>> = {
  date: 'a day as YYYY-MM-DD or days since 1970-01-01',
  bytes: 'base64',
  decimal: 'a number of no more digits than that',
  array: 'an array of such values',
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

/** As JSON, but what JSON.parse makes of a number such as 1e400 is no null. */
function shown(value: unknown): string {
  if (typeof value === 'number' && !Number.isFinite(value)) return `${value} (a number beyond 1.8e308)`
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'number' && !Number.isFinite(inner) ? String(inner) : inner,
  )
}

/** Enough of a text to recognize it in a log. */
export function clipped(text: string): string {
  return text.length <= 120 ? text : `${text.slice(0, 120)}…`
}
