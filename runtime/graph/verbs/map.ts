import type { Entry } from './entry.ts'
import { aspect } from './kit/aspects.ts'
import { functionText, namesText } from './kit/descriptions.ts'
import { passedOn } from './kit/distributed.ts'
import { checkSyntax, readExpressionText } from './kit/expression-text.ts'
import { expressionFields } from './kit/field-names.ts'
import { isFunction, readFunction, readOutput, timeAfterFunction } from './kit/user-function.ts'
import { checkFieldName, MAX_FIELDS } from './kit/schema-fields.ts'
import type { ReadOperator, VerbDefinition } from './verb.ts'
import { isFields, type Fields } from '../../model/fields.ts'
import { join, type Problems } from '../problems.ts'
import { UNKNOWN_STREAM, type Input, type Stream, type StreamTime, type Surroundings } from '../stream.ts'
import type { Expression } from '../../expressions/ast.ts'
import { parseExpression } from '../../expressions/parse.ts'
import { namedField, type Field, type Schema } from '../../model/schema.ts'
import type { FunctionRef } from '../../model/user-module.ts'

/** A new row: its fields in schema order, each computed from the input row. `map` and `set` both end here. */
export interface MapVerb {
  kind: 'map'
  fields: readonly ComputedField[]
}

interface ComputedField {
  field: Field
  value: Expression
}

export interface UserMapVerb {
  kind: 'userMap'
  function: FunctionRef
}

export const mapVerb: VerbDefinition<MapVerb> = {
  word: 'map',
  entry: {
    forms: { map: { fields: ['map'], takes: [] }, set: { fields: ['set'], takes: [] } },
    inputs: 'one stream',
    read: readMapOrSet,
    checkForm: (entry, _around, problems) => {
      const value = entry.fields[entry.verb]
      const path = join(entry.path, entry.verb)
      if (isFunction(value)) return
      for (const [name, text] of Object.entries(problems.fields(value, path) ?? {})) {
        if (checkFieldName(name, join(path, name), problems)) checkSyntax(text, join(path, name), problems)
      }
    },
  },
  reads: ({ verb }) => new Set(verb.fields.flatMap(({ value }) => expressionFields(value))),
  distributes: ({ verb }, before) => before.flatMap((fields) => passedOn(fields, undefined, verb.fields)),
  changes: () => ({ makes: { kind: 'asInput' }, addsUp: undefined }),
  keeps: () => 'nothing',
  aspects: ({ verb }) => [
    aspect(
      'map',
      verb.fields.map(({ field, value }) => [field.name, value]),
      'binds no state',
    ),
  ],
  stage: undefined,
  spills: false,
  dependsOnArrival: false,
  refusesRows: true,
  functions: () => [],
  service: () => undefined,
  describe: ({ verb }) => `map to ${namesText(verb.fields.map(({ field }) => field.name))}`,
}

export const userMapVerb: VerbDefinition<UserMapVerb> = {
  word: 'map',
  entry: undefined,
  reads: () => 'all',
  distributes: () => [],
  changes: () => ({ makes: { kind: 'asInput' }, addsUp: undefined }),
  keeps: () => 'nothing',
  aspects: ({ verb, schema }) => [aspect('map', [verb.function, schema], 'binds no state')],
  stage: undefined,
  spills: false,
  dependsOnArrival: false,
  refusesRows: true,
  functions: (verb) => [verb.function],
  service: () => undefined,
  describe: ({ verb }) => `map by ${functionText(verb.function)}`,
}

/** `map` starts from no fields, `set` from the input's: named ones are replaced in place, new ones go to the end. */
function readMapOrSet(entry: Entry, input: Input, { modules }: Surroundings, problems: Problems): ReadOperator {
  const value = entry.fields[entry.verb]
  if (entry.verb === 'set') return readMap(entry, input, input.schema.fields, problems)
  return isFunction(value) && isFields(value['output'])
    ? readUserMap(entry, value, input, modules, problems)
    : readMap(entry, input, [], problems)
}

/**
 * `map: { module, function, output: { field: type } }`; an `output` that is a mapping distinguishes it from three
 * expressions.
 */
function readUserMap(
  entry: Entry,
  fields: Fields,
  input: Input,
  modules: ReadonlySet<string>,
  problems: Problems,
): ReadOperator {
  const path = join(entry.path, 'map')
  problems.fields(fields, path, ['module', 'function', 'output', 'eventTime'])
  const ref = readFunction(fields, path, modules, problems)
  const schema = readOutput(fields, path, problems)
  if (schema === undefined) return { stream: UNKNOWN_STREAM }
  const stream: Stream = { schema, time: timeAfterFunction(entry, fields, path, input.time, schema, problems) }
  return ref === undefined ? { stream } : { stream, verb: { kind: 'userMap', function: ref } }
}

function readMap(entry: Entry, input: Input, kept: readonly Field[], problems: Problems): ReadOperator {
  const path = join(entry.path, entry.verb)
  const written = problems.fields(entry.fields[entry.verb], path)
  if (written === undefined) return { stream: UNKNOWN_STREAM }
  const computed = new Map<string, ComputedField>(
    kept.map((field) => [field.name, { field, value: { kind: 'field', ...field } }]),
  )
  let isSound = true
  for (const [name, value] of Object.entries(written)) {
    const read = readComputedField(name, value, input.schema, join(path, name), problems)
    if (read === undefined) isSound = false
    else computed.set(name, read)
  }
  if (computed.size === 0 || computed.size > MAX_FIELDS) {
    if (isSound) problems.report('TOO_LARGE', path, `gives ${computed.size} fields, 1 to ${MAX_FIELDS} are taken`)
    isSound = false
  }
  if (!isSound) return { stream: UNKNOWN_STREAM }
  const fields = [...computed.values()]
  const stream: Stream = {
    schema: { fields: fields.map(({ field }) => field) },
    time: timeAfterMap(entry, input.time, fields),
  }
  return { stream, verb: { kind: 'map', fields } }
}

function readComputedField(
  name: string,
  value: unknown,
  schema: Schema,
  path: string,
  problems: Problems,
): ComputedField | undefined {
  if (!checkFieldName(name, path, problems)) return undefined
  const text = readExpressionText(value, path, problems)
  const expression = text === undefined ? undefined : problems.attempt(path, () => parseExpression(text, schema))
  return expression === undefined ? undefined : { field: namedField(name, expression), value: expression }
}

/** Event time is in a field, so it is passed on where that field is, under whatever name. */
function timeAfterMap(entry: Entry, time: StreamTime, fields: readonly ComputedField[]): StreamTime {
  if (time.kind !== 'field') return time
  const carriers = fields.filter(({ value }) => value.kind === 'field' && value.name === time.field)
  const carrier = carriers.find(({ field }) => field.name === time.field) ?? carriers[0]
  if (carrier !== undefined) return { ...time, field: carrier.field.name }
  return { kind: 'none', why: `"${entry.id}" does not pass on "${time.field}", the event time` }
}
