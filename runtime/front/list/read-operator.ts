import { readAsyncMap } from '../../graph/verbs/async-map.ts'
import { readBroadcast } from '../../graph/verbs/broadcast.ts'
import type { ConnectorDeclarations } from '../../graph/connector-declaration.ts'
import { readDedupe } from '../../graph/verbs/dedupe.ts'
import { readExpressionText } from '../../graph/verbs/kit/expression-text.ts'
import { readFlatMap } from '../../graph/verbs/flat-map.ts'
import type { Entry } from '../../graph/verbs/entry.ts'
import { readJoin } from '../../graph/verbs/join/join.ts'
import type { OperatorNode } from '../../graph/job-graph.ts'
import { readKeys } from '../../graph/verbs/kit/key-fields.ts'
import { readPattern } from '../../graph/verbs/pattern/pattern.ts'
import { readProcess } from '../../graph/verbs/process.ts'
import type { Input, ReadOperator, Stream, StreamTime, Surroundings } from '../../graph/stream.ts'
import { readReduce } from '../../graph/verbs/reduce.ts'
import { readRunningAggregate } from '../../graph/verbs/running-aggregate.ts'
import { readSideOutput } from '../../graph/verbs/side-output.ts'
import { isFields, join, type Fields, type Problems } from '../../graph/problems.ts'
import { readTopN } from '../../graph/verbs/top-n.ts'
import { checkFieldName, MAX_FIELDS, readConnector, readSource, reportOptions } from '../../graph/verbs/source.ts'
import { isFunction, readFunction, readOutput, timeAfterFunction } from '../../graph/verbs/kit/user-function.ts'
import { checkWindowForm, readWindow } from '../../graph/verbs/window.ts'
import type { Expression } from '../../expressions/ast.ts'
import { parseCondition, parseExpression, parseSyntax } from '../../expressions/parse.ts'
import { describeType } from '../../expressions/typing.ts'
import { fieldOf, namedField, type Field, type Schema } from '../../model/schema.ts'

/** Reads one entry's verb against the streams of its inputs. */
export function readOperator(
  entry: Entry,
  inputs: readonly Stream[],
  { connectors, modules }: Surroundings,
  problems: Problems,
): ReadOperator {
  if (entry.verb === 'source') return readSourceOperator(entry, connectors, problems)
  if (entry.verb === 'join' || entry.verb === 'broadcast') return readSeveral(entry, inputs, problems)
  const { schema, time } = union(entry, inputs, problems)
  if (entry.verb === 'sink')
    return readSink(entry, { time, ...(schema === undefined ? {} : { schema }) }, connectors, problems)
  if (schema === undefined) {
    checkForm(entry, problems)
    return { stream: { time: { kind: 'unknown' } } }
  }
  const input: Input = { schema, time }
  switch (entry.verb) {
    case 'filter':
      return readFilter(entry, input, modules, problems)
    case 'map':
      return isFunction(entry.fields['map']) && isFields(entry.fields['map']['output'])
        ? readUserMap(entry, entry.fields['map'], input, modules, problems)
        : readMap(entry, input, [], problems)
    case 'set':
      return readMap(entry, input, schema.fields, problems)
    case 'flatMap':
      return readFlatMap(entry, [input], modules, problems)
    case 'union':
      return { stream: input, verb: { kind: 'union' } }
    case 'sideOutput':
      return readSideOutput(entry, [input], modules, problems)
    case 'asyncMap':
      return readAsyncMap(entry, [input], modules, problems)
    case 'keyBy':
      return readKeyBy(entry, input, problems)
    case 'window':
      return readWindow(entry, input, readKeys(entry, schema, problems), modules, problems)
    case 'aggregate':
      return readRunningAggregate(entry, [input], modules, problems)
    case 'reduce':
      return readReduce(entry, [input], problems)
    case 'dedupe':
      return readDedupe(entry, [input], problems)
    case 'topN':
      return readTopN(entry, [input], problems)
    case 'pattern':
      return readPattern(entry, [input], problems)
    case 'process':
      return readProcess(entry, [input], modules, problems)
  }
}

