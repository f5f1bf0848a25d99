import type { Field } from '../model/schema.ts'
import { storageOf } from '../model/type-traits.ts'

/** Words before the text of a record: time and numbers as doubles, then flags, bytes of text, lengths, booleans. */
export function recordHead(fields: readonly Field[]): {
  numbers: readonly number[]
  others: readonly number[]
  words: number
} {
  const all = fields.map((_, index) => index)
  const numbers = all.filter((index) => storageOf(fields[index] as Field) === 'number')
  const others = all.filter((index) => !numbers.includes(index))
  return { numbers, others, words: 2 + numbers.length * 2 + 2 + others.length }
}
