import type { Field } from '../model/schema.ts'

/** Its value is kept as text. */
export function isText({ type }: Field): boolean {
  return type === 'string' || type === 'json'
}

/** Words before the text of a record: time and numbers as doubles, then flags, bytes of text, lengths, booleans. */
export function recordHead(fields: readonly Field[]): {
  numbers: readonly number[]
  others: readonly number[]
  words: number
} {
  const all = fields.map((_, index) => index)
  const numbers = all.filter((index) => !isText(fields[index] as Field) && fields[index]?.type !== 'boolean')
  const others = all.filter((index) => !numbers.includes(index))
  return { numbers, others, words: 2 + numbers.length * 2 + 2 + others.length }
}
