import type { Expression } from '../../../expressions/ast.ts'
import type { Field } from '../../../model/schema.ts'

/** The names under which all of `fields` come out unchanged; none when one of them does not. */
export function passedOn(
  fields: readonly string[],
  of: 'left' | 'right' | undefined,
  selected: readonly { readonly field: Field; readonly value: Expression }[],
): string[][] {
  const names = fields.map(
    (name) =>
      selected.find(({ value }) => value.kind === 'field' && value.of === of && value.name === name)?.field.name,
  )
  const known = names.filter((name) => name !== undefined)
  return known.length < fields.length ? [] : [known]
}
