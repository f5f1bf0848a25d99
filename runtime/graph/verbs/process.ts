import { aspect } from './kit/aspects.ts'
import { functionText, namesText, shapeText } from './kit/descriptions.ts'
import { type Field, fieldsOf, type Schema } from '../../model/schema.ts'
import type { FunctionRef } from '../../model/user-module.ts'
import type { Entry } from './entry.ts'
import { readKeys } from './kit/key-fields.ts'
import { isFields, type Fields } from '../../model/fields.ts'
import { describe, join, type Problems } from '../problems.ts'
import { type Input, type Stream, type Surroundings, UNKNOWN_STREAM } from '../stream.ts'
import type { ReadOperator, VerbDefinition } from './verb.ts'
import { checkOutputName } from './side-output.ts'
import { checkFieldName, readSchema } from './kit/schema-fields.ts'
import { readDuration } from './kit/durations.ts'
import { mirrorSchema, type NamedMirror, readStateMirror } from './kit/state-mirror.ts'
import { readFunction, readOutput, timeAfterFunction } from './kit/user-function.ts'
import { traitsOf } from '../../model/type-traits.ts'

/** User code over each row, keyed or not; Flink's KeyedProcessFunction and ProcessFunction. */
export interface ProcessVerb {
  kind: 'process'
  function: FunctionRef
  /** Tables under the key, by the name the function knows them by. */
  state: Readonly<Record<string, StateDeclaration>>
  /** Tables whose changes come out of the side output of the same name, at every checkpoint; absent: none. */
  stateMirror?: readonly string[]
  /** Where the input has its event time; absent: it has none, and there are no timers. */
  eventTime?: { field: string; offsetMs: number }
}

export type StateDeclaration =
  | { kind: 'value'; schema: Schema; ttlMs?: number }
  | { kind: 'list'; schema: Schema; ttlMs?: number }
  | { kind: 'map'; userKey: readonly Field[]; schema: Schema; ttlMs?: number }

export const processVerb: VerbDefinition<ProcessVerb> = {
  word: 'process',
  entry: {
    forms: { process: { fields: ['keyBy', 'process'], takes: ['keyBy'] } },
    inputs: 'one stream',
    read: readProcess,
    checkForm: () => undefined,
  },
  reads: () => 'all',
  distributes: () => [],
  changes: () => ({ makes: { kind: 'append' }, addsUp: undefined }),
  // Without a key a function has no state.
  keeps: ({ verb, keyBy }, [input]) =>
    keyBy === undefined
      ? 'nothing'
      : {
          fields: (input?.fields ?? []).filter(({ name }) => keyBy.includes(name)),
          tables: Object.fromEntries(Object.entries(verb.state).map(([name, table]) => [name, tableText(table)])),
        },
  aspects: ({ verb: { eventTime: _, ...written }, keyBy, schema, sideOutputs = {} }) => [
    aspect('keyBy', keyBy, 'binds state'),
    aspect('process', [written, schema, sideOutputs], 'binds no state'),
  ],
  stage: 'process',
  spills: true,
  dependsOnArrival: false,
  refusesRows: true,
  functions: (verb) => [verb.function],
  service: () => undefined,
  describe: ({ verb, keyBy }) =>
    `process by ${functionText(verb.function)}${keyBy === undefined ? '' : `, keyed by ${namesText(keyBy)}`}`,
}

function tableText(table: StateDeclaration): string {
  const fields = [...(table.kind === 'map' ? table.userKey : []), ...table.schema.fields]
  return `${table.kind} of ${shapeText(fields)}`
}

const MAX_STATES = 16

/**
 * `process: { module, function, output, state, stateMirror, sideOutputs, eventTime }`, with `keyBy` beside it where there is
 * state.
 */
function readProcess(entry: Entry, input: Input, { modules }: Surroundings, problems: Problems): ReadOperator {
  const path = join(entry.path, 'process')
  const fields = problems.fields(entry.fields['process'], path, [
    'module',
    'function',
    'output',
    'state',
    'stateMirror',
    'sideOutputs',
    'eventTime',
  ])
  if (fields === undefined) return { stream: UNKNOWN_STREAM }
  const keyBy = entry.fields['keyBy'] === undefined ? undefined : readKeys(entry, input.schema, problems)
  const ref = readFunction(fields, path, modules, problems)
  const state = readState(fields['state'], join(path, 'state'), problems)
  if (fields['state'] !== undefined && entry.fields['keyBy'] === undefined) {
    problems.report('KEY_MISSING', entry.path, 'state is kept under a key', 'add keyBy: a field or a list of fields')
  }
  const mirrors = readStateMirror(fields['stateMirror'], join(path, 'stateMirror'), state ?? {}, problems)
  const keys = fieldsOf(input.schema, keyBy ?? [])
  const written = isFields(fields['sideOutputs']) ? fields['sideOutputs'] : {}
  const sideOutputs = {
    ...readSideOutputs(entry, fields, path, input, problems),
    ...mirrorStreams(mirrors, keys, Object.keys(written), problems),
  }
  const schema = readOutput(fields, path, problems)
  const stream: Stream =
    schema === undefined
      ? { time: { kind: 'unknown' } }
      : { schema, time: timeAfterFunction(entry, fields, path, input.time, schema, problems) }
  if (ref === undefined || state === undefined || (entry.fields['keyBy'] !== undefined && keyBy === undefined))
    return { stream, sideOutputs }
  const { time } = input
  return {
    stream,
    sideOutputs,
    ...(keyBy === undefined ? {} : { keyBy }),
    verb: {
      kind: 'process',
      function: ref,
      state,
      ...(mirrors.length === 0 ? {} : { stateMirror: mirrors.map(({ name }) => name) }),
      ...(time.kind === 'field' ? { eventTime: { field: time.field, offsetMs: time.offsetMs } } : {}),
    },
  }
}

