import type { ConnectorDeclarations, OptionProblem, Options } from '../connector-declaration.ts'
import type { Entry } from './entry.ts'
import type { ErrorPolicy, SourceVerb, WatermarkAlignment } from '../job-graph.ts'
import { describe, isFields, join, joinRelative, type Problems, type Fields } from '../problems.ts'
import { suggestion } from '../../expressions/suggest.ts'
import { fieldOf, isFieldName, namedField, type Field, type Schema } from '../../model/schema.ts'
import { KNOWN_TYPES, parseValueType } from '../../model/value-type.ts'
import { parseDurationMs } from '../../model/time.ts'

export const MAX_FIELDS = 256

/** `{ kafka: { topic: x } }` or, without options, just `console`: a connector's name and its options. */
export interface ConnectorChoice {
  name: string
  options: Options
  path: string
}

/** A source's entry → verb and schema; undefined when something was wrong (and reported). */
export function readSource(
  entry: Entry,
  connectors: ConnectorDeclarations,
  problems: Problems,
): { verb: SourceVerb; schema: Schema | undefined } | undefined {
  const { fields, path } = entry
  const choice = readConnector(fields['source'], join(path, 'source'), connectors.sources, 'source', problems)
  const onError = readOnError(fields['onError'], join(path, 'onError'), connectors, problems)
  const check = choice === undefined ? undefined : connectors.sources[choice.name]
  const rate = choice === undefined ? undefined : readRate(choice, problems)
  const options = choice === undefined ? {} : withoutRate(choice.options)
  const isSound = choice !== undefined && reportOptions(check?.options.check(options) ?? [], choice.path, problems)
  const fixed = isSound ? check?.fixedSchema?.(options) : undefined
  const schema = readSourceSchema(
    fields,
    path,
    choice,
    { fixed, canHaveFixed: check?.fixedSchema !== undefined },
    problems,
  )
  if (isSound && schema !== undefined) reportOptions(check?.checkSchema?.(options, schema) ?? [], choice.path, problems)
  const eventTime = readEventTime(fields['eventTime'], join(path, 'eventTime'), schema, problems)
  if (choice !== undefined && rate?.kind === 'replay' && fields['eventTime'] === undefined) {
    problems.report(
      'EVENT_TIME_MISSING',
      join(choice.path, 'rate'),
      'replays event time, but the source declares none',
      'add eventTime: { field: … } or write a rate of records, e.g. 5000/s',
    )
  }
  if (choice === undefined) return undefined
  const verb: SourceVerb = {
    kind: 'source',
    connector: choice.name,
    options,
    onError,
    ...(eventTime === undefined ? {} : { eventTime }),
    ...(rate === undefined ? {} : { rate }),
  }
  return { verb, schema }
}

/** Reads `{ name: options }`, checks the name against the registry; options are not looked at. */
export function readConnector(
  value: unknown,
  path: string,
  known: Readonly<Record<string, unknown>>,
  what: string,
  problems: Problems,
): ConnectorChoice | undefined {
  const chosen: unknown = typeof value === 'string' ? { [value]: {} } : value
  if (!isFields(chosen)) {
    problems.report(
      'TYPE_MISMATCH',
      path,
      `must name a ${what}, not ${describe(value)}`,
      `known here: ${Object.keys(known).join(', ')}`,
    )
    return undefined
  }
  const names = Object.keys(chosen)
  const [name] = names
  if (name === undefined || names.length > 1) {
    problems.report(
      'TYPE_MISMATCH',
      path,
      `must name one ${what}, not ${names.length === 0 ? 'none' : names.join(' and ')}`,
    )
    return undefined
  }
  const optionsPath = join(path, name)
  if (!Object.hasOwn(known, name)) {
    problems.report(
      'UNKNOWN_CONNECTOR',
      optionsPath,
      `there is no ${what} "${name}"`,
      suggestion(name, Object.keys(known)),
    )
    return undefined
  }
  const options = problems.fields(chosen[name] ?? {}, optionsPath)
  return options === undefined ? undefined : { name, options, path: optionsPath }
}

/** True when there was nothing to report. */
export function reportOptions(found: readonly OptionProblem[], path: string, problems: Problems): boolean {
  for (const problem of found)
    problems.report('OPTION_INVALID', joinRelative(path, problem.path), problem.message, problem.hint)
  return found.length === 0
}

