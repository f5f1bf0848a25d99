import { readTtl } from './kit/durations.ts'
import { aspect } from './kit/aspects.ts'
import { aggregatesText, keptText, namesText } from './kit/descriptions.ts'
import {
  type Aggregate,
  aggregateFunctions,
  aggregatesAspect,
  fieldsAggregated,
  fieldThatAddsUp,
  readAggregates,
} from './kit/aggregate-fields.ts'
import type { Entry } from './entry.ts'
import { readKeys } from './kit/key-fields.ts'
import { join, type Problems } from '../problems.ts'
import { readDuration } from './kit/durations.ts'
import { type Input, type Stream, type Surroundings, UNKNOWN_STREAM } from '../stream.ts'
import type { ReadOperator, VerbDefinition } from './verb.ts'
import { fieldOf } from '../../model/schema.ts'

export interface RunningAggregateVerb {
  kind: 'aggregate'
  aggregates: readonly Aggregate[]
  /** batch: once per key and batch of input. */
  emit: { kind: 'batch' } | { kind: 'everyRow' } | { kind: 'every'; ms: number }
  /** Processing time since the last row of a key, after which it is as if it had never been. */
  ttlMs?: number
}

export const runningAggregateVerb: VerbDefinition<RunningAggregateVerb> = {
  word: 'aggregate',
  entry: {
    forms: { aggregate: { fields: ['keyBy', 'aggregate', 'emit', 'ttl'], takes: ['keyBy'] } },
    inputs: 'one stream',
    read: readRunningAggregate,
    checkForm: () => undefined,
  },
  reads: ({ verb, keyBy = [] }) => new Set([...keyBy, ...fieldsAggregated(verb.aggregates)]),
  distributes: ({ keyBy }) => (keyBy === undefined ? [] : [keyBy]),
  changes: ({ verb }) => ({
    makes: { kind: 'upsert', why: 'puts out a key again whenever it changes' },
    addsUp: fieldThatAddsUp(verb.aggregates),
  }),
  keeps: ({ schema }) => ({ fields: schema.fields, tables: {} }),
  aspects: ({ verb, keyBy }) => [
    aspect('keyBy', keyBy, 'binds state'),
    aggregatesAspect(verb.aggregates),
    aspect('emit', verb.emit, 'binds no state'),
    aspect('ttl', verb.ttlMs, 'binds no state'),
  ],
  stage: 'running-aggregate',
  spills: false,
  dependsOnArrival: true,
  refusesRows: true,
  functions: (verb) => aggregateFunctions(verb.aggregates),
  service: () => undefined,
  describe: ({ verb, keyBy }) => `running by ${namesText(keyBy)}: ${aggregatesText(verb.aggregates)}${keptText(verb)}`,
}

/** `keyBy` + `aggregate` without a window: the key fields and the aggregates as they are now, again and again. */
function readRunningAggregate(entry: Entry, input: Input, { modules }: Surroundings, problems: Problems): ReadOperator {
  const keyBy = readKeys(entry, input.schema, problems)
  const aggregates = readAggregates(entry, input.schema, keyBy ?? [], modules, problems)
  const emit = readEmit(entry, problems)
  const ttlMs = readTtl(entry.fields['ttl'], join(entry.path, 'ttl'), problems)
  if (keyBy === undefined || aggregates === undefined) return { stream: UNKNOWN_STREAM }
  const stream: Stream = {
    schema: {
      fields: [...keyBy.flatMap((name) => fieldOf(input.schema, name) ?? []), ...aggregates.map(({ field }) => field)],
    },
    time: { kind: 'none', why: `what comes out of "${entry.id}" is of no moment: each row replaces the one before` },
  }
  if (emit === undefined || ttlMs === 'wrong') return { stream }
  return { stream, keyBy, verb: { kind: 'aggregate', aggregates, emit, ...(ttlMs === undefined ? {} : { ttlMs }) } }
}

function readEmit(entry: Entry, problems: Problems): RunningAggregateVerb['emit'] | undefined {
  const written = entry.fields['emit']
  const path = join(entry.path, 'emit')
  if (written === undefined) return { kind: 'batch' }
  if (written === 'everyRow') return { kind: 'everyRow' }
  const every = typeof written === 'string' ? undefined : problems.fields(written, path, ['every'])?.['every']
  if (every === undefined) {
    problems.report(
      'EMIT_INVALID',
      path,
      'does not say when rows come out',
      'write everyRow, or { every: 1s }, or leave it out',
    )
    return undefined
  }
  const ms = readDuration(every, join(path, 'every'), problems)
  if (ms === 0)
    problems.report(
      'EMIT_INVALID',
      join(path, 'every'),
      'must be longer than nothing',
      'emit: everyRow gives a row for each',
    )
  return ms === undefined || ms === 0 ? undefined : { kind: 'every', ms }
}
