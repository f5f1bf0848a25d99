import { OWNER_KEY } from './supervisor-spec.ts'
import type { JsonObject } from './druid-client.ts'
import { parseIsoPeriodMs } from './iso-period.ts'
import type { Json } from './json.ts'
import { isFields, memberOf } from '../../runtime/model/fields.ts'

/**
 * Paths at which the live supervisor does not do what was asked: `desired ⊆ live` as Druid 33.0.0 answers
 * (recorded in test/fixtures/druid). Druid writes out all defaults, doubles the inner objects at the top level,
 * turns periods into seconds, folds granularities, expands dimension names and recomputes the exclusions; none of
 * that is a difference. `suspended` and the mark of ownership are compared by who decides about them.
 */
export function differences(desired: JsonObject, live: JsonObject): string[] {
  const paths: string[] = []
  for (const part of ['spec', 'context'] as const) {
    compare(desired[part] ?? {}, live[part] ?? {}, part, paths)
  }
  return paths.filter((path) => path !== `context.${OWNER_KEY}`)
}

/** As `differences`, for any value that Druid keeps; paths begin with `path`. */
export function subsetDifferences(desired: Json, live: Json, path: string): string[] {
  const paths: string[] = []
  compare(desired, live, path, paths)
  return paths
}

function compare(desired: Json, live: Json | undefined, path: string, paths: string[]): void {
  if (desired === null) return
  if (/granularity$/i.test(path)) {
    if (granularityName(desired) !== granularityName(live)) paths.push(path)
  } else if (path.endsWith('.dimensions')) {
    compareLists(expandDimensions(desired), expandDimensions(live), path, paths)
  } else if (path.endsWith('.dimensionExclusions')) {
    if (!isSubset(desired, live)) paths.push(path)
  } else if (Array.isArray(desired)) {
    compareLists(desired, live, path, paths)
  } else if (isFields(desired)) {
    compareObjects(desired, live, path, paths)
  } else if (!sameScalar(desired, live, path)) {
    paths.push(path)
  }
}

function compareObjects(desired: JsonObject, live: Json | undefined, path: string, paths: string[]): void {
  if (!isFields(live)) {
    if (Object.keys(desired).length > 0) paths.push(path)
    return
  }
  for (const [key, value] of Object.entries(desired)) compare(value, memberOf(live, key), `${path}.${key}`, paths)
}

function compareLists(desired: Json | undefined, live: Json | undefined, path: string, paths: string[]): void {
  const wanted = asList(desired)
  const found = asList(live)
  if (wanted.length !== found.length) {
    paths.push(path)
    return
  }
  wanted.forEach((item, index) => compare(item, found[index], `${path}[${index}]`, paths))
}

function sameScalar(desired: Json, live: Json | undefined, path: string): boolean {
  if (desired === live) return true
  if (path.startsWith('spec.ioConfig.consumerProperties.')) return String(desired) === String(live)
  if (typeof desired !== 'string' || typeof live !== 'string' || !/^spec\.(io|tuning)Config\./.test(path)) return false
  const wanted = parseIsoPeriodMs(desired)
  return wanted !== undefined && wanted === parseIsoPeriodMs(live)
}

/** `hour`, `HOUR` and a period of one hour in UTC are one name; so are `none` and `{"type":"none"}`. */
function granularityName(value: Json | undefined): string {
  if (typeof value === 'string') return value.toUpperCase()
  if (!isFields(value)) return ''
  if (value['type'] !== 'period') return String(value['type']).toUpperCase()
  const names: Readonly<Record<string, string>> = {
    PT1S: 'SECOND',
    PT1M: 'MINUTE',
    PT5M: 'FIVE_MINUTE',
    PT10M: 'TEN_MINUTE',
    PT15M: 'FIFTEEN_MINUTE',
    PT30M: 'THIRTY_MINUTE',
    PT1H: 'HOUR',
    PT6H: 'SIX_HOUR',
    PT8H: 'EIGHT_HOUR',
    P1D: 'DAY',
    P1W: 'WEEK',
    P1M: 'MONTH',
    P3M: 'QUARTER',
    P1Y: 'YEAR',
  }
  const zone = value['timeZone'] ?? 'UTC'
  const period = String(value['period'])
  return zone === 'UTC' && value['origin'] == null ? (memberOf(names, period) ?? period) : `${period} ${String(zone)}`
}

function expandDimensions(value: Json | undefined): Json[] {
  return asList(value).map((item) => (typeof item === 'string' ? { type: 'string', name: item } : item))
}

function isSubset(desired: Json, live: Json | undefined): boolean {
  const found = new Set(asList(live))
  return asList(desired).every((item) => found.has(item))
}

function asList(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : []
}
