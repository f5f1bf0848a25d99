import type { FieldType } from './schema.ts'

/**
 * How rows, frames and state hold the values of a type. number: as f64. bit: one bit. text: a string. json: any JSON
 * value, as its text outside of rows.
 */
export type Storage = 'number' | 'bit' | 'text' | 'json'

export interface TypeTraits {
  readonly storage: Storage
  /** Equal values can be found, so that rows can be grouped and distributed by them. */
  readonly hasEquality: boolean
  /** Values have the order of their numbers, so that rows can be ranked by them. */
  readonly isRanked: boolean
}

/**
 * Everything about a type that does not depend on a format. To add a type that is held as others are, add its line here
 * and follow the compiler through the switches of formats and expressions.
 */
const TRAITS: Readonly<Record<FieldType, TypeTraits>> = {
  long: { storage: 'number', hasEquality: true, isRanked: true },
  double: { storage: 'number', hasEquality: true, isRanked: true },
  boolean: { storage: 'bit', hasEquality: true, isRanked: false },
  string: { storage: 'text', hasEquality: true, isRanked: false },
  timestamp: { storage: 'number', hasEquality: true, isRanked: true },
  json: { storage: 'json', hasEquality: false, isRanked: false },
}

/** Whatever has a type: a field, an expression. */
interface Typed {
  readonly type: FieldType
}

export function traitsOf({ type }: Typed): TypeTraits {
  return TRAITS[type]
}

export function storageOf({ type }: Typed): Storage {
  return TRAITS[type].storage
}

/** True for values that are kept as a text: strings, and JSON as it is printed. */
export function isKeptAsText(typed: Typed): boolean {
  const storage = storageOf(typed)
  return storage === 'text' || storage === 'json'
}
