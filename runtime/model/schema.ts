import { MillraceError } from './errors.ts'

/**
 * The types a field of a stream can have, and their JavaScript values in a row:
 * long → number (an exact integer, |v| ≤ 2^53), double → finite number, boolean, string,
 * timestamp → number (ms since the epoch), json → any JSON value. A nullable field may be null.
 */
export const FIELD_TYPES = ['long', 'double', 'boolean', 'string', 'timestamp', 'json'] as const
export type FieldType = (typeof FIELD_TYPES)[number]

/**
 * What the values of a field mean beyond their type. Between the ends of a job they are values of that type and nothing
 * else, for keys, state, frames and functions; formats and the members of expressions know the difference.
 * date: long, days since 1970-01-01. bytes: string, one character of 0 to 255 per byte. decimal: string, the number
 * with all digits of its scale (`-12.30`), so equal numbers are equal texts. bigint: string, the digits of a signed
 * 64-bit integer (`-9007199254740993`); a text and not a JavaScript bigint, so that state, keys and frames are those of
 * texts, and what JSON can say of a row is not less. time: long, milliseconds since midnight. row, array: json of this
 * shape; map: a json object, any key with a value of that type.
 */
export type LogicalType =
  | { kind: 'date' }
  | { kind: 'bytes' }
  | { kind: 'time' }
  | { kind: 'bigint' }
  | { kind: 'decimal'; precision: number; scale: number }
  | { kind: 'row'; fields: readonly Field[] }
  | { kind: 'array'; items: ValueType }
  | { kind: 'map'; values: ValueType }

export interface ValueType {
  type: FieldType
  nullable: boolean
  logical?: LogicalType
}

export interface Field extends ValueType {
  name: string
}

/** A field of that name whose values are of the type of `value`, an expression or another field. */
export function namedField(name: string, { type, nullable, logical }: ValueType): Field {
  return { name, type, nullable, ...(logical === undefined ? {} : { logical }) }
}

/** The fields of a stream, in the order in which rows carry and print them. */
export interface Schema {
  fields: readonly Field[]
}

/** A row seen without its schema; generated code knows the exact class. Rows are immutable. */
export interface Row {
  readonly [field: string]: unknown
}

/**
 * Field names are identifiers, so a row can carry them as plain properties and generated code can never be steered by a
 * name. `constructor` and the other names that every object has are names like any other. `__proto__` is not: a row
 * that a function writes as `{ __proto__: … }` has no such property, JavaScript takes it for the object's prototype.
 * `true`, `false` and `null` are values in expressions: a field of that name could not be read.
 */
export function isFieldName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name) && !TAKEN.includes(name)
}

const TAKEN: readonly string[] = ['true', 'false', 'null', '__proto__']

/** The named fields, in the order of the names. Throws UNKNOWN_FIELD: plans name only fields that are there. */
export function fieldsOf(schema: Schema, names: readonly string[]): Field[] {
  return names.map((name) => {
    const field = fieldOf(schema, name)
    if (field === undefined)
      throw new MillraceError(
        'UNKNOWN_FIELD',
        `there is no field ${name} among ${schema.fields.map((known) => known.name).join(', ')}`,
        { domain: 'user' },
      )
    return field
  })
}

export function fieldOf(schema: Schema, name: string): Field | undefined {
  return schema.fields.find((field) => field.name === name)
}
