import { fieldOf, type Schema } from '../../../model/schema.ts'
import type { FunctionRef } from '../../../model/user-module.ts'
import { suggestion } from '../../../expressions/suggest.ts'
import { describeType } from '../../../expressions/typing.ts'
import type { Entry } from '../entry.ts'
import { type Fields, isFields } from '../../../model/fields.ts'
import { join, type Problems } from '../../problems.ts'
import type { StreamTime } from '../../stream.ts'
import { readSchema } from './schema-fields.ts'

/**
 * A verb's function instead of its expressions: `{ module: NAME, function: EXPORT, … }`. An expression is never a
 * mapping.
 */
export function isFunction(value: unknown): value is Fields {
  return isFields(value) && 'function' in value
}

/** `module` and `function` of a mapping whose other fields are the verb's. Undefined after reporting. */
export function readFunction(
  fields: Fields,
  path: string,
  modules: ReadonlySet<string>,
  problems: Problems,
): FunctionRef | undefined {
  const module = problems.text(fields['module'], join(path, 'module'), 256)
  const name = problems.text(fields['function'], join(path, 'function'), 256)
  if (module === undefined || name === undefined) return undefined
  if (modules.has(module)) return { module, function: name }
  problems.report(
    'UNKNOWN_MODULE',
    join(path, 'module'),
    `there is no module "${module}"`,
    modules.size === 0
      ? `say where it lies: spec.modules: { ${module}: { path: ./functions.ts } }`
      : suggestion(module, [...modules]),
  )
  return undefined
}

/** The rows a function gives: `output: { field: type }`. Undefined after reporting. */
export function readOutput(fields: Fields, path: string, problems: Problems): Schema | undefined {
  if (fields['output'] !== undefined) return readSchema(fields['output'], join(path, 'output'), problems)
  problems.report(
    'SCHEMA_MISSING',
    path,
    'does not say which rows come out',
    'write output: { field: type, … }; what the function gives is checked against it',
  )
  return undefined
}

/**
 * Where event time is in the rows of a function: in the field `eventTime` names, or in the one of the same name as
 * before. A function that puts earlier times there makes late rows.
 */
export function timeAfterFunction(
  entry: Entry,
  fields: Fields,
  path: string,
  time: StreamTime,
  output: Schema,
  problems: Problems,
): StreamTime {
  const named = fields['eventTime']
  if (named === undefined && time.kind !== 'field') return time
  const name =
    named === undefined ? (time.kind === 'field' ? time.field : '') : problems.text(named, join(path, 'eventTime'), 256)
  if (name === undefined) return { kind: 'unknown' }
  const field = fieldOf(output, name)
  if (field?.type === 'timestamp' && !field.nullable) return { kind: 'field', field: name, offsetMs: 0 }
  if (named === undefined)
    return {
      kind: 'none',
      why: `"${entry.id}" does not put out "${name}", the event time, as a timestamp that is never null`,
    }
  problems.report(
    field === undefined ? 'UNKNOWN_FIELD' : 'TYPE_MISMATCH',
    join(path, 'eventTime'),
    field === undefined
      ? `there is no field "${name}" in output`
      : `"${name}" is ${describeType(field)}, event time must be a timestamp that is never null`,
    field === undefined
      ? suggestion(
          name,
          output.fields.map((known) => known.name),
        )
      : undefined,
  )
  return { kind: 'unknown' }
}
