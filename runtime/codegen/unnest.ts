import { MillraceError } from '../model/errors.ts'
import type { Field, Row, Schema } from '../model/schema.ts'
import { compile, js, NOTHING, property, type Code } from './emitter.ts'
import { checkUserValue, USER_VALUE_SCOPE } from './rows/row-maker.ts'
import type { RowClass } from './rows/row.ts'

/**
 * Puts the rows a row becomes behind those in `out`. Throws VALUE_INVALID; what it has put there by then is for the
 * caller to drop.
 */
export type RowExpander = (row: Row, out: Row[]) => void

/**
 * Generates the expander of `unnest`: one row per element of the array, the element in the place of the array. A
 * null or empty array gives no row, or one whose element is null. `schema` is that of the rows that come in.
 */
export function compileUnnest(
  schema: Schema,
  unnest: { array: string; element: Field; keepEmpty: boolean },
  output: RowClass,
): RowExpander {
  const push = (element: Code): Code => {
    const values = schema.fields.map(({ name }) => (name === unnest.array ? element : js`r${property(name)}`))
    return js`out.push(new Row(${values}))`
  }
  return compile<RowExpander>(
    'unnest',
    js`
      return function unnest(r, out) {
        const list = r${property(unnest.array)}
        if (list === null || list.length === 0 && Array.isArray(list)) {
          ${unnest.keepEmpty ? push(js`null`) : NOTHING}
          return
        }
        if (!Array.isArray(list)) refuseArray(${unnest.array}, list)
        for (let i = 0; i < list.length; i++) {
          let e = list[i]
          ${checkUserValue(unnest.element, js`e`, js`list`)}
          ${push(js`e`)}
        }
      }`,
    { Row: output, refuseArray, ...USER_VALUE_SCOPE },
  )
}

function refuseArray(name: string, value: unknown): never {
  throw new MillraceError(
    'VALUE_INVALID',
    `field '${name}' holds ${typeof value === 'object' ? 'an object' : `the ${typeof value} ${JSON.stringify(value).slice(0, 60)}`}, not an array`,
    { domain: 'user' },
  )
}
