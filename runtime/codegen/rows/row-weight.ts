import type { Row, Schema } from '../../model/schema.ts'
import { Emitter } from '../emitter.ts'

/** What a row is taken to weigh beside its texts, and a value of json, in characters: a guess. */
const BARE = 64, JSON_VALUE = 1024

/** Generates the function that says about how many characters of memory rows[0..count) hold. */
export function compileRowWeight(schema: Schema): (rows: readonly Row[], count: number) => number {
  const code = new Emitter()
  const bare = BARE + JSON_VALUE * schema.fields.filter(({ type }) => type === 'json').length
  code.line(`return function weight(rows, count) { let sum = count * ${bare}; for (let i = 0; i < count; i++) { const r = rows[i]`)
  for (const { name, type, nullable } of schema.fields) {
    const value = `r${code.property(name)}`
    if (type === 'string') code.line(nullable ? `if (${value} !== null) sum += ${value}.length` : `sum += ${value}.length`)
  }
  code.line(`} return sum }`)
  return code.compile<(rows: readonly Row[], count: number) => number>({})
}
