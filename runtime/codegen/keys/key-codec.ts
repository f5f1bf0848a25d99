import { MillraceError } from '../../model/errors.ts'
import type { Field, Row } from '../../model/schema.ts'
import { Emitter } from '../emitter.ts'
import { isPlainKey, type StateKey } from '../../memory/state-key.ts'

/** Generated for one list of key fields. Equal keys give equal StateKeys, different keys different ones. */
export interface KeyCodec {
  /** The key of a row that has the fields. */
  of(row: Row): StateKey
  /** The values of the key's fields, in their order; the inverse of `of` (-0 comes back as 0). */
  values(key: StateKey): readonly unknown[]
}

/*
 * The text of a key that is not its own value, field after field:
 *   null     ~
 *   number   as JavaScript prints it (which reads back as the same number), then ;
 *   boolean  t or f
 *   string   its length in UTF-16 units, then :, then the units
 */

/** Throws KEY_MISSING without fields and KEY_TYPE_UNSUPPORTED for json, which has no equality. */
export function compileKeyCodec(fields: readonly Field[]): KeyCodec {
  const [first] = fields
  if (first === undefined) throw new MillraceError('KEY_MISSING', 'a key codec needs at least one key field')
  for (const field of fields) {
    if (field.type === 'json')
      throw new MillraceError('KEY_TYPE_UNSUPPORTED', `field '${field.name}' is json and cannot be a key`, {
        domain: 'user',
      })
  }
  const code = new Emitter()
  if (isPlainKey(fields)) {
    code.line(
      `return function keyOf(r) { return r${code.property(first.name)}${first.type === 'string' ? '' : ' + 0'} }`,
    )
    return { of: code.compile<KeyCodec['of']>({}), values: (key) => [key] }
  }
  code.line(`return function keyOf(r) {`)
  fields.forEach((field, index) => {
    code.line(`const v${index} = r${code.property(field.name)}`)
  })
  code.line(`return ${fields.map(fieldText).join(' + ')} }`)
  return { of: code.compile<KeyCodec['of']>({}), values: (key) => readKey(String(key), fields) }
}

function fieldText(field: Field, index: number): string {
  const value = `v${index}`
  const text =
    field.type === 'string'
      ? `${value}.length + ':' + ${value}`
      : field.type === 'boolean'
        ? `(${value} ? 't' : 'f')`
        : `(${value} + ';')`
  return field.nullable ? `(${value} === null ? '~' : ${text})` : text
}

function readKey(key: string, fields: readonly Field[]): readonly unknown[] {
  let at = 0
  const until = (mark: string): string => {
    const end = key.indexOf(mark, at)
    if (end < 0) throw corrupt(key)
    const text = key.slice(at, end)
    at = end + 1
    return text
  }
  const values = fields.map((field): unknown => {
    if (key[at] === '~' && field.nullable) {
      at++
      return null
    }
    if (field.type === 'boolean') return key[at++] === 't'
    if (field.type !== 'string') return Number(until(';'))
    const start = Number(until(':'))
    at += start
    return key.slice(at - start, at)
  })
  if (at !== key.length) throw corrupt(key)
  return values
}

function corrupt(key: string): MillraceError {
  return new MillraceError('STATE_CORRUPT', `${JSON.stringify(key.slice(0, 80))} is no key of this table`)
}