/** Verbs to which their inputs are not one stream. */
function readSeveral(entry: Entry, inputs: readonly Stream[], problems: Problems): ReadOperator {
  const known = inputs.flatMap((input) =>
    input.schema === undefined ? [] : [{ schema: input.schema, time: input.time }],
  )
  if (known.length < inputs.length) return { stream: { time: { kind: 'unknown' } } }
  return entry.verb === 'join' ? readJoin(entry, known, problems) : readBroadcast(entry, known, problems)
}

/** What can be said of an operator whose input could not be worked out: everything but fields and types. */
function checkForm(entry: Entry, problems: Problems): void {
  const path = join(entry.path, entry.verb)
  const value = entry.fields[entry.verb]
  if (entry.verb === 'window') checkWindowForm(entry, problems)
  if (isFunction(value)) return
  if (entry.verb === 'filter') checkSyntax(value, path, problems)
  if (entry.verb === 'map' || entry.verb === 'set') {
    for (const [name, text] of Object.entries(problems.fields(value, path) ?? {})) {
      if (checkFieldName(name, join(path, name), problems)) checkSyntax(text, join(path, name), problems)
    }
  }
}

function checkSyntax(value: unknown, path: string, problems: Problems): void {
  const text = readExpressionText(value, path, problems)
  if (text !== undefined) problems.attempt(path, () => parseSyntax(text))
}

function readSourceOperator(entry: Entry, connectors: ConnectorDeclarations, problems: Problems): ReadOperator {
  const read = readSource(entry, connectors, problems)
  if (read === undefined) return { stream: { time: { kind: 'unknown' } } }
  const { verb, schema } = read
  const time: StreamTime =
    verb.eventTime !== undefined
      ? { kind: 'field', field: verb.eventTime.field, offsetMs: 0 }
      : entry.fields['eventTime'] !== undefined
        ? { kind: 'unknown' }
        : { kind: 'none', why: `the source "${entry.id}" declares no eventTime` }
  const sides = schema === undefined ? {} : (connectors.sources[verb.connector]?.fixedSides?.(verb.options) ?? {})
  const sideOutputs = Object.fromEntries(
    Object.entries(sides).map(([name, side]) => [name, { schema: side, time: timeOfSide(entry, name, side, time) }]),
  )
  return { verb, stream: { time, ...(schema === undefined ? {} : { schema }) }, sideOutputs }
}

function timeOfSide(entry: Entry, name: string, schema: Schema, time: StreamTime): StreamTime {
  if (time.kind !== 'field' || fieldOf(schema, time.field)?.type === 'timestamp') return time
  return { kind: 'none', why: `"${entry.id}.${name}" has no field "${time.field}"` }
}

/** Several inputs are one stream when their schemas are the same, field by field. */
function union(entry: Entry, inputs: readonly Stream[], problems: Problems): Stream {
  const [first, ...others] = inputs
  if (first?.schema === undefined || others.some((other) => other.schema === undefined))
    return { time: { kind: 'unknown' } }
  let { time } = first
  for (const [index, other] of others.entries()) {
    if (schemaText(other.schema) !== schemaText(first.schema)) {
      problems.report(
        'SCHEMA_MISMATCH',
        join(join(entry.path, 'from'), index + 1),
        `"${entry.from[index + 1] ?? ''}" gives {${schemaText(other.schema)}}, "${entry.from[0] ?? ''}" gives {${schemaText(first.schema)}}`,
        'inputs of one operator need the same fields in the same order: bring them there with map',
      )
      return { time: { kind: 'unknown' } }
    }
    if (time.kind === 'field' && other.time.kind !== 'unknown' && JSON.stringify(other.time) !== JSON.stringify(time)) {
      time =
        other.time.kind === 'none'
          ? other.time
          : {
              kind: 'none',
              why: `its inputs carry event time in different fields, "${time.field}" and "${other.time.field}"`,
            }
    }
  }
  return { schema: first.schema, time }
}

function schemaText(schema: Schema | undefined): string {
  return schema?.fields.map((field) => `${field.name}: ${describeType(field)}`).join(', ') ?? ''
}

