import type { OptionProblem } from '../../../graph/connector-declaration.ts'
import type { Field, Schema } from '../../../model/schema.ts'
import { fieldOf } from '../../../model/schema.ts'
import { valueTypeText } from '../../../model/value-type.ts'
import type { HbaseSinkOptions, HbaseTableOptions, RowKeyOption } from '../declaration.ts'

/** A column, and the field that it is written from or read into. */
export interface FieldColumn {
  /** `family:qualifier`. */
  readonly column: string
  readonly field: Field
}

export function keyNames(rowKey: RowKeyOption): readonly string[] {
  return typeof rowKey === 'string' ? [rowKey] : rowKey
}

/** The columns that a row is written to. */
export function columnsToWrite(
  { rowKey, columns, family, timestamp, mode }: HbaseSinkOptions,
  { fields }: Schema,
): FieldColumn[] {
  if (mode === 'delete') return []
  if (columns !== undefined)
    return [...columns].flatMap(([column, name]) =>
      fields.filter((field) => field.name === name).map((field) => ({ column, field })),
    )
  const apart = [...keyNames(rowKey), timestamp]
  return fields
    .filter(({ name }) => !apart.includes(name))
    .map((field) => ({ column: `${family}:${field.name}`, field }))
}

/** The columns that the fields of an answer are read from. */
export function columnsToRead({ columns, family }: HbaseTableOptions, output: readonly Field[]): FieldColumn[] {
  const byField = new Map([...(columns ?? [])].map(([column, name]) => [name, column]))
  return output.map((field) => ({ column: byField.get(field.name) ?? `${family}:${field.name}`, field }))
}

export function checkSink(options: HbaseSinkOptions, schema: Schema): OptionProblem[] {
  const { rowKey, columns, timestamp, mode } = options
  const problems: OptionProblem[] = checkKey(rowKey, schema.fields)
  for (const [column, name] of mode === 'delete' ? [] : (columns ?? []))
    if (fieldOf(schema, name) === undefined)
      problems.push({ path: `columns.${column}`, message: `there is no field "${name}"` })
  const time = timestamp === undefined ? undefined : fieldOf(schema, timestamp)
  if (timestamp !== undefined && (time?.type !== 'timestamp' || time.nullable))
    problems.push({
      path: 'timestamp',
      message:
        time === undefined ? `there is no field "${timestamp}"` : `"${timestamp}" is no timestamp that is never null`,
    })
  if (problems.length === 0 && mode !== 'delete' && columnsToWrite(options, schema).length === 0)
    problems.push({
      path: 'columns',
      message: 'no field is left for a column',
      hint: 'a row without cells does not exist in HBase: write the key to a column, too',
    })
  return problems
}

export function checkLookup(
  { rowKey, columns }: HbaseTableOptions,
  key: readonly Field[],
  output: Schema,
): OptionProblem[] {
  const names = keyNames(rowKey)
  const asked = key.map(({ name }) => name)
  if (names.length !== asked.length || names.some((name) => !asked.includes(name)))
    return [{ path: 'rowKey', message: `rows are looked up by ${asked.join(', ')}, the key is ${names.join(', ')}` }]
  const read = [...(columns ?? [])]
  const unknown = read.filter(([, name]) => fieldOf(output, name) === undefined)
  const twice = read.filter(([, name], at) => read.findIndex(([, other]) => other === name) < at)
  return [
    ...checkKey(rowKey, key),
    ...unknown.map(([column, name]) => ({
      path: `columns.${column}`,
      message: `"${name}" is not part of output`,
    })),
    ...twice.map(([column, name]) => ({ path: `columns.${column}`, message: `"${name}" is read from two columns` })),
  ]
}

function checkKey(rowKey: RowKeyOption, fields: readonly Field[]): OptionProblem[] {
  return keyNames(rowKey).flatMap((name) => {
    const field = fieldOf({ fields }, name)
    const why =
      field === undefined ? `there is no field "${name}"` : typeof rowKey === 'string' ? undefined : notInList(field)
    return why === undefined ? [] : [{ path: 'rowKey', message: why }]
  })
}

/** Types of which several can make a key together. */
const LISTED: ReadonlySet<string> = new Set([
  'string',
  'bytes',
  'long',
  'bigint',
  'double',
  'boolean',
  'timestamp',
  'date',
  'time',
])

function notInList(field: Field): string | undefined {
  return LISTED.has(field.logical?.kind ?? field.type)
    ? undefined
    : `"${field.name}" is ${valueTypeText(field)}: a list takes ${[...LISTED].join(', ')}`
}
