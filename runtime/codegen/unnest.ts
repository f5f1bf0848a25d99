import { MillraceError } from '../model/errors.ts'
import type { Field, Row, Schema } from '../model/schema.ts'
import { Emitter } from './emitter.ts'
import { emitUserValue, USER_VALUE_SCOPE } from './rows/row-maker.ts'
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
  const code = new Emitter()
  const row = (element: string): string =>
    `out.push(new Row(${schema.fields.map((field) => (field.name === unnest.array ? element : `r${code.property(field.name)}`)).join(', ')}))`
  code.line(`return function unnest(r, out) {`)
  code.line(`const list = r${code.property(unnest.array)}`)
  code.line(
    `if (list === null || list.length === 0 && Array.isArray(list)) { ${unnest.keepEmpty ? `${row('null')}; ` : ''}return }`,
  )
  code.line(`if (!Array.isArray(list)) refuseArray(${code.literal(unnest.array)}, list)`)
  code.line(`for (let i = 0; i < list.length; i++) {`)
  code.line(`let e = list[i]`)
  emitUserValue(code, unnest.element, 'e', 'list')
  code.line(`${row('e')} } }`)
  return code.compile<RowExpander>({ Row: output, refuseArray, ...USER_VALUE_SCOPE })
}

function refuseArray(name: string, value: unknown): never {
  throw new MillraceError(
    'VALUE_INVALID',
    `field '${name}' holds ${typeof value === 'object' ? 'an object' : `the ${typeof value} ${JSON.stringify(value).slice(0, 60)}`}, not an array`,
    { domain: 'user' },
  )
}
