import { fieldOf, type Schema } from '../../model/schema.ts'
import { suggestion } from '../../expressions/suggest.ts'
import type { Entry } from './entry.ts'
import { readKeys } from './kit/key-fields.ts'
import { describe, join, type Fields, type Problems } from '../problems.ts'
import type { Input, ReadOperator } from '../stream.ts'
import { readDuration } from './source.ts'

export interface DedupeVerb {
  kind: 'dedupe'
  /** `last`: the newest by `orderBy`, a field of numbers or times. */
  keep: { which: 'first' } | { which: 'last'; orderBy: string }
  ttlMs?: number
}

const USAGE = 'write { keep: first } or { keep: last }'

/** `dedupe: { keep: first | last, orderBy: FIELD, ttl: 1h }` beside `keyBy`. Rows come out as they go in. */
export function readDedupe(entry: Entry, inputs: readonly Input[], problems: Problems): ReadOperator {
  const [input] = inputs
  if (input === undefined) return { stream: { time: { kind: 'unknown' } } }
  const path = join(entry.path, 'dedupe')
  const keyBy = readKeys(entry, input.schema, problems)
  const fields = problems.fields(entry.fields['dedupe'], path, ['keep', 'orderBy', 'ttl'])
  if (fields === undefined) return { stream: input }
  const keep = readKeep(fields, path, input, problems)
  const ttlMs = readTtl(fields['ttl'], join(path, 'ttl'), problems)
  if (fields['ttl'] === undefined) warnUnbounded(path, 'the keys', problems)
  if (keyBy === undefined || keep === undefined || ttlMs === 'wrong') return { stream: input }
  return { stream: input, keyBy, verb: { kind: 'dedupe', keep, ...(ttlMs === undefined ? {} : { ttlMs }) } }
}

function readKeep(fields: Fields, path: string, input: Input, problems: Problems): DedupeVerb['keep'] | undefined {
  switch (fields['keep']) {
    case 'first':
      if (fields['orderBy'] === undefined) return { which: 'first' }
      problems.report(
        'DEDUPE_INVALID',
        join(path, 'orderBy'),
        'keep: first takes the first row that comes and orders none',
        'leave orderBy out, or keep: last',
      )
      return undefined
    case 'last': {
      const orderBy = readOrder(fields['orderBy'], path, input, problems)
      return orderBy === undefined ? undefined : { which: 'last', orderBy }
    }
    default:
      problems.report(
        fields['keep'] === undefined ? 'DEDUPE_INVALID' : 'UNKNOWN_VALUE',
        join(path, 'keep'),
        `which row of a key is kept is ${describe(fields['keep'])}`,
        USAGE,
      )
      return undefined
  }
}

function readOrder(value: unknown, path: string, { schema, time }: Input, problems: Problems): string | undefined {
  if (value !== undefined) return readOrderField(value, join(path, 'orderBy'), schema, problems)
  if (time.kind === 'field') return time.field
  if (time.kind === 'none') {
    problems.report(
      'EVENT_TIME_MISSING',
      path,
      `keep: last orders by event time: ${time.why}`,
      'declare eventTime at the source, or name a field with orderBy',
    )
  }
  return undefined
}

/** A field whose values have an order that numbers have. */
export function readOrderField(value: unknown, path: string, schema: Schema, problems: Problems): string | undefined {
  const name = problems.text(value, path, 256)
  if (name === undefined) return undefined
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
    return undefined
  }
  if (field.type === 'long' || field.type === 'double' || field.type === 'timestamp') return name
  problems.report(
    'TYPE_MISMATCH',
    path,
    `"${name}" is ${field.type}, rows are ordered by a long, double or timestamp`,
    'compute a number from it with set before',
  )
  return undefined
}

/** Undefined when there is none, which `forever` says too. */
export function readTtl(value: unknown, path: string, problems: Problems): number | 'wrong' | undefined {
  if (value === undefined || value === 'forever') return undefined
  const ms = readDuration(value, path, problems)
  if (ms === 0) problems.report('DURATION_INVALID', path, 'nothing would be kept at all', 'write 1h, or forever')
  return ms === undefined || ms === 0 ? 'wrong' : ms
}

export function warnUnbounded(path: string, what: string, problems: Problems): void {
  problems.warn(
    'STATE_UNBOUNDED',
    path,
    `without ttl ${what} are kept for ever: state grows with every new key`,
    'add ttl: 1h, or as long as rows of a key may be apart; write ttl: forever when it is meant so',
  )
}
