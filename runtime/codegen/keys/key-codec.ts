import { MillraceError } from '../../model/errors.ts'
import type { Field, Row } from '../../model/schema.ts'
import { type Code, compile, joined, js, property } from '../emitter.ts'
import { isPlainKey, type StateKey } from '../../memory/state-key.ts'
import { storageOf, traitsOf } from '../../model/type-traits.ts'

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
    if (!traitsOf(field).hasEquality)
      throw new MillraceError('KEY_TYPE_UNSUPPORTED', `field '${field.name}' is json and cannot be a key`, {
        domain: 'user',
      })
  }
  if (isPlainKey(fields)) {
    const value = js`r${property(first.name)}`
    const of = compile<KeyCodec['of']>(
      'key',
      js`return function keyOf(r) { return ${storageOf(first) === 'text' ? value : js`${value} + 0`} }`,
    )
    return { of, values: (key) => [key] }
  }
  const of = compile<KeyCodec['of']>(
    'key',
    js`
      return function keyOf(r) {
        ${fields.map((field, index) => js`const v${index} = r${property(field.name)}`)}
        return ${joined(fields.map(fieldText), ' + ')}
      }`,
  )
  return { of, values: (key) => readKey(String(key), fields) }
}

function fieldText(field: Field, index: number): Code {
  const value = js`v${index}`
  const text =
    storageOf(field) === 'text'
      ? js`${value}.length + ':' + ${value}`
      : storageOf(field) === 'bit'
        ? js`(${value} ? 't' : 'f')`
        : js`(${value} + ';')`
  return field.nullable ? js`(${value} === null ? '~' : ${text})` : text
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
    if (storageOf(field) === 'bit') return key[at++] === 't'
    if (storageOf(field) !== 'text') return Number(until(';'))
    const start = Number(until(':'))
    at += start
    return key.slice(at - start, at)
  })
  if (at !== key.length) throw corrupt(key)
  return values
}

function corrupt(key: string): MillraceError {
  return new MillraceError('STATE_CORRUPT', `${JSON.stringify(key.slice(0, 80))} is not a key of this table`)
}
