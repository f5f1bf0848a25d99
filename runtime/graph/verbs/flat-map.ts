import { aspect } from './kit/aspects.ts'
import { functionText } from './kit/descriptions.ts'
import { type Field, fieldOf, namedField, type Schema } from '../../model/schema.ts'
import type { FunctionRef } from '../../model/user-module.ts'
import { suggestion } from '../../expressions/suggest.ts'
import type { Entry } from './entry.ts'
import type { Fields } from '../../model/fields.ts'
import { describe, join, type Problems } from '../problems.ts'
import type { Input, Stream, Surroundings } from '../stream.ts'
import type { ReadOperator, VerbDefinition } from './verb.ts'
import { checkFieldName, readField } from './kit/schema-fields.ts'
import { isFunction, readFunction, readOutput, timeAfterFunction } from './kit/user-function.ts'

/** One row becomes any number of rows. */
export type FlatMapVerb =
  /** The element stands where the array stood; the other fields are repeated. */
  | { kind: 'flatMap'; unnest: { array: string; element: Field; keepEmpty: boolean } }
  | { kind: 'flatMap'; function: FunctionRef }

export const flatMapVerb: VerbDefinition<FlatMapVerb> = {
  word: 'flatMap',
  entry: {
    forms: { flatMap: { fields: ['flatMap'], takes: [] } },
    inputs: 'one stream',
    read: readFlatMap,
    checkForm: () => undefined,
  },
  reads: () => 'all',
  distributes: () => [],
  changes: () => ({ makes: { kind: 'asInput' }, addsUp: undefined }),
  keeps: () => 'nothing',
  aspects: ({ verb, schema }) => [aspect('flatMap', [verb, schema], 'binds no state')],
  stage: 'flat-map',
  spills: false,
  dependsOnArrival: false,
  refusesRows: true,
  functions: (verb) => ('function' in verb ? [verb.function] : []),
  service: () => undefined,
  describe: ({ verb }) =>
    'unnest' in verb ? `unnest ${verb.unnest.array}` : `flatMap by ${functionText(verb.function)}`,
}

const USAGE = 'write { unnest: tags, as: tag, type: string }'

/**
 * `flatMap: { unnest: FIELD, as: NAME, type: TYPE, keepEmpty: true }`; the type of an `array<…>` is known or `{
 * module, function, output }`.
 */
function readFlatMap(entry: Entry, input: Input, { modules }: Surroundings, problems: Problems): ReadOperator {
  const path = join(entry.path, 'flatMap')
  const unknown: ReadOperator = { stream: { time: { kind: 'unknown' } } }
  const value = entry.fields['flatMap']
  if (isFunction(value)) return readFunctionForm(entry, value, path, input, modules, problems)
  const fields = problems.fields(value, path, ['unnest', 'as', 'type', 'keepEmpty'])
  return (fields === undefined ? undefined : readUnnest(entry, fields, path, input, problems)) ?? unknown
}

function readFunctionForm(
  entry: Entry,
  value: Fields,
  path: string,
  input: Input,
  modules: ReadonlySet<string>,
  problems: Problems,
): ReadOperator {
  problems.fields(value, path, ['module', 'function', 'output', 'eventTime'])
  const ref = readFunction(value, path, modules, problems)
  const schema = readOutput(value, path, problems)
  if (schema === undefined) return { stream: { time: { kind: 'unknown' } } }
  const stream: Stream = { schema, time: timeAfterFunction(entry, value, path, input.time, schema, problems) }
  return ref === undefined ? { stream } : { stream, verb: { kind: 'flatMap', function: ref } }
}

function readUnnest(
  entry: Entry,
  fields: Fields,
  path: string,
  input: Input,
  problems: Problems,
): ReadOperator | undefined {
  const array = readArray(fields['unnest'], input.schema, join(path, 'unnest'), problems)
  const keepEmpty = fields['keepEmpty'] ?? false
  if (typeof keepEmpty !== 'boolean')
    problems.report('TYPE_MISMATCH', join(path, 'keepEmpty'), `must be true or false, not ${describe(keepEmpty)}`)
  const declared = array === undefined ? undefined : fieldOf(input.schema, array)?.logical
  if (fields['type'] === undefined && declared?.kind !== 'array') {
    problems.report('SCHEMA_MISSING', path, 'does not say of which type the elements are', USAGE)
    return undefined
  }
  const name = fields['as'] === undefined ? array : problems.text(fields['as'], join(path, 'as'), 256)
  if (array === undefined || name === undefined || !checkFieldName(name, join(path, 'as'), problems)) return undefined
  const element =
    fields['type'] === undefined && declared?.kind === 'array'
      ? namedField(name, declared.items)
      : readField(name, fields['type'], join(path, 'type'), problems)
  if (element === undefined || typeof keepEmpty !== 'boolean') return undefined
  if (name !== array && fieldOf(input.schema, name) !== undefined) {
    problems.report('DUPLICATE_FIELD', join(path, 'as'), `there is a field "${name}" already`)
    return undefined
  }
  const out: Field = keepEmpty ? { ...element, nullable: true } : element
  const schema: Schema = { fields: input.schema.fields.map((field) => (field.name === array ? out : field)) }
  const { time } = input
  const lost = time.kind === 'field' && time.field === array
  return {
    stream: { schema, time: lost ? { kind: 'none', why: `"${entry.id}" takes "${array}" apart` } : time },
    verb: { kind: 'flatMap', unnest: { array, element, keepEmpty } },
  }
}

function readArray(value: unknown, schema: Schema, path: string, problems: Problems): string | undefined {
  const name = problems.text(value, path, 256)
  if (name === undefined) return undefined
  const field = fieldOf(schema, name)
  if (field === undefined)
    problems.report(
      'UNKNOWN_FIELD',
      path,
      `there is no field "${name}"`,
      suggestion(
        name,
        schema.fields.map((known) => known.name),
      ),
    )
  else if (field.type !== 'json')
    problems.report(
      'TYPE_MISMATCH',
      path,
      `"${name}" is ${field.type}, only json and array fields hold arrays`,
      'declare it as array<type> at the source',
    )
  return field?.type === 'json' ? name : undefined
}
