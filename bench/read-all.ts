import { Emitter } from '../runtime/codegen/emitter.ts'
import type { Row, Schema } from '../runtime/model/schema.ts'

/**
 * Reads every field of rows[0..count), so that nothing computed can be left out: longs, and length and three
 * characters of texts, as the Flink baseline does.
 */
export type ReadAll = (rows: readonly Row[], count: number) => number

export function compileReadAll(schema: Schema): ReadAll {
  const code = new Emitter()
  code.line('return function readAll(rows, count) { let sum = 0; for (let i = 0; i < count; i++) { const r = rows[i]')
  for (const { name, type } of schema.fields) {
    const value = `r${code.property(name)}`
    if (type === 'string')
      code.line(
        `{ const s = ${value}; if (s !== null && s.length > 0) sum += s.length + s.charCodeAt(0) + s.charCodeAt(s.length >> 1) + s.charCodeAt(s.length - 1) }`,
      )
    else if (type === 'json') code.line(`if (${value} !== null) sum++`)
    else code.line(`sum += +${value}`)
  }
  code.line('} return sum }')
  return code.compile<ReadAll>({})
}
