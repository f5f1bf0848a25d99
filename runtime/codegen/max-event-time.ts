import type { Field } from '../model/schema.ts'
import { MIN_TIMESTAMP } from '../model/time.ts'
import type { MaxEventTime } from './contracts.ts'
import { Emitter } from './emitter.ts'

/** Generates the maximum of a stream's event times; MIN_TIMESTAMP when there is no row or only nulls. */
export function compileMaxEventTime(field: Field): MaxEventTime {
  const code = new Emitter()
  code.line(`return function maxEventTime(rows, count) {`)
  code.line(`let max = ${code.literal(MIN_TIMESTAMP)}`)
  code.line(`for (let i = 0; i < count; i++) {`)
  code.line(`const t = rows[i]${code.property(field.name)}`)
  code.line(field.nullable ? `if (t !== null && t > max) max = t` : `if (t > max) max = t`)
  code.line(`}`)
  code.line(`return max }`)
  return code.compile<MaxEventTime>({})
}