/** The streams of changes, as side outputs that have the names of their tables. `taken` are the names of others. */
function mirrorStreams(
  mirrors: readonly NamedMirror[],
  keys: readonly Field[],
  taken: readonly string[],
  problems: Problems,
): Record<string, Stream> {
  return Object.fromEntries(
    mirrors.flatMap((mirror): [string, Stream][] => {
      const { name, path } = mirror
      if (!checkOutputName(name, path, problems)) return []
      if (taken.includes(name))
        problems.report(
          'STATE_INVALID',
          path,
          `the changes of "${name}" come out of a side output of that name, and there is one`,
          'rename one of them',
        )
      const schema = mirrorSchema(keys, mirror, problems)
      const why = `the changes of "${name}" are told at checkpoints, not at times of events`
      return [[name, { ...(schema === undefined ? {} : { schema }), time: { kind: 'none', why } }]]
    }),
  )
}

function readSideOutputs(
  entry: Entry,
  fields: Fields,
  path: string,
  input: Input,
  problems: Problems,
): Record<string, Stream> {
  const sidePath = join(path, 'sideOutputs')
  const written = fields['sideOutputs'] === undefined ? {} : (problems.fields(fields['sideOutputs'], sidePath) ?? {})
  return Object.fromEntries(
    Object.entries(written).flatMap(([name, value]): [string, Stream][] => {
      if (!checkOutputName(name, join(sidePath, name), problems)) return []
      const schema = readSchema(value, join(sidePath, name), problems)
      return [
        [
          name,
          schema === undefined
            ? { time: { kind: 'unknown' } }
            : { schema, time: timeAfterFunction(entry, {}, sidePath, input.time, schema, problems) },
        ],
      ]
    }),
  )
}

/** `state: { last: { value: { price: long } }, seen: { list: …, ttl: 1h }, by: { map: …, key: { bidder: long } } }`. */
function readState(
  value: unknown,
  path: string,
  problems: Problems,
): Readonly<Record<string, StateDeclaration>> | undefined {
  if (value === undefined) return {}
  const written = problems.fields(value, path)
  if (written === undefined) return undefined
  const names = Object.keys(written)
  if (names.length > MAX_STATES)
    problems.report('TOO_LARGE', path, `has ${names.length} tables, at most ${MAX_STATES} are taken`)
  const read = names.map((name) => {
    const isNamed = checkFieldName(name, join(path, name), problems)
    const declared = readDeclaration(written[name], join(path, name), problems)
    return isNamed && declared !== undefined ? ([name, declared] as const) : undefined
  })
  const sound = read.filter((entry) => entry !== undefined)
  return sound.length === names.length ? Object.fromEntries(sound) : undefined
}

function readDeclaration(value: unknown, path: string, problems: Problems): StateDeclaration | undefined {
  const fields = problems.fields(value, path, ['value', 'list', 'map', 'key', 'ttl'])
  if (fields === undefined) return undefined
  const kinds = (['value', 'list', 'map'] as const).filter((kind) => kind in fields)
  const [kind] = kinds
  if (kind === undefined || kinds.length > 1) {
    problems.report(
      'STATE_INVALID',
      path,
      kind === undefined ? 'holds nothing' : `is ${kinds.join(' and ')} at once`,
      'write { value: { field: type } }, { list: { field: type } } or { map: { field: type }, key: { field: type } }',
    )
    return undefined
  }
  const schema = readSchema(fields[kind], join(path, kind), problems)
  const ttlMs = fields['ttl'] === undefined ? undefined : readDuration(fields['ttl'], join(path, 'ttl'), problems)
  if (ttlMs === 0) problems.report('DURATION_INVALID', join(path, 'ttl'), `${describe(fields['ttl'])} keeps nothing`)
  const timed = ttlMs === undefined ? {} : { ttlMs }
  if (kind !== 'map' && 'key' in fields) problems.report('UNKNOWN_FIELD', join(path, 'key'), 'key goes with map')
  if (schema === undefined) return undefined
  if (kind !== 'map') return { kind, schema, ...timed }
  const userKey = readUserKey(fields['key'], join(path, 'key'), problems)
  return userKey === undefined ? undefined : { kind, schema, userKey, ...timed }
}

function readUserKey(value: unknown, path: string, problems: Problems): readonly Field[] | undefined {
  const schema = readSchema(value, path, problems)
  const bad = schema?.fields.find((field) => !traitsOf(field).hasEquality)
  if (bad === undefined) return schema?.fields
  problems.report('TYPE_MISMATCH', join(path, bad.name), `"${bad.name}" is json, which has no equality`)
  return undefined
}
