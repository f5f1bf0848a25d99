import type { Field } from '../../model/schema.ts'

/** The value of a key field as its column holds it. */
export function storedKey(field: Field, value: string): string {
  switch (field.type) {
    case 'string':
      return value
    case 'boolean':
      return field.nullable ? `(${value} === null ? 2 : ${value} ? 1 : 0)` : `(${value} ? 1 : 0)`
    default:
      return field.nullable ? `(${value} === null ? Infinity : ${value} + 0)` : `${value} + 0`
  }
}

/** The value of a key field of entry e of table t. `textAt(offset, length)` gives code for the text of a string. */
export function keyResult(field: Field, index: number, textAt: (offset: string, length: string) => string): string {
  switch (field.type) {
    case 'string':
      return `${field.nullable ? `t.l${index}[e] < 0 ? null : ` : ''}${textAt(`t.o${index}[e]`, `t.l${index}[e]`)}`
    case 'boolean':
      return field.nullable ? `t.k${index}[e] === 2 ? null : t.k${index}[e] === 1` : `t.k${index}[e] === 1`
    default:
      return field.nullable ? `t.k${index}[e] === Infinity ? null : t.k${index}[e]` : `t.k${index}[e]`
  }
}
