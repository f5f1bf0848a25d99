import { aspect } from './kit/aspects.ts'
import type { ConnectorDeclarations, Options } from '../connector-declaration.ts'
import type { Entry } from './entry.ts'
import type { Fields } from '../../model/fields.ts'
import { describe, join, type Problems } from '../problems.ts'
import { suggestion } from '../../expressions/suggest.ts'
import { fieldOf, type Schema } from '../../model/schema.ts'
import { KNOWN_TYPES } from '../../model/value-type.ts'
import { type ConnectorChoice, readConnector, reportOptions, warnOfOptions } from './kit/connector-choice.ts'
import { readDuration } from './kit/durations.ts'
import { readSchema } from './kit/schema-fields.ts'
import type { ReadOperator, VerbDefinition } from './verb.ts'
import { type StreamTime, type Surroundings, UNKNOWN_STREAM } from '../stream.ts'

export interface SourceVerb {
  kind: 'source'
  connector: string
  /** As written under the connector's name; the declaration of the connector checks them. */
  options: Readonly<Record<string, unknown>>
  /** `idleAfterMs`: a split that gives nothing for so long no longer holds the watermark back. */
  eventTime?: { field: string; outOfOrdernessMs: number; idleAfterMs?: number; align?: WatermarkAlignment }
  /** Replay pace of a bounded source. */
  rate?: { kind: 'replay'; speed: number } | { kind: 'records'; perSecond: number }
}

/** A split that is more than `maxDriftMs` ahead of the slowest one of all sources of the group waits for it. */
export interface WatermarkAlignment {
  group: string
  maxDriftMs: number
}

export const sourceVerb: VerbDefinition<SourceVerb> = {
  word: 'source',
  entry: {
    forms: { source: { fields: ['source', 'schema', 'eventTime'], takes: [] } },
    inputs: 'none',
    read: readSourceOperator,
  },
  reads: () => 'all',
  distributes: () => [],
  changes: () => ({ makes: { kind: 'append' }, addsUp: undefined }),
  keeps: () => 'position',
  aspects: ({ verb, schema }) => [
    aspect('source', [verb.connector, verb.options, verb.rate], 'binds no state'),
    aspect('schema', schema.fields, 'binds no state'),
    aspect('eventTime', verb.eventTime, 'binds no state'),
  ],
  stage: undefined,
  spills: false,
  dependsOnArrival: false,
  refusesRows: true,
  functions: () => [],
  service: () => undefined,
  describe: ({ verb: { connector, eventTime } }) =>
    `source ${connector}${eventTime === undefined ? '' : `, event time ${eventTime.field}${alignmentText(eventTime.align)}`}`,
}

function alignmentText(align: WatermarkAlignment | undefined): string {
  return align === undefined ? '' : `, at most ${align.maxDriftMs} ms ahead of ${align.group}`
}

function readSourceOperator(entry: Entry, { connectors }: Surroundings, problems: Problems): ReadOperator {
  const read = readSource(entry, connectors, problems)
  if (read === undefined) return { stream: UNKNOWN_STREAM }
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

/** A source's entry → verb and schema; undefined when something was wrong (and reported). */
function readSource(
  entry: Entry,
  connectors: ConnectorDeclarations,
  problems: Problems,
): { verb: SourceVerb; schema: Schema | undefined } | undefined {
  const { fields, path } = entry
  const choice = readConnector(fields['source'], join(path, 'source'), connectors.sources, 'source', problems)
  const check = choice === undefined ? undefined : connectors.sources[choice.name]
  const rate = choice === undefined ? undefined : readRate(choice, problems)
  const options = choice === undefined ? {} : withoutRate(choice.options)
  const isSound = choice !== undefined && reportOptions(check?.options.check(options) ?? [], choice.path, problems)
  if (isSound) warnOfOptions(check?.warnings?.(options) ?? [], choice.path, problems)
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
    ...(eventTime === undefined ? {} : { eventTime }),
    ...(rate === undefined ? {} : { rate }),
  }
  return { verb, schema }
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
      `${describe(value)} is not a rate`,
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
