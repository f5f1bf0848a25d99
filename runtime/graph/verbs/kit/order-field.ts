import type { Problems } from '../../problems.ts'
import { suggestion } from '../../../expressions/suggest.ts'
import { fieldOf, type Schema, type ValueType } from '../../../model/schema.ts'
import { orderNumbers } from '../../../model/order-numbers.ts'
import { valueTypeText } from '../../../model/value-type.ts'

/** A field whose values have an order that numbers have; a text only where `texts` says so. */
export function readOrderField(
  value: unknown,
  path: string,
  schema: Schema,
  problems: Problems,
  texts: 'no texts' | 'texts too' = 'no texts',
): string | undefined {
  const name = problems.text(value, path, 256)
  if (name === undefined) return undefined
  const field = fieldOf(schema, name)
  if (field === undefined) {
    problems.report(
      'UNKNOWN_FIELD',
      path,
      `there is no field "${name}"`,
      suggestion(
        name,
        schema.fields.map((known) => known.name),
      ),
    )
    return undefined
  }
  if (orderNumbers(field) > 0 || (texts === 'texts too' && isText(field))) return name
  const other = texts === 'texts too' ? 'a date, a time or a text' : 'a date or a time'
  problems.report(
    'TYPE_MISMATCH',
    path,
    `"${name}" is ${valueTypeText(field)}, rows are ordered by a number, ${other}`,
    'compute a number from it with set before',
  )
  return undefined
}

/** Whether values of the type are ordered as texts. */
export function isText({ type, logical }: ValueType): boolean {
  return type === 'string' && logical === undefined
}
