import type { Columns } from '../../memory/batch.ts'
import type { Field, Row, Schema } from '../../model/schema.ts'
import { storageOf } from '../../model/type-traits.ts'
import { type Code, compile, js, lines } from '../emitter.ts'
import type { RowClass } from './row.ts'

/** Makes the rows at [0, count) of columns. */
export type ColumnRows = (columns: Columns, count: number) => Row[]

export function compileColumnRows({ fields }: Schema, rowClass: RowClass): ColumnRows {
  return compile<ColumnRows>(
    'rows of columns',
    js`
      return function rowsOf(columns, count) {
        const rows = []
        ${fields.map(openColumn)}
        for (let i = 0; i < count; i++) rows.push(new Row(${fields.map(valueOf)}))
        return rows
      }`,
    { Row: rowClass, textOf },
  )
}

function openColumn(field: Field, place: number): Code {
  const nulls = js`const n${place} = columns.nulls(${place})`
  switch (storageOf(field)) {
    case 'number':
      return lines([js`const c${place} = columns.numbers(${place})`, nulls])
    case 'bit':
      return lines([js`const c${place} = columns.bits(${place})`, nulls])
    default:
      return lines([js`const c${place} = columns.texts(${place})`, nulls])
  }
}

function valueOf(field: Field, place: number): Code {
  const value = presentValue(field, js`c${place}`)
  return field.nullable
    ? js`n${place} !== undefined && (n${place}[i >> 3] & 1 << (i & 7)) !== 0 ? null : ${value}`
    : value
}

function presentValue(field: Field, column: Code): Code {
  switch (storageOf(field)) {
    case 'number':
      return js`${column}[i]`
    case 'bit':
      return js`${column}[i] === 1`
    case 'text':
      return js`textOf(${column}.bytes, ${column}.starts[i], ${column}.ends[i])`
    default:
      return js`JSON.parse(textOf(${column}.bytes, ${column}.starts[i], ${column}.ends[i]))`
  }
}

function textOf({ buffer, byteOffset }: Uint8Array, from: number, end: number): string {
  return from === end ? '' : Buffer.from(buffer, byteOffset + from, end - from).toString('latin1')
}
