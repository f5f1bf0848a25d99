import type { OptionProblem } from '../../graph/connector-declaration.ts'
import { fieldOf, type Field, type Schema } from '../../model/schema.ts'
import { valueTypeText } from '../../model/value-type.ts'

/** Types of which equal values are one value in every reader. */
function isKeyType({ type, logical }: Field): boolean {
  if (logical !== undefined) return ['date', 'bigint', 'decimal', 'bytes'].includes(logical.kind)
  return type !== 'double' && type !== 'json'
}

/** Returns the mistakes in the option `key` of a sink whose rows replace those of a table. */
export function keyFieldProblems(key: readonly string[], schema: Schema): OptionProblem[] {
  const problems: OptionProblem[] = key.flatMap((name) => {
    const field = fieldOf(schema, name)
    const about = (message: string, hint: string): OptionProblem[] => [{ path: 'key', message, hint }]
    const names = schema.fields.map((one) => one.name).join(', ')
    if (field === undefined) return about(`there is no field "${name}" in the table`, `it has: ${names}`)
    if (!isKeyType(field))
      return about(`the field ${name} is a ${valueTypeText(field)}`, 'a key of a table is no double and has no shape')
    if (!field.nullable) return []
    return about(`the field ${name} may be null`, 'filter rows without it, and declare the field as not nullable')
  })
  if (new Set(key).size < key.length) problems.push({ path: 'key', message: 'names a field twice' })
  return problems
}
