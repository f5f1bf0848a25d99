import { readAggregates, type Aggregate } from './kit/aggregate-fields.ts'
import type { Entry } from './entry.ts'
import { readKeys } from './kit/key-fields.ts'
import { join, type Problems } from '../problems.ts'
import { readDuration } from './source.ts'
import type { Input, ReadOperator, Stream } from '../stream.ts'
import { fieldOf } from '../../model/schema.ts'

export interface RunningAggregateVerb {
  kind: 'aggregate'
  aggregates: readonly Aggregate[]
  /** batch: once per key and batch of input. */
  emit: { kind: 'batch' } | { kind: 'everyRow' } | { kind: 'every'; ms: number }
  /** Processing time since the last row of a key, after which it is as if it had never been. */
  ttlMs?: number
}

/** `keyBy` + `aggregate` without a window: the key fields and the aggregates as they are now, again and again. */
export function readRunningAggregate(
  entry: Entry,
  inputs: readonly Input[],
  modules: ReadonlySet<string>,
  problems: Problems,
): ReadOperator {
  const nothing: ReadOperator = { stream: { time: { kind: 'unknown' } } }
  const [input] = inputs
  if (input === undefined) return nothing
  const keyBy = readKeys(entry, input.schema, problems)
  const aggregates = readAggregates(entry, input.schema, keyBy ?? [], modules, problems)
  const emit = readEmit(entry, problems)
  const ttlMs = readTtl(entry, problems)
  if (keyBy === undefined || aggregates === undefined) return nothing
  const stream: Stream = {
    schema: {
      fields: [...keyBy.flatMap((name) => fieldOf(input.schema, name) ?? []), ...aggregates.map(({ field }) => field)],
    },
    time: { kind: 'none', why: `what comes out of "${entry.id}" is of no moment: each row replaces the one before` },
  }
  if (emit === undefined || ttlMs === undefined) return { stream }
  return { stream, keyBy, verb: { kind: 'aggregate', aggregates, emit, ...(ttlMs === 'never' ? {} : { ttlMs }) } }
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

/** The `ttl` of an entry, `never` when it has none or is `forever`. Undefined after reporting. */
export function readTtl(entry: Entry, problems: Problems): number | 'never' | undefined {
  const { ttl } = entry.fields
  if (ttl === undefined || ttl === 'forever') return 'never'
  const path = join(entry.path, 'ttl')
  const ms = readDuration(ttl, path, problems)
  if (ms === 0) problems.report('DURATION_INVALID', path, 'must be longer than nothing')
  return ms === 0 ? undefined : ms
}
