import { fieldOf, type Field, type Schema } from '../model/schema.ts'

/**
 * What the names of an expression mean: the fields of one row, or of several rows that each have a name. With several,
 * `left.price` is a field of the row `left`; a bare `price` is allowed where only one of the rows has it.
 */
export type Scope = Schema | { rows: Readonly<Record<string, Schema>> }

export interface ScopedField { field: Field; of?: string }

/** The rows that have a field of this name. */
export function lookup(scope: Scope, name: string): ScopedField[] {
  if ('fields' in scope) {
    const field = fieldOf(scope, name)
    return field === undefined ? [] : [{ field }]
  }
  return Object.entries(scope.rows).flatMap(([of, schema]) => {
    const field = fieldOf(schema, name)
    return field === undefined ? [] : [{ field, of }]
  })
}

/** The schema of a row of this name. */
export function rowOf(scope: Scope, name: string): Schema | undefined {
  return 'rows' in scope && Object.hasOwn(scope.rows, name) ? scope.rows[name] : undefined
}

/** Every name that means a field, as a user would write it. */
export function namesOf(scope: Scope): string[] {
  if ('fields' in scope) return scope.fields.map((field) => field.name)
  return Object.entries(scope.rows).flatMap(([of, schema]) => schema.fields.map((field) => `${of}.${field.name}`))
}
