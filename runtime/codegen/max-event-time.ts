import type { Field } from '../model/schema.ts'
import { MIN_TIMESTAMP } from '../model/time.ts'
import type { MaxEventTime } from './contracts.ts'
import { compile, js, property } from './emitter.ts'

/** Generates the maximum of a stream's event times; MIN_TIMESTAMP when there is no row or only nulls. */
export function compileMaxEventTime(field: Field): MaxEventTime {
  return compile<MaxEventTime>(
    'event time',
    js`
      return function maxEventTime(rows, count) {
        let max = ${MIN_TIMESTAMP}
        for (let i = 0; i < count; i++) {
          const t = rows[i]${property(field.name)}
          ${field.nullable ? js`if (t !== null && t > max) max = t` : js`if (t > max) max = t`}
        }
        return max
      }`,
  )
}
