import type { Field } from '../model/schema.ts'

/**
 * A key as tables of state know it: the value itself where the key is one number or one text that is never null, a
 * text that holds all fields otherwise.
 */
export type StateKey = number | string

/** True when the key is its one field's value. */
export function isPlainKey(fields: readonly Field[]): boolean {
  const [first, second] = fields
  return first !== undefined && second === undefined && !first.nullable && first.type !== 'boolean'
}
