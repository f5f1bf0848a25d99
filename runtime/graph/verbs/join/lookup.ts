import { aspect } from '../kit/aspects.ts'
import { type AsyncMapVerb, CALL_SETTINGS, calledFunctions, readAsyncMap } from '../async-map.ts'
import { druidRequest } from './druid-lookup.ts'
import type { Entry } from '../entry.ts'
import { type Fields, isFields } from '../../../model/fields.ts'
import { describe, join, type Problems } from '../../problems.ts'
import type { Input, Surroundings } from '../../stream.ts'
import type { ReadOperator, VerbDefinition } from '../verb.ts'
import { readDuration } from '../kit/durations.ts'
import { readTableLookup, type TableCall } from './table-lookup.ts'
import { suggestion } from '../../../expressions/suggest.ts'

/** A join with a table that a service holds: a request for each row, whose answers are kept for a while. */
export interface LookupVerb {
  kind: 'lookup'
  /** How the service is asked, or which table of a connector. */
  call: AsyncMapVerb | TableCall
  /** A service answers an object, or, as a table does, a list of one row at most. */
  answer: 'object' | 'rows'
  /** What becomes of a row that the service does not know (404): dropped, or its fields of the answer are null. */
  type: 'inner' | 'left'
  /** Answers kept per slot, those used longest ago given up first; absent: none. */
  cache?: { rows: number; ttlMs: number }
}

export const lookupVerb: VerbDefinition<LookupVerb> = {
  word: 'join',
  entry: undefined,
  reads: () => 'all',
  distributes: () => [],
  changes: () => ({ makes: { kind: 'asInput' }, addsUp: undefined }),
  // The table is the service's.
  keeps: () => 'nothing',
  aspects: ({ verb, schema }) => [aspect('join', [verb, schema], 'binds no state')],
  stage: 'lookup',
  spills: false,
  dependsOnArrival: false,
  refusesRows: true,
  functions: ({ call }) => (call.kind === 'table' ? [] : calledFunctions(call)),
  service: askedService,
  describe: ({ verb }) =>
    `${verb.type} lookup ${askedHow(verb)}${verb.cache === undefined ? '' : `, ${verb.cache.rows} answers kept for ${verb.cache.ttlMs} ms`}`,
}

function askedService({ call, answer }: LookupVerb): string {
  if (call.kind === 'table') return `a table of ${call.connector}`
  return answer === 'rows' ? 'Druid' : 'a service'
}

function askedHow({ call, answer }: LookupVerb): string {
  if (call.kind === 'table') return `in ${call.connector} by ${call.key.map(({ column }) => column).join(', ')}`
  if (answer === 'rows') return 'in Druid'
  return call.call.kind === 'http' ? `by ${call.call.method}` : 'by function'
}

const DEFAULT_TTL_MS = 60_000
const MAX_ROWS = 10_000_000

/**
 * `join: { type: inner | left, lookup: { http, druid or a connector, output, cache: { rows, ttl }, order, capacity,
 * timeout, retry } }` of one input; `key` with a connector.
 */
