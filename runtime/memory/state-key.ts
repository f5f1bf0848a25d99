import type { Field } from '../model/schema.ts'
import { storageOf } from '../model/type-traits.ts'

/**
 * A key as tables of state know it: the value itself where the key is one number or one text that is never null, a
 * text that holds all fields otherwise.
 */
export type StateKey = number | string

/** True when the key is its one field's value. */
export function isPlainKey(fields: readonly Field[]): boolean {
  const [first, second] = fields
  return first !== undefined && second === undefined && !first.nullable && storageOf(first) !== 'bit'
}

/** True when the key is its one field's value, and that is a number; other keys are texts. */
export function isNumberKey(fields: readonly Field[]): boolean {
  return isPlainKey(fields) && fields[0] !== undefined && storageOf(fields[0]) === 'number'
}
