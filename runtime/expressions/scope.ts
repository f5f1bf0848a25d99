import { fieldOf, type Field, type Schema } from '../model/schema.ts'

/**
 * What the names of an expression mean: the fields of one row, or of several rows that each have a name. With several,
 * `left.price` is a field of the row `left`; a bare `price` is allowed where only one of the rows has it. `aliases` are
 * further names of the rows.
 */
export type Scope = Schema | { rows: Readonly<Record<string, Schema>>; aliases?: Readonly<Record<string, string>> }

export interface ScopedField {
  field: Field
  of?: string
}

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

/** The schema of a row of this name, and the name it has in `rows`. */
export function rowOf(scope: Scope, name: string): { schema: Schema; of: string } | undefined {
  if (!('rows' in scope)) return undefined
  const of = scope.aliases !== undefined && Object.hasOwn(scope.aliases, name) ? (scope.aliases[name] ?? name) : name
  const schema = Object.hasOwn(scope.rows, of) ? scope.rows[of] : undefined
  return schema === undefined ? undefined : { schema, of }
}

/** Every name that means a field, as a user would write it. */
export function namesOf(scope: Scope): string[] {
  if ('fields' in scope) return scope.fields.map((field) => field.name)
  return Object.entries(scope.rows).flatMap(([of, schema]) => schema.fields.map((field) => `${of}.${field.name}`))
}