function readOnError(value: unknown, path: string, connectors: ConnectorDeclarations, problems: Problems): ErrorPolicy {
  if (value === undefined || value === 'skip') return { kind: 'skip' }
  if (value === 'fail') return { kind: 'fail' }
  if (typeof value === 'string') {
    problems.report(
      'UNKNOWN_VALUE',
      path,
      `${describe(value)} is no error policy`,
      suggestion(value, ['fail', 'skip', 'deadLetter']),
    )
    return { kind: 'skip' }
  }
  const fields = problems.fields(value, path, ['deadLetter'])
  if (fields === undefined) return { kind: 'skip' }
  const choice = readConnector(
    fields['deadLetter'],
    join(path, 'deadLetter'),
    connectors.deadLetters,
    'dead letter sink',
    problems,
  )
  if (choice === undefined) return { kind: 'skip' }
  reportOptions(connectors.deadLetters[choice.name]?.options.check(choice.options) ?? [], choice.path, problems)
  return { kind: 'deadLetter', connector: choice.name, options: choice.options }
}

function readRate(choice: ConnectorChoice, problems: Problems): SourceVerb['rate'] {
  const value = choice.options['rate']
  if (value === undefined) return undefined
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(x|\/s)$/.exec(value) : null
  const amount = Number(match?.[1])
  if (match === null || !(amount > 0) || !Number.isFinite(amount)) {
    problems.report(
      'RATE_INVALID',
      join(choice.path, 'rate'),
      `${describe(value)} is no rate`,
      'write 1000x to replay event time 1000 times faster, or 5000/s to limit records',
    )
    return undefined
  }
  return match[2] === 'x' ? { kind: 'replay', speed: amount } : { kind: 'records', perSecond: amount }
}

function withoutRate(options: Options): Options {
  const { rate: _rate, ...rest } = options
  return rest
}

function readSourceSchema(
  fields: Fields,
  path: string,
  choice: ConnectorChoice | undefined,
  own: { fixed: Schema | undefined; canHaveFixed: boolean },
  problems: Problems,
): Schema | undefined {
  const written = fields['schema']
  const schemaPath = join(path, 'schema')
  if (own.canHaveFixed) {
    if (written !== undefined)
      problems.report(
        'UNKNOWN_FIELD',
        schemaPath,
        `the source ${choice?.name ?? ''} has its own schema`,
        'leave it out',
      )
    return own.fixed
  }
  if (written !== undefined) return readSchema(written, schemaPath, problems)
  if (choice !== undefined)
    problems.report(
      'SCHEMA_MISSING',
      path,
      'the source has no schema',
      'write schema: { field: type, … }, types: ' + KNOWN_TYPES.join(', ') + '; a ? behind the type lets it be null',
    )
  return undefined
}

/** `{ price: long, delay: double? }` → Schema. */
export function readSchema(value: unknown, path: string, problems: Problems): Schema | undefined {
  const written = problems.fields(value, path)
  if (written === undefined) return undefined
  const names = Object.keys(written)
  if (names.length === 0 || names.length > MAX_FIELDS) {
    problems.report('TOO_LARGE', path, `has ${names.length} fields, 1 to ${MAX_FIELDS} are taken`)
    return undefined
  }
  const fields = names.map((name) => readField(name, written[name], join(path, name), problems))
  const sound = fields.filter((field) => field !== undefined)
  return sound.length < fields.length ? undefined : { fields: sound }
}

export function readField(name: string, type: unknown, path: string, problems: Problems): Field | undefined {
  if (!checkFieldName(name, path, problems)) return undefined
  if (typeof type !== 'string') {
    problems.report(
      'TYPE_MISMATCH',
      path,
      `must be a type, not ${describe(type)}`,
      `known here: ${KNOWN_TYPES.join(', ')}`,
    )
    return undefined
  }
  const known = parseValueType(type)
  if (known === undefined) problems.report('UNKNOWN_TYPE', path, `there is no type ${describe(type)}`, typeHint(type))
  return known === undefined ? undefined : namedField(name, known)
}

/** What other systems call the types. */
const TYPES_ELSEWHERE: readonly (readonly [type: string, names: RegExp])[] = [
  ['long', /^(tiny|small|big)?int(eger)?(8|16|32|64)?$|^short$|^byte$|^number$/],
  ['double', /^(float|real)(32|64)?$/],
  ['string', /^(var)?char(\(\d+\))?$|^text$|^str$|^uuid$/],
  ['boolean', /^bool$/],
  ['timestamp', /^timestamp(_ltz)?(\(\d\))?$|^datetime$/],
  ['bytes', /^(var)?binary(\(\d+\))?$|^blob$/],
  ['decimal(10,2): up to 38 digits, so many of them behind the point', /^(decimal|numeric)\b/],
  ['json', /^(map|multiset)\b|^(object|any|variant)$/],
  ['array<type>', /^(array|list)\b/],
  ["'row{name: type}'", /^(row|struct|record)\b/],
]

