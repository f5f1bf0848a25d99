import { MillraceError } from '../../model/errors.ts'
import { type Field, fieldsOf, type Schema } from '../../model/schema.ts'
import { isNumberKey } from '../state-key.ts'
import { storageOf } from '../../model/type-traits.ts'

/*
 * A record, little-endian, 8-byte aligned in its segment. Words of 4 bytes:
 *   0        units of 8 bytes (0: all of its segment) | kind << 20 | ONE_BYTE, BOXED
 *   1        the hash that places it in the index
 *   2…       numbers as f64: time of the last write, sequence number, the key and the user key where they are numbers,
 *            then the row's numeric fields (0 where null)
 *   then     of a list the address of the record before it, which means something in this process only
 *   then     one bit per nullable field (null) and per boolean (its value), filled up to words
 *   then     lengths of the texts in UTF-16 units, two to a word
 *   then     the texts in UTF-8 behind each other: key, user key, the row's strings, json as its text
 * ONE_BYTE: as many bytes as characters. BOXED: a text over 65 535 units or with a lone surrogate; the first length
 * word counts the bytes of a JSON array of all texts.
 */
export const UNITS = 0xfffff
/** Where in word 0 the kind stands. */
export const KIND_SHIFT = 20
export const KIND = 3
/** Replaces the records under the key; appends to the list under the key; removes the records under the key. */
export const VALUE = 0,
  APPEND = 1,
  TOMBSTONE = 2
export const ONE_BYTE = 1 << 22,
  BOXED = 1 << 23

/** The shape of a table's records. */
export interface RecordShape {
  key: readonly Field[]
  /** Fields of the row that carry the key, in its order; absent: the key is kept beside the row. */
  keyIn?: readonly string[]
  /** A second key. */
  user?: 'number' | 'text'
  schema: Schema
  /** Each record carries the time of its last write. */
  timed: boolean
  /** Each record carries a sequence number. */
  sequenced: boolean
  /** Several records under a key, in order. */
  chained: boolean
  /** Its records stay in memory whatever the limit. */
  resident?: boolean
}

/** Something that is kept as text: the key, the user key, or a field of the row. */
export interface Text {
  of: 'key' | 'user' | Field
}

export interface RecordLayout {
  /** Fields of the row that are the key; undefined when it is kept beside the row. */
  keyFields: readonly Field[] | undefined
  /** How a key kept beside the row is kept. */
  keyKind: 'number' | 'text' | 'in row'
  /** Places among the numbers. */
  numbers: ReadonlyMap<'at' | 'seq' | 'key' | 'user' | Field, number>
  /** Bits by field: null and value. */
  bits: ReadonlyMap<Field, { isNull?: number; isTrue?: number }>
  texts: readonly Text[]
  previousWord: number
  bitsWord: number
  bitsWords: number
  lengthsWord: number
  /** Bytes before the texts. */
  fixedBytes: number
}

export function layoutOf(spec: RecordShape): RecordLayout {
  const keyFields = spec.keyIn === undefined ? undefined : fieldsOf(spec.schema, spec.keyIn)
  keyFields?.forEach((field, index) => {
    checkKeyField(field, spec.key[index])
  })
  const keyKind = keyFields !== undefined ? 'in row' : isNumberKey(spec.key) ? 'number' : 'text'
  const numbers = new Map<'at' | 'seq' | 'key' | 'user' | Field, number>()
  const number = (of: 'at' | 'seq' | 'key' | 'user' | Field): void => {
    numbers.set(of, numbers.size)
  }
  if (spec.timed) number('at')
  if (spec.sequenced) number('seq')
  if (keyKind === 'number') number('key')
  if (spec.user === 'number') number('user')
  const texts: Text[] = [
    ...(keyKind === 'text' ? [{ of: 'key' } as const] : []),
    ...(spec.user === 'text' ? [{ of: 'user' } as const] : []),
  ]
  const bits = new Map<Field, { isNull?: number; isTrue?: number }>()
  let bit = 0
  for (const field of spec.schema.fields) {
    if (storageOf(field) === 'number') number(field)
    else if (storageOf(field) !== 'bit') texts.push({ of: field })
    bits.set(field, {
      ...(field.nullable ? { isNull: bit++ } : {}),
      ...(storageOf(field) === 'bit' ? { isTrue: bit++ } : {}),
    })
  }
  const previousWord = 2 + numbers.size * 2
  const bitsWord = previousWord + (spec.chained ? 1 : 0)
  const bitsWords = (bit + 31) >> 5
  const lengthsWord = bitsWord + bitsWords
  return {
    keyFields,
    keyKind,
    numbers,
    bits,
    texts,
    previousWord,
    bitsWord,
    bitsWords,
    lengthsWord,
    fixedBytes: (lengthsWord + ((texts.length + 1) >> 1)) * 4,
  }
}

function checkKeyField(field: Field, key: Field | undefined): void {
  if (field.type === key?.type && field.nullable === key.nullable) return
  throw new MillraceError(
    'STATE_KEY_INVALID',
    `field ${field.name} of the rows is ${field.type}${field.nullable ? ', nullable' : ''}; the key it is to carry is ${key?.type ?? 'not there'}${key?.nullable === true ? ', nullable' : ''}`,
  )
}