export function readLookup(
  entry: Entry,
  fields: Fields,
  input: Input,
  { connectors }: Surroundings,
  problems: Problems,
): ReadOperator {
  const joinPath = join(entry.path, 'join')
  const path = join(joinPath, 'lookup')
  const type = fields['type'] ?? 'inner'
  const stray = Object.keys(fields).find((name) => name !== 'lookup' && name !== 'type')
  if (stray !== undefined)
    problems.report(
      'UNKNOWN_FIELD',
      join(joinPath, stray),
      `"${stray}" does not go with lookup: the request says what belongs to a row`,
      'filter or map the result in an entry of its own',
    )
  if (type !== 'inner' && type !== 'left')
    problems.report(
      'UNKNOWN_VALUE',
      join(joinPath, 'type'),
      `${describe(type)} is not a type of lookup`,
      suggestion(String(type), ['inner', 'left']),
    )
  const tables = Object.keys(connectors.tables)
  const written = fields['lookup']
  const table = isFields(written) ? tables.find((name) => Object.hasOwn(written, name)) : undefined
  const lookup = problems.fields(written, path, [
    'http',
    'druid',
    ...tables,
    ...(table === undefined ? [] : ['key']),
    'output',
    'cache',
    ...CALL_SETTINGS,
  ])
  if (lookup === undefined) return { stream: { time: { kind: 'unknown' } } }
  const [backend, other] = ['http', 'druid', ...tables].filter((name) => Object.hasOwn(lookup, name))
  if (backend === undefined || other !== undefined) {
    problems.report(
      'CALL_MISSING',
      path,
      backend === undefined ? 'asks nobody' : `asks ${backend} and ${other ?? ''}`,
      `write http: { url: "http://host/of/{field}" }, druid: { url, query: "SELECT … WHERE id = ?", parameters: [field] }, or a table of ${tables.join(' or ')}`,
    )
    return { stream: { time: { kind: 'unknown' } } }
  }
  const cache = lookup['cache'] === undefined ? undefined : readCache(lookup['cache'], join(path, 'cache'), problems)
  if (table !== undefined) {
    const { stream, call } = readTableLookup(lookup, path, { table, connectors, input }, problems)
    const whole = type === 'left' ? withNullable(stream, input) : stream
    if (call === undefined || (type !== 'inner' && type !== 'left') || (lookup['cache'] !== undefined && !cache))
      return { stream: whole }
    return { stream: whole, verb: { kind: 'lookup', call, answer: 'rows', type, ...(cache && { cache }) } }
  }
  const { cache: _cache, druid, ...settings } = lookup
  const request = backend === 'http' ? lookup['http'] : druidRequest(druid, join(path, 'druid'), input.schema, problems)
  // A wrong request has been reported; what comes out is known all the same.
  const call = { ...settings, http: request ?? { url: 'http://unknown/' } }
  const read = readCall(entry, path, { call, backend: backend === 'http' ? 'http' : 'druid' }, input, problems)
  const stream = type === 'left' ? withNullable(read.stream, input) : read.stream
  if (
    read.verb?.kind !== 'asyncMap' ||
    (type !== 'inner' && type !== 'left') ||
    (lookup['cache'] !== undefined && cache === undefined) ||
    request === undefined
  )
    return { stream }
  const verb = backend === 'http' ? withoutNullKeys(read.verb, type) : read.verb
  return {
    stream,
    verb: {
      kind: 'lookup',
      call: verb,
      answer: backend === 'http' ? 'object' : 'rows',
      type,
      ...(cache === undefined ? {} : { cache }),
    },
  }
}

/** Null is equal to nothing, so nobody is asked for it. A query has its own answer to that. */
function withoutNullKeys(verb: AsyncMapVerb, type: 'inner' | 'left'): AsyncMapVerb {
  return verb.call.kind === 'http'
    ? { ...verb, call: { ...verb.call, ofNull: type === 'inner' ? 'dropped' : 'unanswered' } }
    : verb
}

/** The request is that of asyncMap; only the place of problems differs. */
function readCall(
  entry: Entry,
  path: string,
  { call, backend }: { call: Fields; backend: 'http' | 'druid' },
  input: Input,
  problems: Problems,
): ReadOperator {
  const from = join(entry.path, 'asyncMap')
  const place = (written: string): string =>
    written.startsWith(from) ? path + written.slice(from.length).replace(/^\.http\b/, `.${backend}`) : written
  const asyncMap = { ...entry, fields: { ...entry.fields, asyncMap: call } }
  return readAsyncMap(asyncMap, input, new Set(), problems.elsewhere(place))
}

function withNullable(stream: ReadOperator['stream'], input: Input): ReadOperator['stream'] {
  if (stream.schema === undefined) return stream
  const own = new Set(input.schema.fields.map(({ name }) => name))
  return {
    ...stream,
    schema: {
      fields: stream.schema.fields.map((field) => (own.has(field.name) ? field : { ...field, nullable: true })),
    },
  }
}

function readCache(value: unknown, path: string, problems: Problems): LookupVerb['cache'] {
  const fields = problems.fields(value, path, ['rows', 'ttl'])
  if (fields === undefined) return undefined
  const rows = problems.count(fields['rows'], join(path, 'rows'))
  if (rows !== undefined && rows > MAX_ROWS)
    problems.report('TOO_LARGE', join(path, 'rows'), `is ${rows}, at most ${MAX_ROWS} is taken`)
  const ttlMs = fields['ttl'] === undefined ? DEFAULT_TTL_MS : readDuration(fields['ttl'], join(path, 'ttl'), problems)
  return rows === undefined || ttlMs === undefined ? undefined : { rows, ttlMs }
}
