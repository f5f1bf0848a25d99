import type { ConnectorDeclarations, Options } from '../../connector-declaration.ts'
import { describe, join, type Problems } from '../../problems.ts'
import type { Input, Stream } from '../../stream.ts'
import { UNKNOWN_STREAM } from '../../stream.ts'
import { suggestion } from '../../../expressions/suggest.ts'
import { type Fields, isFields } from '../../../model/fields.ts'
import { type Field, fieldOf, namedField, type Schema } from '../../../model/schema.ts'
import { type CallSettings, readCallSettings, withAnswer } from '../async-map.ts'
import { readConnector, reportOptions } from '../kit/connector-choice.ts'
import { readOutput } from '../kit/user-function.ts'

/** A row looked up in a table of a connector. */
export interface TableCall extends CallSettings {
  kind: 'table'
  connector: string
  options: Options
  /** Columns of the table, and the fields that they are equal to. */
  key: readonly { column: string; field: string }[]
  /** Columns that are read; they stand behind the fields of the row. */
  answer: readonly Field[]
}

/** A table waits for its system itself and reports that, so that a call ends late where nothing else is written. */
const PATIENCE = '10m'

/**
 * `lookup: { kudu: { … }, key: id | [a, b] | { column: field }, output: { column: type } }`. The stream is what comes
 * out of an inner lookup; the call is absent after reporting.
 */
export function readTableLookup(
  lookup: Fields,
  path: string,
  { table, connectors, input }: { table: string; connectors: ConnectorDeclarations; input: Input },
  problems: Problems,
): { stream: Stream; call?: TableCall } {
  const choice = readConnector({ [table]: lookup[table] }, path, connectors.tables, 'table', problems)
  const declared = connectors.tables[table]
  const sound =
    choice !== undefined && reportOptions(declared?.options.check(choice.options) ?? [], choice.path, problems)
  const key = readKey(lookup['key'], join(path, 'key'), declared?.keys ?? '', input.schema, problems)
  const settings = readCallSettings({ timeout: PATIENCE, ...lookup }, path, problems)
  const output = readOutput(lookup, path, problems)
  const stream = output === undefined ? undefined : withAnswer(input, output, join(path, 'output'), problems)
  if (choice === undefined || output === undefined || stream === undefined) return { stream: UNKNOWN_STREAM }
  if (!sound || key === undefined || settings === undefined) return { stream }
  const keyFields = key.map(({ column, field }) => namedField(column, fieldOf(input.schema, field) as Field))
  if (!reportOptions(declared?.checkLookup?.(choice.options, keyFields, output) ?? [], path, problems))
    return { stream }
  return {
    stream,
    call: {
      kind: 'table',
      connector: choice.name,
      options: choice.options,
      key,
      answer: output.fields,
      ...settings,
    },
  }
}

/** A name stands for a column and a field that are called the same. */
function readKey(
  value: unknown,
  path: string,
  keys: string,
  schema: Schema,
  problems: Problems,
): TableCall['key'] | undefined {
  const pairs = pairsOf(value)
  if (pairs === undefined || pairs.length === 0) {
    problems.report(
      value === undefined ? 'KEY_MISSING' : 'TYPE_MISMATCH',
      path,
      value === undefined ? 'does not say which row of the table is meant' : `is ${describe(value)}, not a key`,
      `write key: { column: field } for ${keys}, or the names alone where column and field are called the same`,
    )
    return undefined
  }
  if (new Set(pairs.map(({ column }) => column)).size < pairs.length) {
    problems.report('DUPLICATE_FIELD', path, 'names the same column twice')
    return undefined
  }
  const known = pairs.flatMap(({ column, field }) => {
    const found = typeof field === 'string' ? fieldOf(schema, field) : undefined
    if (found !== undefined) return [{ column, field: found.name }]
    problems.report(
      'UNKNOWN_FIELD',
      isFields(value) ? join(path, column) : path,
      `there is no field ${describe(field)}`,
      suggestion(
        String(field),
        schema.fields.map(({ name }) => name),
      ),
    )
    return []
  })
  return known.length === pairs.length ? known : undefined
}

function pairsOf(value: unknown): { column: string; field: unknown }[] | undefined {
  if (typeof value === 'string') return [{ column: value, field: value }]
  if (Array.isArray(value)) {
    const names: readonly unknown[] = value
    return names.every((name) => typeof name === 'string')
      ? names.map((name) => ({ column: name, field: name }))
      : undefined
  }
  return isFields(value) ? Object.entries(value).map(([column, field]) => ({ column, field })) : undefined
}