function readSink(entry: Entry, input: Stream, connectors: ConnectorDeclarations, problems: Problems): ReadOperator {
  const choice = readConnector(entry.fields['sink'], join(entry.path, 'sink'), connectors.sinks, 'sink', problems)
  if (
    choice === undefined ||
    !reportOptions(connectors.sinks[choice.name]?.options.check(choice.options) ?? [], choice.path, problems)
  )
    return { stream: input }
  if (input.schema !== undefined)
    reportOptions(
      connectors.sinks[choice.name]?.checkSchema?.(choice.options, input.schema) ?? [],
      choice.path,
      problems,
    )
  return { stream: input, verb: { kind: 'sink', connector: choice.name, options: choice.options } }
}

function readFilter(entry: Entry, input: Input, modules: ReadonlySet<string>, problems: Problems): ReadOperator {
  const path = join(entry.path, 'filter')
  const value = entry.fields['filter']
  if (isFunction(value)) {
    problems.fields(value, path, ['module', 'function'])
    const ref = readFunction(value, path, modules, problems)
    return ref === undefined ? { stream: input } : { stream: input, verb: { kind: 'userFilter', function: ref } }
  }
  const text = readExpressionText(value, path, problems)
  if (text === undefined) return { stream: input }
  const condition = problems.attempt(path, () => parseCondition(text, input.schema))
  return condition === undefined ? { stream: input } : { stream: input, verb: { kind: 'filter', condition } }
}

/** `map: { module, function, output: { field: type } }`; that `output` is a mapping tells it from three expressions. */
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
  if (schema === undefined) return { stream: { time: { kind: 'unknown' } } }
  const stream: Stream = { schema, time: timeAfterFunction(entry, fields, path, input.time, schema, problems) }
  return ref === undefined ? { stream } : { stream, verb: { kind: 'userMap', function: ref } }
}

/** `map` starts from no fields, `set` from the input's: named ones are replaced in place, new ones go to the end. */
function readMap(entry: Entry, input: Input, kept: readonly Field[], problems: Problems): ReadOperator {
  const path = join(entry.path, entry.verb)
  const unknown: ReadOperator = { stream: { time: { kind: 'unknown' } } }
  const written = problems.fields(entry.fields[entry.verb], path)
  if (written === undefined) return unknown
  const computed = new Map<string, { field: Field; value: Expression }>(
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
  if (!isSound) return unknown
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
): { field: Field; value: Expression } | undefined {
  if (!checkFieldName(name, path, problems)) return undefined
  const text = readExpressionText(value, path, problems)
  const expression = text === undefined ? undefined : problems.attempt(path, () => parseExpression(text, schema))
  if (expression === undefined) return undefined
  return { field: namedField(name, expression), value: expression }
}

/** Event time lives in a field, so it is passed on where that field is, under whatever name. */
function timeAfterMap(
  entry: Entry,
  time: StreamTime,
  fields: readonly { field: Field; value: Expression }[],
): StreamTime {
  if (time.kind !== 'field') return time
  const carriers = fields.filter(({ value }) => value.kind === 'field' && value.name === time.field)
  const carrier = carriers.find(({ field }) => field.name === time.field) ?? carriers[0]
  if (carrier !== undefined) return { ...time, field: carrier.field.name }
  return { kind: 'none', why: `"${entry.id}" does not pass on "${time.field}", the event time` }
}

function readKeyBy(entry: Entry, input: Input, problems: Problems): ReadOperator {
  const keyBy = readKeys(entry, input.schema, problems)
  return keyBy === undefined ? { stream: input } : { stream: input, verb: { kind: 'keyBy' }, keyBy }
}

export function nodeOf(entry: Entry, read: ReadOperator, replicas: number | undefined): OperatorNode | undefined {
  const { verb, stream, keyBy, distribution } = read
  if (verb === undefined || stream.schema === undefined) return undefined
  return {
    id: entry.id,
    from: entry.from,
    schema: stream.schema,
    verb,
    ...(replicas === undefined ? {} : { parallelism: replicas }),
    ...(keyBy === undefined ? {} : { keyBy }),
    ...(distribution === undefined ? {} : { distribution }),
    ...sideOutputsOf(read),
  }
}

function sideOutputsOf({ sideOutputs = {} }: ReadOperator): Pick<OperatorNode, 'sideOutputs'> {
  const known = Object.entries(sideOutputs).flatMap(([name, { schema }]) =>
    schema === undefined ? [] : [[name, schema] as const],
  )
  return known.length === 0 ? {} : { sideOutputs: Object.fromEntries(known) }
}
