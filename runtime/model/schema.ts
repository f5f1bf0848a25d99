import { MillraceError } from './errors.ts'

/**
 * The types a field of a stream can have, and their JavaScript values in a row:
 * long → number (an exact integer, |v| ≤ 2^53), double → finite number, boolean, string,
 * timestamp → number (ms since the epoch), json → any JSON value. A nullable field may be null.
 */
export const FIELD_TYPES = ['long', 'double', 'boolean', 'string', 'timestamp', 'json'] as const
export type FieldType = (typeof FIELD_TYPES)[number]

export interface Field {
  name: string
  type: FieldType
  nullable: boolean
}

/** The fields of a stream, in the order in which rows carry and print them. */
export interface Schema { fields: readonly Field[] }

/** A row seen without its schema; generated code knows the exact class. Rows are immutable. */
export type Row = Readonly<{ [field: string]: unknown }>

/**
 * Field names are identifiers that are no property of Object.prototype, so a row can carry them as
 * plain properties and generated code can never be steered by a name. `true`, `false` and `null` are values in
 * expressions: a field of that name could not be read.
 */
export function isFieldName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name) && !(name in Object.prototype) && !VALUES.includes(name)
}

const VALUES: readonly string[] = ['true', 'false', 'null']

/** The named fields, in the order of the names. Throws UNKNOWN_FIELD: plans name only fields that are there. */
export function fieldsOf(schema: Schema, names: readonly string[]): Field[] {
  return names.map((name) => {
    const field = fieldOf(schema, name)
    if (field === undefined) throw new MillraceError('UNKNOWN_FIELD', `there is no field ${name} among ${schema.fields.map((known) => known.name).join(', ')}`, { domain: 'user' })
    return field
  })
}

export function fieldOf(schema: Schema, name: string): Field | undefined {
  return schema.fields.find((field) => field.name === name)
}
