import { readRenamed } from './kit/renamed-member.ts'
import { aspect } from './kit/aspects.ts'
import { keptText, namesText } from './kit/descriptions.ts'
import { withFields } from './kit/field-names.ts'
import { fieldOf, fieldsOf, type Schema } from '../../model/schema.ts'
import { isText, readOrderField } from './kit/order-field.ts'
import { readTtl, warnUnbounded } from './kit/durations.ts'
import type { Entry } from './entry.ts'
import { readKeys } from './kit/key-fields.ts'
import type { Fields } from '../../model/fields.ts'
import { describe, join, type Problems } from '../problems.ts'
import type { Input, Stream, Surroundings } from '../stream.ts'
import type { ReadOperator, VerbDefinition } from './verb.ts'
import { checkFieldName } from './kit/schema-fields.ts'

/** State holds a number per place of every key, and with ranks a row. */
const MAX_N = 1000

export interface TopNVerb {
  kind: 'topN'
  n: number
  by: string
  order: 'asc' | 'desc'
  /** What decides among rows that are equal by what comes before. */
  then?: readonly RankedBy[]
  /** Name of the field that carries the rank, from 1; absent: ranks are not put out. */
  rank?: string
  ttlMs?: number
  /**
   * The event time of the rows, which is part of the key: the ranking of a key comes once, when the watermark has
   * passed its time. Absent: rows come as they enter.
   */
  finalAt?: { field: string; offsetMs: number }
}

export type RankedBy = Pick<TopNVerb, 'by' | 'order'>

/** All that rows are ranked by, what decides first in front. */
export function rankedBy({ by, order, then = [] }: TopNVerb): readonly RankedBy[] {
  return [{ by, order }, ...then]
}

export const topNVerb: VerbDefinition<TopNVerb> = {
  word: 'topN',
  entry: {
    forms: { topN: { fields: ['keyBy', 'topN'], takes: ['keyBy'] } },
    inputs: 'one stream',
    read: readTopN,
    checkForm: () => undefined,
  },
  // Ranked rows are state, which does not depend on who reads what.
  reads: ({ verb, keyBy = [], schema }, wanted) =>
    keepsRows(verb, schema) ? 'all' : withFields(wanted, [...keyBy, ...fieldNames(verb)]),
  distributes: ({ keyBy }) => (keyBy === undefined ? [] : [keyBy]),
  changes: ({ verb }) => ({
    makes:
      verb.rank === undefined || verb.finalAt !== undefined
        ? { kind: 'append' }
        : { kind: 'upsert', why: 'puts out a rank again whenever another row takes it' },
    addsUp: undefined,
  }),
  keeps: ({ verb, keyBy = [], schema }) => ({
    fields: keepsRows(verb, schema) ? schema.fields : fieldsOf(schema, [...keyBy, ...fieldNames(verb)]),
    tables: {},
  }),
  aspects: ({ verb: { ttlMs, finalAt, ...ranking }, keyBy }) => [
    aspect('keyBy', keyBy, 'binds state'),
    aspect('topN', finalAt === undefined ? ranking : [ranking, 'final'], 'binds state'),
    aspect('topN', ttlMs, 'binds no state'),
  ],
  stage: 'top-n',
  spills: true,
  dependsOnArrival: true,
  refusesRows: true,
  functions: () => [],
  service: () => undefined,
  describe: ({ verb, keyBy }) =>
    `the ${verb.n} ${ranksText(verb)} of ${namesText(keyBy)}${verb.finalAt === undefined ? keptText(verb) : ', once'}`,
}

const fieldNames = (verb: TopNVerb): string[] => rankedBy(verb).map(({ by }) => by)

function ranksText(verb: TopNVerb): string {
  return rankedBy(verb)
    .map(({ by, order }) => `${order === 'desc' ? 'greatest' : 'least'} by ${by}`)
    .join(', then ')
}

/** Without ranks numbers alone decide; texts are compared in the rows. */
function keepsRows(verb: TopNVerb, schema: Schema): boolean {
  return verb.rank !== undefined || verb.finalAt !== undefined || fieldsOf(schema, fieldNames(verb)).some(isText)
}

/** `topN: { limit: 10, by: FIELD or FIELDS, order: desc | asc or one for each field, rank: NAME, ttl: 1h, emit: final }` beside `keyBy`. */
function readTopN(entry: Entry, input: Input, _around: Surroundings, problems: Problems): ReadOperator {
  const path = join(entry.path, 'topN')
  const keyBy = readKeys(entry, input.schema, problems)
  const fields = problems.fields(entry.fields['topN'], path, ['limit', 'n', 'by', 'order', 'rank', 'ttl', 'emit'])
  if (fields === undefined) return { stream: { time: { kind: 'unknown' } } }
  const rank = readRank(fields['rank'], join(path, 'rank'), input.schema, problems)
  const stream: Stream =
    rank === undefined || rank === 'wrong' ? input : { schema: withRank(input.schema, rank), time: input.time }
  const settings = readSettings(fields, path, input.schema, problems)
  const ttlMs = readTtl(fields['ttl'], join(path, 'ttl'), problems)
  const finalAt = readEmit(fields, keyBy, path, input, problems)
  if (fields['ttl'] === undefined && finalAt === undefined) warnUnbounded(path, 'the rankings of all keys', problems)
  const sideOutputs: Record<string, Stream> = finalAt === undefined ? {} : { late: input }
  if (rank === 'wrong') return { stream: { time: { kind: 'unknown' } }, sideOutputs }
  if (keyBy === undefined || settings === undefined || ttlMs === 'wrong' || finalAt === 'wrong')
    return { stream, sideOutputs }
  return {
    stream,
    keyBy,
    sideOutputs,
    verb: {
      kind: 'topN',
      ...settings,
      ...(rank === undefined ? {} : { rank }),
      ...(ttlMs === undefined ? {} : { ttlMs }),
      ...(finalAt === undefined ? {} : { finalAt }),
    },
  }
}

