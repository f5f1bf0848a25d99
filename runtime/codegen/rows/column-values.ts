import type { Field } from '../../model/schema.ts'
import { isKeptAsText, storageOf } from '../../model/type-traits.ts'
import { type Code, js, lines, NOTHING } from '../emitter.ts'

/** The variable that `readValue` declares. */
export function valueName(place: number): Code {
  return js`r${place}`
}

/** The variables of a column: `col` its values, `nul` its nulls; of texts `bytes`, `starts` and `ends`. */
export function columnNames(field: Field, place: number): Code[] {
  const nulls = field.nullable ? [js`nul${place}`] : []
  return isKeptAsText(field)
    ? [js`bytes${place}`, js`starts${place}`, js`ends${place}`, ...nulls]
    : [js`col${place}`, ...nulls]
}

/** Sets these variables, which are declared, from `columns`. */
export function openColumn(field: Field, place: number): Code {
  const nulls = field.nullable ? js`nul${place} = columns.nulls(${place})` : NOTHING
  if (isKeptAsText(field))
    return js`
      bytes${place} = columns.texts(${place}).bytes
      starts${place} = columns.texts(${place}).starts
      ends${place} = columns.texts(${place}).ends
      ${nulls}`
  const values = storageOf(field) === 'bit' ? js`columns.bits(${place})` : js`columns.numbers(${place})`
  return lines([js`col${place} = ${values}`, nulls])
}

/** The test that the field is null in a row. */
export function isNullAt(place: number, row = js`i`): Code {
  return js`nul${place} !== undefined && (nul${place}[${row} >> 3] & 1 << (${row} & 7)) !== 0`
}

/** Declares the value in a row; of a text null, or '' in place of it. */
export function readValue(field: Field, place: number, row = js`i`): Code {
  const present = storageOf(field) === 'bit' ? js`col${place}[${row}] === 1` : js`col${place}[${row}]`
  const value = isKeptAsText(field) ? js`''` : present
  return js`const ${valueName(place)} = ${field.nullable ? js`${isNullAt(place, row)} ? null : ${value}` : value}`
}
