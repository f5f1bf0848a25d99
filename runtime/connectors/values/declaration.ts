import type { ConnectorDeclaration, OptionProblem, Options } from '../../graph/connector-declaration.ts'
import { isFields } from '../../model/fields.ts'
import { fieldOf, type Field, type Schema } from '../../model/schema.ts'
import { OptionSet } from '../kit/option-set.ts'
import { shown, type OptionType } from '../kit/option-types.ts'
import { rate } from '../kit/rate-option.ts'

const rows: OptionType<readonly unknown[]> = {
  name: 'list of rows',
  read: (value, report) => {
    if (Array.isArray(value)) return value
    report('', `must be a list of rows, found ${shown(value)}`)
    return undefined
  },
}

export const sourceOptions = new OptionSet({
  rows: {
    type: rows,
    required: 'the rows to read',
    doc: 'The rows: mappings of fields, or bare values where the schema has one field. `values: [1, 2]` is short for `values: { rows: [1, 2] }`.',
  },
  rate,
})

export const tableOptions = new OptionSet({
  rows: {
    type: rows,
    required: 'the rows of the table',
    doc: 'The rows: mappings of the columns in `key` and `output`. `values: [{ … }]` is short for `values: { rows: [{ … }] }`.',
  },
})

export const declaration: ConnectorDeclaration = {
  name: 'values',
  doc: 'Reads rows that stand in the job itself, in their order, or looks them up.',
  source: {
    options: sourceOptions,
    shorthand: 'rows',
    checkSchema: (options, schema) => rowsOf(options, schema).flatMap((row, index) => problemsOf(row, index, schema)),
  },
  table: {
    options: tableOptions,
    shorthand: 'rows',
    keys: 'any of its columns',
    checkLookup: (options, key, output) => {
      const schema = columnsOf(key, output.fields)
      return tableOptions
        .read(options)
        .rows.flatMap((row, index) => problemsOf(row, index, schema))
        .map((problem) => ({ ...problem, path: `values.${problem.path}` }))
    },
  },
}

/** All columns of a table: those that are looked up by, which are never null there, and those that are wanted. */
export function columnsOf(key: readonly Field[], output: readonly Field[]): Schema {
  const wanted = output.filter(({ name }) => !key.some((column) => column.name === name))
  return { fields: [...key.map((column) => ({ ...column, nullable: false })), ...wanted] }
}

/** The rows as mappings of fields. Called with options that passed the check. */
export function rowsOf(options: Options, { fields }: Schema): readonly unknown[] {
  const [only] = fields
  const { rows: written } = sourceOptions.read(options)
  if (only === undefined || fields.length > 1) return written
  return written.map((row) =>
    isFields(row) && (only.type !== 'json' || Object.hasOwn(row, only.name)) ? row : { [only.name]: row },
  )
}

/** Mistakes that can be seen without reading the values as their types; those become errors of the record. */
function problemsOf(row: unknown, index: number, schema: Schema): OptionProblem[] {
  const path = `rows[${index}]`
  if (!isFields(row)) return [{ path, message: `must be a mapping of fields, found ${shown(row)}` }]
  const unknown = Object.keys(row)
    .filter((name) => fieldOf(schema, name) === undefined)
    .map((name) => ({
      path: `${path}.${name}`,
      message: `is no field of the schema`,
      hint: `known: ${namesOf(schema)}`,
    }))
  const missing = schema.fields
    .filter(({ name, nullable }) => !nullable && valueOf(row, name) === null)
    .map(({ name }) => ({
      path,
      message: `has no ${name}`,
      hint: `write it, or let it be null in the schema: ${name}: "type?"`,
    }))
  const rounded = schema.fields
    .filter((field) => isRounded(field, valueOf(row, field.name)))
    .map(({ name, type }) => ({
      path: `${path}.${name}`,
      message: `${String(valueOf(row, name))} has more digits than a number of YAML or JSON keeps, and ${name} is ${type}`,
      hint: 'write it in quotes',
    }))
  return [...unknown, ...missing, ...rounded]
}

/** The file was read through doubles: a number beyond 2^53 has lost its last digits already. */
function isRounded({ type }: Field, value: unknown): boolean {
  return typeof value === 'number' && type !== 'double' && Number.isInteger(value) && !Number.isSafeInteger(value)
}

function valueOf(row: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(row, name) ? (row[name] ?? null) : null
}

function namesOf({ fields }: Schema): string {
  return fields.map(({ name }) => name).join(', ')
}
