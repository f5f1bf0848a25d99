import { aspect } from './kit/aspects.ts'
import { keptText, namesText } from './kit/descriptions.ts'
import { withFields } from './kit/field-names.ts'
import { fieldsOf } from '../../model/schema.ts'
import type { Entry } from './entry.ts'
import { readKeys } from './kit/key-fields.ts'
import type { Fields } from '../../model/fields.ts'
import { describe, join, type Problems } from '../problems.ts'
import type { Input, Surroundings } from '../stream.ts'
import type { ReadOperator, VerbDefinition } from './verb.ts'
import { readTtl, warnUnbounded } from './kit/durations.ts'
import { readOrderField } from './kit/order-field.ts'

export interface DedupeVerb {
  kind: 'dedupe'
  /** `last`: the newest by `orderBy`, a field of numbers or times. */
  keep: { which: 'first' } | { which: 'last'; orderBy: string }
  ttlMs?: number
}

export const dedupeVerb: VerbDefinition<DedupeVerb> = {
  word: 'dedupe',
  entry: {
    forms: { dedupe: { fields: ['keyBy', 'dedupe'], takes: ['keyBy'] } },
    inputs: 'one stream',
    read: readDedupe,
    checkForm: () => undefined,
  },
  reads: ({ verb, keyBy = [] }, wanted) => withFields(wanted, [...keyBy, ...orderFields(verb)]),
  distributes: ({ keyBy }) => (keyBy === undefined ? [] : [keyBy]),
  changes: ({ verb }) => ({
    makes:
      verb.keep.which === 'last'
        ? { kind: 'upsert', why: 'puts out a key again whenever a newer row comes' }
        : { kind: 'append' },
    addsUp: undefined,
  }),
  keeps: ({ verb, keyBy = [], schema }) => ({ fields: fieldsOf(schema, [...keyBy, ...orderFields(verb)]), tables: {} }),
  aspects: ({ verb, keyBy }) => [
    aspect('keyBy', keyBy, 'binds state'),
    aspect('dedupe', verb.keep, 'binds state'),
    aspect('dedupe', verb.ttlMs, 'binds no state'),
  ],
  stage: 'dedupe',
  spills: true,
  dependsOnArrival: true,
  refusesRows: true,
  functions: () => [],
  service: () => undefined,
  describe: ({ verb, keyBy }) =>
    `${verb.keep.which === 'first' ? 'the first' : `the newest by ${verb.keep.orderBy}`} of ${namesText(keyBy)}${keptText(verb)}`,
}

function orderFields({ keep }: DedupeVerb): readonly string[] {
  return keep.which === 'last' ? [keep.orderBy] : []
}

const USAGE = 'write { keep: first } or { keep: last }'

/** `dedupe: { keep: first | last, orderBy: FIELD, ttl: 1h }` beside `keyBy`. Rows come out as they go in. */
function readDedupe(entry: Entry, input: Input, _around: Surroundings, problems: Problems): ReadOperator {
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
