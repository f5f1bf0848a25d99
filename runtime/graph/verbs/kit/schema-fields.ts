import { describe, join, type Problems } from '../../problems.ts'
import { suggestion } from '../../../expressions/suggest.ts'
import { isFieldName, namedField, type Field, type Schema } from '../../../model/schema.ts'
import { KNOWN_TYPES, parseValueType } from '../../../model/value-type.ts'

export const MAX_FIELDS = 256
/** Of the text of a type: a row of some thousand fields. */
const MAX_TYPE_CHARACTERS = 65_536

/** `{ price: long, delay: double? }` → Schema. */
export function readSchema(value: unknown, path: string, problems: Problems): Schema | undefined {
  const written = problems.fields(value, path)
  if (written === undefined) return undefined
  const names = Object.keys(written)
  if (names.length === 0 || names.length > MAX_FIELDS) {
    problems.report('TOO_LARGE', path, `has ${names.length} fields, 1 to ${MAX_FIELDS} are taken`)
    return undefined
  }
  const fields = names.map((name) => readField(name, written[name], join(path, name), problems))
  const sound = fields.filter((field) => field !== undefined)
  return sound.length < fields.length ? undefined : { fields: sound }
}

export function readField(name: string, type: unknown, path: string, problems: Problems): Field | undefined {
  if (!checkFieldName(name, path, problems)) return undefined
  if (typeof type !== 'string') {
    problems.report(
      'TYPE_MISMATCH',
      path,
      `must be a type, not ${describe(type)}`,
      `known here: ${KNOWN_TYPES.join(', ')}`,
    )
    return undefined
  }
  if (type.length > MAX_TYPE_CHARACTERS) {
    problems.report('TOO_LARGE', path, `has ${type.length} characters, at most ${MAX_TYPE_CHARACTERS} are taken`)
    return undefined
  }
  const known = parseValueType(type)
  if (known === undefined) problems.report('UNKNOWN_TYPE', path, `there is no type ${describe(type)}`, typeHint(type))
  return known === undefined ? undefined : namedField(name, known)
}

/** What other systems call the types. */
const TYPES_ELSEWHERE: readonly (readonly [type: string, names: RegExp])[] = [
  ['long (up to 2^53) or bigint (64 bits)', /^u?int(eger)?64$/],
  ['long', /^u?(tiny|small)?int(eger)?(8|16|32)?$|^short$|^byte$|^number$/],
  ['map<type>: its keys are texts', /^map\b/],
  ['double', /^(float|real)(32|64)?$/],
  ['string', /^(var)?char(\(\d+\))?$|^text$|^str$|^uuid$/],
  ['boolean', /^bool$/],
  ['timestamp', /^timestamp(_ltz)?(\(\d\))?$|^datetime$/],
  ['bytes', /^(var)?binary(\(\d+\))?$|^blob$/],
  ['decimal(10,2): up to 38 digits, so many of them behind the point', /^(decimal|numeric)\b/],
  ['json', /^multiset\b|^(object|any|variant)$/],
  ['array<type>', /^(array|list)\b/],
  ["'row{name: type}'", /^(row|struct|record)\b/],
]

function typeHint(written: string): string | undefined {
  const name = written.replace(/\?$/, '').trim().toLowerCase()
  const inner = /^array<(.*)>$/.exec(name)?.[1]
  const meant = TYPES_ELSEWHERE.find(([, names]) => names.test(inner ?? name))?.[0]
  return meant === undefined
    ? suggestion(name, KNOWN_TYPES)
    : `write ${inner === undefined ? meant : `array<${meant}>`}`
}

const HINTS = {
  truth: 'kubectl takes an unquoted y, n, yes, no, on or off for true or false: write it in quotes',
  prototype: 'JavaScript takes { __proto__: … } for the prototype of the object that a function writes: rename it',
  form: 'letters, digits and _, no digit first',
} as const

/** Names of fields are written into generated code and must be plain identifiers. */
export function checkFieldName(name: string, path: string, problems: Problems): boolean {
  if (isFieldName(name)) return true
  const hint = HINTS[name === '__proto__' ? 'prototype' : name === 'true' || name === 'false' ? 'truth' : 'form']
  problems.report('FIELD_NAME_INVALID', path, `${describe(name)} cannot be a field name`, hint)
  return false
}
