import type { Entry } from './graph-entries.ts'
import type { Aggregate, WindowVerb } from './job-graph.ts'
import { describe, join, type Problems } from './problems.ts'
import { checkFieldName, MAX_FIELDS, readDuration } from './source-verb.ts'
import type { Input, ReadOperator, Stream } from './read-operator.ts'
import { parseAggregate } from '../expressions/aggregate.ts'
import { fieldOf, type Field, type Schema } from '../model/schema.ts'

/** More panes or overlapping windows than this are a mistake: `hop: 1ms, size: 1d`. */
const MAX_OVERLAP = 10_000

/**
 * `keyBy` + `window` + `aggregate`. Out come the key fields, `windowStart`, `windowEnd`, and the aggregates in the
 * order written. `keyBy` is undefined when it was reported.
 */
export function readWindow(entry: Entry, input: Input, keyBy: readonly string[] | undefined, problems: Problems): ReadOperator {
  const eventTime = readTime(entry, input, problems)
  const window = readExtent(entry.fields['window'], entry.path, problems)
  const aggregates = readAggregates(entry, input.schema, keyBy ?? [], problems)
  if (keyBy === undefined || aggregates === undefined) return { stream: { time: { kind: 'unknown' } } }
  const stream: Stream = {
    schema: { fields: [...keyFields(input.schema, keyBy), ...BOUNDS, ...aggregates.map((aggregate) => aggregate.field)] },
    time: { kind: 'field', field: 'windowEnd', offsetMs: -1 },
  }
  if (eventTime === undefined || window === undefined) return { stream }
  return { stream, keyBy, verb: { kind: 'window', window, eventTime, aggregates } }
}

/** As readWindow where the fields of the input are not known: the extent, and that there are aggregates. */
export function checkWindowForm(entry: Entry, problems: Problems): void {
  const { window, aggregate } = entry.fields
  if (window === undefined && aggregate === undefined) return
  readExtent(window, entry.path, problems)
  if (aggregate !== undefined) problems.fields(aggregate, join(entry.path, 'aggregate'))
}

const BOUNDS: readonly Field[] = [
  { name: 'windowStart', type: 'timestamp', nullable: false },
  { name: 'windowEnd', type: 'timestamp', nullable: false },
]

function keyFields(schema: Schema, keyBy: readonly string[]): Field[] {
  return keyBy.flatMap((name) => fieldOf(schema, name) ?? [])
}

function readTime(entry: Entry, input: Stream, problems: Problems): WindowVerb['eventTime'] | undefined {
  if (input.time.kind === 'field') return { field: input.time.field, offsetMs: input.time.offsetMs }
  if (input.time.kind === 'none') {
    problems.report('EVENT_TIME_MISSING', join(entry.path, 'window'), `a window needs event time: ${input.time.why}`, 'declare eventTime: { field: … } at the source and pass the field on')
  }
  return undefined
}

function readExtent(value: unknown, entryPath: string, problems: Problems): WindowVerb['window'] | undefined {
  const path = join(entryPath, 'window')
  const usage = 'write { tumble: 10s } or { hop: 2s, size: 10s }'
  if (value === undefined) {
    problems.report('WINDOW_INVALID', entryPath, 'an aggregate needs a window', `window: ${usage.slice(6)}`)
    return undefined
  }
  const fields = problems.fields(value, path, ['tumble', 'hop', 'size'])
  if (fields === undefined) return undefined
  const isTumble = 'tumble' in fields
  if (isTumble ? 'hop' in fields || 'size' in fields : !('hop' in fields && 'size' in fields)) {
    const misspelt = Object.keys(fields).some((name) => !['tumble', 'hop', 'size'].includes(name))
    if (!misspelt) problems.report('WINDOW_INVALID', path, isTumble ? 'tumble stands alone' : 'a window tumbles or hops', usage)
    return undefined
  }
  const sizeMs = readLength(isTumble ? fields['tumble'] : fields['size'], join(path, isTumble ? 'tumble' : 'size'), problems)
  const slideMs = isTumble ? sizeMs : readLength(fields['hop'], join(path, 'hop'), problems)
  if (sizeMs === undefined || slideMs === undefined) return undefined
  if (slideMs > sizeMs || sizeMs / slideMs > MAX_OVERLAP) {
    problems.report('WINDOW_INVALID', path, slideMs > sizeMs ? `hops by ${slideMs} ms but is only ${sizeMs} ms long: records would be lost between windows` : `every record would be in ${Math.ceil(sizeMs / slideMs)} windows, at most ${MAX_OVERLAP} are taken`)
    return undefined
  }
  return { sizeMs, slideMs }
}

function readLength(value: unknown, path: string, problems: Problems): number | undefined {
  const ms = readDuration(value, path, problems)
  if (ms !== 0) return ms
  problems.report('WINDOW_INVALID', path, 'must be longer than nothing')
  return undefined
}

function readAggregates(entry: Entry, schema: Schema, keyBy: readonly string[], problems: Problems): Aggregate[] | undefined {
  const path = join(entry.path, 'aggregate')
  const written = entry.fields['aggregate']
  if (written === undefined) {
    problems.report('AGGREGATE_INVALID', entry.path, 'a window needs an aggregate', 'aggregate: { name: count() }, or sum(x), min(x), max(x), avg(x)')
    return undefined
  }
  const fields = problems.fields(written, path)
  if (fields === undefined) return undefined
  const names = Object.keys(fields)
  if (names.length === 0 || names.length > MAX_FIELDS) {
    problems.report('TOO_LARGE', path, `has ${names.length} aggregates, 1 to ${MAX_FIELDS} are taken`)
    return undefined
  }
  const taken = new Set([...keyBy, ...BOUNDS.map((bound) => bound.name)])
  const aggregates = names.map((name) => readAggregate(name, fields[name], { schema, taken }, join(path, name), problems))
  const clash = keyBy.find((key) => BOUNDS.some((bound) => bound.name === key))
  if (clash !== undefined) {
    problems.report('DUPLICATE_FIELD', join(entry.path, 'keyBy'), `the window puts out a field "${clash}" of its own`, `rename the key with set before`)
    return undefined
  }
  const sound = aggregates.filter((aggregate) => aggregate !== undefined)
  return sound.length < aggregates.length ? undefined : sound
}

function readAggregate(name: string, value: unknown, around: { schema: Schema; taken: ReadonlySet<string> }, path: string, problems: Problems): Aggregate | undefined {
  if (!checkFieldName(name, path, problems)) return undefined
  if (around.taken.has(name)) {
    problems.report('DUPLICATE_FIELD', path, `the window already puts out a field "${name}"`)
    return undefined
  }
  if (typeof value !== 'string') {
    problems.report('TYPE_MISMATCH', path, `must be an aggregate, not ${describe(value)}`, 'write count(), sum(x), min(x), max(x) or avg(x)')
    return undefined
  }
  const parsed = problems.attempt(path, () => parseAggregate(value, around.schema))
  if (parsed === undefined) return undefined
  return {
    field: { name, ...parsed.result }, function: parsed.function,
    ...(parsed.argument === undefined ? {} : { argument: parsed.argument }),
  }
}
