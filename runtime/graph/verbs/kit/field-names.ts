import type { Expression } from '../../../expressions/ast.ts'
import { fieldsIn } from '../../../expressions/fields-in.ts'
import type { FieldNames } from '../verb.ts'

export function withFields(wanted: FieldNames, names: readonly string[]): FieldNames {
  return wanted === 'all' ? 'all' : new Set([...wanted, ...names])
}

/** The fields that an expression over one row reads. */
export function expressionFields(expression: Expression): string[] {
  return fieldsIn(expression).map(({ name }) => name)
}