function typeHint(written: string): string | undefined {
  const name = written.replace(/\?$/, '').trim().toLowerCase()
  const inner = /^array<(.*)>$/.exec(name)?.[1]
  const meant = TYPES_ELSEWHERE.find(([, names]) => names.test(inner ?? name))?.[0]
  return meant === undefined
    ? suggestion(name, KNOWN_TYPES)
    : `write ${inner === undefined ? meant : `array<${meant}>`}`
}

/** Names of fields are written into generated code and must be plain identifiers. */
export function checkFieldName(name: string, path: string, problems: Problems): boolean {
  if (isFieldName(name)) return true
  const hint =
    name === 'true' || name === 'false'
      ? 'kubectl takes an unquoted y, n, yes, no, on or off for true or false: write it in quotes'
      : 'letters, digits and _, no digit first, and no name that every JavaScript object has'
  problems.report('FIELD_NAME_INVALID', path, `${describe(name)} cannot be a field name`, hint)
  return false
}

function readEventTime(
  value: unknown,
  path: string,
  schema: Schema | undefined,
  problems: Problems,
): SourceVerb['eventTime'] {
  if (value === undefined) return undefined
  const fields = problems.fields(value, path, ['field', 'outOfOrderness', 'idleAfter', 'align'])
  if (fields === undefined) return undefined
  const field = problems.text(fields['field'], join(path, 'field'), 256)
  if (field !== undefined && schema !== undefined) checkTimeField(field, schema, join(path, 'field'), problems)
  const disorder = fields['outOfOrderness']
  const outOfOrdernessMs = disorder === undefined ? 0 : readDuration(disorder, join(path, 'outOfOrderness'), problems)
  const idleAfterMs =
    fields['idleAfter'] === undefined ? undefined : readDuration(fields['idleAfter'], join(path, 'idleAfter'), problems)
  if (idleAfterMs === 0)
    problems.report(
      'DURATION_INVALID',
      join(path, 'idleAfter'),
      'must be longer than nothing',
      'leave it out to wait for every split',
    )
  const align = readAlignment(fields['align'], join(path, 'align'), problems)
  if (field === undefined || outOfOrdernessMs === undefined) return undefined
  return {
    field,
    outOfOrdernessMs,
    ...(idleAfterMs === undefined ? {} : { idleAfterMs }),
    ...(align === undefined ? {} : { align }),
  }
}

function readAlignment(value: unknown, path: string, problems: Problems): WatermarkAlignment | undefined {
  if (value === undefined) return undefined
  const fields = problems.fields(value, path, ['group', 'maxDrift'])
  if (fields === undefined) return undefined
  const group = problems.text(fields['group'], join(path, 'group'), 64)
  const maxDriftMs = readDuration(fields['maxDrift'], join(path, 'maxDrift'), problems)
  if (maxDriftMs === 0)
    problems.report(
      'DURATION_INVALID',
      join(path, 'maxDrift'),
      'must be longer than nothing',
      'no two splits are at the very same time: write how far apart they may be, e.g. 30s',
    )
  return group === undefined || maxDriftMs === undefined ? undefined : { group, maxDriftMs }
}

function checkTimeField(name: string, schema: Schema, path: string, problems: Problems): void {
  const field = fieldOf(schema, name)
  if (field === undefined) {
    problems.report(
      'UNKNOWN_FIELD',
      path,
      `there is no field "${name}"`,
      suggestion(
        name,
        schema.fields.map((known) => known.name),
      ),
    )
  } else if (field.type !== 'timestamp') {
    problems.report(
      'TYPE_MISMATCH',
      path,
      `"${name}" is ${field.type}, event time must be a timestamp`,
      'declare it as timestamp: it reads epoch milliseconds and ISO 8601',
    )
  }
}

export function readDuration(value: unknown, path: string, problems: Problems): number | undefined {
  const ms = typeof value === 'string' ? parseDurationMs(value) : undefined
  if (ms === undefined)
    problems.report('DURATION_INVALID', path, `${describe(value)} is no duration`, 'write 500ms, 10s, 1m, 2h or 7d')
  return ms
}
