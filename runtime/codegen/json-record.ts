import { MillraceError } from '../model/errors.ts'
import type { Field, Row, Schema } from '../model/schema.ts'
import { Emitter } from './emitter.ts'
import type { RowClass } from './row.ts'
import { parseIsoTimestamp } from './timestamp-text.ts'

/** What JSON.parse gave → row; throws RECORD_INVALID naming field, expected and found. Also the slow path of the scanner. */
export type RecordReader = (record: unknown) => Row

/** Generates the reader of one stream's parsed JSON records. Missing and null are the same. */
export function compileRecordReader(schema: Schema, rowClass: RowClass): RecordReader {
  const code = new Emitter()
  code.line(`return function readRecord(o) { if (typeof o !== 'object' || o === null || Array.isArray(o)) refuseRecord(o)`)
  schema.fields.forEach((field, index) => {
    const v = `v${index}`
    code.line(`let ${v} = o${code.property(field.name)}`)
    const refuse = `refuseField(${code.literal(field.name)}, ${code.literal(field.type)}, ${v})`
    const read = readStatement(field, v, refuse)
    if (field.nullable) code.line(`if (${v} === undefined || ${v} === null) ${v} = null; else { ${read} }`)
    else code.line(`if (${v} === undefined || ${v} === null) ${refuse}; ${read}`)
  })
  code.line(`return new Row(${schema.fields.map((_, index) => `v${index}`).join(', ')}) }`)
  return code.compile<RecordReader>({ Row: rowClass, refuseField, refuseRecord, parseIso: parseIsoTimestamp })
}

function readStatement(field: Field, v: string, refuse: string): string {
  switch (field.type) {
    // + 0 makes -0 the 0 that it is as a key
    case 'long': return `if (!Number.isSafeInteger(${v})) ${refuse}; ${v} += 0`
    case 'double': return `if (typeof ${v} !== 'number' || ${v} - ${v} !== 0) ${refuse}; ${v} += 0`
    case 'boolean': return `if (typeof ${v} !== 'boolean') ${refuse}`
    case 'string': return `if (typeof ${v} !== 'string') ${refuse}`
    case 'timestamp': return `if (typeof ${v} === 'string') { const t = parseIso(${v}); if (t === undefined) ${refuse}; ${v} = t } else { if (!Number.isSafeInteger(${v})) ${refuse}; ${v} += 0 }`
    case 'json': return ''
  }
}

const EXPECTED: Readonly<Record<Field['type'], string>> = {
  long: 'an integer of at most 2^53 - 1', double: 'a finite number', boolean: 'true or false', string: 'a string',
  timestamp: 'epoch milliseconds or ISO 8601', json: 'a JSON value',
}

function refuseField(name: string, type: Field['type'], value: unknown): never {
  const found = value === undefined ? 'nothing' : clipped(JSON.stringify(value))
  throw new MillraceError('RECORD_INVALID', `field '${name}' (${type}) must be ${EXPECTED[type]}, found ${found}`, { domain: 'user' })
}

function refuseRecord(value: unknown): never {
  throw new MillraceError('RECORD_INVALID', `a record must be a JSON object, found ${clipped(JSON.stringify(value) ?? 'nothing')}`, { domain: 'user' })
}

/** Enough of a text to recognize it in a log. */
export function clipped(text: string): string {
  return text.length <= 120 ? text : `${text.slice(0, 120)}…`
}
