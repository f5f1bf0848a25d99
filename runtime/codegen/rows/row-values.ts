import type { Field } from '../../model/schema.ts'
import { type Code, js, property } from '../emitter.ts'
import { storageOf } from '../../model/type-traits.ts'

/** The text that is kept of a field of row r; null where it is null. */
export function textValue(field: Field): Code {
  const value = js`r${property(field.name)}`
  if (storageOf(field) !== 'json') return value
  return field.nullable ? js`${value} === null ? null : printJson(${value})` : js`printJson(${value})`
}

/** The length of text s`index` as it is stored: -1 for null. */
export function textLength(field: Field, index: number): Code {
  return field.nullable ? js`s${index} === null ? -1 : s${index}.length` : js`s${index}.length`
}

/** Text s`index`, empty for null. */
export function presentText(field: Field, index: number): Code {
  return field.nullable ? js`(s${index} === null ? '' : s${index})` : js`s${index}`
}

/** A boolean of row r as it is stored: 2 for null. */
export function booleanByte(field: Field): Code {
  const value = js`r${property(field.name)}`
  return field.nullable ? js`${value} === null ? 2 : ${value} ? 1 : 0` : js`${value} ? 1 : 0`
}
