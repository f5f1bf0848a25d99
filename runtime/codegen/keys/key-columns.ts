import type { Field } from '../../model/schema.ts'
import type { Column } from '../../memory/columns.ts'
import { type Code, js } from '../emitter.ts'
import { storageOf } from '../../model/type-traits.ts'

/** A column of a generated table. */
export interface GeneratedColumn extends Column {
  /** Makes the empty object of a Whole column; it has `clear`. */
  create?: Code
}

/** The value of a key field as its column holds it (keyColumns in memory/columns.ts). */
export function storedKey(field: Field, value: Code): Code {
  switch (storageOf(field)) {
    case 'text':
      return value
    case 'bit':
      return field.nullable ? js`(${value} === null ? 2 : ${value} ? 1 : 0)` : js`(${value} ? 1 : 0)`
    default:
      return field.nullable ? js`(${value} === null ? Infinity : ${value} + 0)` : js`${value} + 0`
  }
}

/** The value of a key field of entry e of table t. `textAt(offset, length)` gives code for the text of a string. */
export function keyResult(field: Field, index: number, textAt: (offset: Code, length: Code) => Code): Code {
  const number = js`t.k${index}[e]`
  switch (storageOf(field)) {
    case 'text': {
      const text = textAt(js`t.o${index}[e]`, js`t.l${index}[e]`)
      return field.nullable ? js`t.l${index}[e] < 0 ? null : ${text}` : text
    }
    case 'bit':
      return field.nullable ? js`${number} === 2 ? null : ${number} === 1` : js`${number} === 1`
    default:
      return field.nullable ? js`${number} === Infinity ? null : ${number}` : number
  }
}