/** `emit: final`. */
function readEmit(
  { emit, ttl }: Fields,
  keyBy: readonly string[] | undefined,
  path: string,
  { time }: Input,
  problems: Problems,
): TopNVerb['finalAt'] | 'wrong' {
  if (emit === undefined) return undefined
  if (emit !== 'final') {
    problems.report(
      'UNKNOWN_VALUE',
      join(path, 'emit'),
      `${describe(emit)} is not known`,
      'write final, or leave it out',
    )
    return 'wrong'
  }
  if (ttl !== undefined) {
    problems.report('TOP_N_INVALID', join(path, 'ttl'), 'a ranking that is final is forgotten then', 'leave out ttl')
    return 'wrong'
  }
  if (time.kind === 'field' && keyBy?.includes(time.field) === true)
    return { field: time.field, offsetMs: time.offsetMs }
  if (time.kind === 'unknown' || keyBy === undefined) return 'wrong'
  problems.report(
    'TOP_N_INVALID',
    join(path, 'emit'),
    time.kind === 'none'
      ? `a ranking is final when event time has passed it: ${time.why}`
      : `a ranking is final when all rows of its key have the same event time, and "${time.field}" is not in keyBy`,
    'behind a window write keyBy: windowEnd, or windowEnd and further fields',
  )
  return 'wrong'
}

function withRank(schema: Schema, rank: string): Schema {
  return { fields: [...schema.fields, { name: rank, type: 'long', nullable: false }] }
}

function readSettings(
  fields: Fields,
  path: string,
  schema: Schema,
  problems: Problems,
): Pick<TopNVerb, 'n' | 'by' | 'order' | 'then'> | undefined {
  const limit = readRenamed(fields, path, { name: 'limit', old: 'n' }, problems)
  const n = problems.count(limit.value, limit.path)
  if (n !== undefined && n > MAX_N)
    problems.report('TOO_LARGE', limit.path, `${n} places per key, at most ${MAX_N} are kept`)
  const [first, ...then] = readRanks(fields, path, schema, problems) ?? []
  if (n === undefined || n > MAX_N || first === undefined) return undefined
  return { n, ...first, ...(then.length === 0 ? {} : { then }) }
}

/** Each costs a number per place of every key. */
const MAX_BY = 8

/** `by` and `order`, each a text or a list. */
function readRanks(
  { by, order = 'desc' }: Fields,
  path: string,
  schema: Schema,
  problems: Problems,
): RankedBy[] | undefined {
  if (by === undefined || (Array.isArray(by) && by.length === 0)) {
    problems.report(
      'TOP_N_INVALID',
      path,
      'does not say by which field rows are ranked',
      'write { limit: 10, by: price }, or { limit: 10, by: [price, at], order: [desc, asc] }',
    )
    return undefined
  }
  const names: readonly unknown[] = Array.isArray(by) ? by : [by]
  if (names.length > MAX_BY) {
    problems.report('TOO_LARGE', join(path, 'by'), `names ${names.length} fields, at most ${MAX_BY} are taken`)
    return undefined
  }
  const orders: readonly unknown[] = Array.isArray(order) ? order : names.map(() => order)
  if (orders.length !== names.length)
    problems.report(
      'TOP_N_INVALID',
      join(path, 'order'),
      `has ${orders.length} orders for ${names.length} ${names.length === 1 ? 'field' : 'fields'}`,
      'write one order for all fields, or one for each',
    )
  const placeOf = (name: 'by' | 'order', of: unknown, index: number): string =>
    Array.isArray(of) ? join(join(path, name), index) : join(path, name)
  const ranks = names.map((name, index): RankedBy | undefined => {
    const field = readOrderField(name, placeOf('by', by, index), schema, problems, 'texts too')
    if (field !== undefined && names.indexOf(name) < index)
      problems.report('DUPLICATE_FIELD', placeOf('by', by, index), `"${field}" decides already`)
    const found = readOrder(orders[index] ?? 'desc', placeOf('order', order, index), problems)
    return field === undefined || found === undefined || names.indexOf(name) < index
      ? undefined
      : { by: field, order: found }
  })
  const known = ranks.filter((rank) => rank !== undefined)
  return known.length === names.length && orders.length === names.length ? known : undefined
}

/** An order for all fields is wrong once. */
function readOrder(value: unknown, path: string, problems: Problems): 'asc' | 'desc' | undefined {
  if (value === 'asc' || value === 'desc') return value
  if (!problems.found.some((problem) => problem.path === path))
    problems.report('UNKNOWN_VALUE', path, `${describe(value)} is not an order`, 'write desc (largest first) or asc')
  return undefined
}

function readRank(value: unknown, path: string, schema: Schema, problems: Problems): string | 'wrong' | undefined {
  if (value === undefined) return undefined
  const name = problems.text(value, path, 256)
  if (name === undefined || !checkFieldName(name, path, problems)) return 'wrong'
  if (fieldOf(schema, name) === undefined) return name
  problems.report('DUPLICATE_FIELD', path, `there is a field "${name}" already`)
  return 'wrong'
}
