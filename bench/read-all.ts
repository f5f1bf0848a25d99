import { compile, js, property, type Code } from '../runtime/codegen/emitter.ts'
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
