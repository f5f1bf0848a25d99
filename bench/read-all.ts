import { compile, js, property, type Code } from '../runtime/codegen/emitter.ts'
import type { Columns } from '../runtime/memory/batch.ts'
import type { Field, Row, Schema } from '../runtime/model/schema.ts'

/**
 * Reads every field of rows[0..count), so that nothing computed can be left out: longs, and length and three
 * characters of texts, as the Flink baseline does.
 */
export type ReadAll = (rows: readonly Row[], count: number) => number

export function compileReadAll({ fields }: Schema): ReadAll {
  return compile<ReadAll>(
    'read all',
    js`
      return function readAll(rows, count) {
        let sum = 0
        for (let i = 0; i < count; i++) {
          const r = rows[i]
          ${fields.map(readField)}
        }
        return sum
      }`,
  )
}

/** The same of a batch that has columns. */
export type ReadColumns = (columns: Columns, count: number) => number

export function compileReadColumns({ fields }: Schema): ReadColumns {
  return compile<ReadColumns>(
    'read columns',
    js`
      return function readColumns(columns, count) {
        let sum = 0
        ${fields.map(readColumn)}
        return sum
      }`,
  )
}

function readColumn({ type, nullable }: Field, place: number): Code {
  const isNull = nullable ? js`(nulls !== undefined && (nulls[i >> 3] & 1 << (i & 7)) !== 0)` : js`false`
  const nulls = nullable ? js`const nulls = columns.nulls(${place})` : js``
  switch (type) {
    case 'string':
      return js`
        {
          const { bytes, starts, ends } = columns.texts(${place})
          for (let i = 0; i < count; i++) {
            const from = starts[i], length = ends[i] - from
            if (length > 0) sum += length + bytes[from] + bytes[from + (length >> 1)] + bytes[from + length - 1]
          }
        }`
    case 'json':
      return js`
        {
          ${nulls}
          for (let i = 0; i < count; i++) if (!${isNull}) sum++
        }`
    default:
      return js`
        {
          const values = columns.${type === 'boolean' ? js`bits` : js`numbers`}(${place})
          ${nulls}
          for (let i = 0; i < count; i++) if (!${isNull}) sum += values[i]
        }`
  }
}

function readField({ name, type }: Field): Code {
  const value = js`r${property(name)}`
  switch (type) {
    case 'string':
      return js`
        {
          const s = ${value}
          if (s !== null && s.length > 0)
            sum += s.length + s.charCodeAt(0) + s.charCodeAt(s.length >> 1) + s.charCodeAt(s.length - 1)
        }`
    case 'json':
      return js`if (${value} !== null) sum++`
    default:
      return js`sum += +${value}`
  }
}
