import {
  type Aggregate,
  aggregateFunctions,
  aggregatesAspect,
  fieldsAggregated,
  fieldThatAddsUp,
  readAggregates,
} from './kit/aggregate-fields.ts'
import { aspect } from './kit/aspects.ts'
import { aggregatesText, namesText } from './kit/descriptions.ts'
import { readKeys } from './kit/key-fields.ts'
import type { Entry } from './entry.ts'
import { type Fields, isFields } from '../../model/fields.ts'
import { join, type Problems } from '../problems.ts'
import { readDuration } from './kit/durations.ts'
import type { Input, Stream, StreamTime, Surroundings } from '../stream.ts'
import type { Changes, ReadOperator, VerbDefinition } from './verb.ts'
import { type Field, fieldOf, type Schema } from '../../model/schema.ts'

/** How rows of one key come together. Those of time are aligned to the epoch: [start, start + sizeMs). */
export type WindowExtent =
  /** A tumbling window has slideMs = sizeMs. */
  | { kind: 'hop'; sizeMs: number; slideMs: number }
  /** Ends when nothing came for the gap. */
  | { kind: 'session'; gapMs: number }
  /** After every so many rows of a key: the last `rows` of them. */
  | { kind: 'count'; rows: number; every: number }
  /** A window that ends with its input. */
  | { kind: 'global' }

export interface WindowVerb {
  kind: 'window'
  window: WindowExtent
  /**
   * The field of the input that carries its event time, followed by the validator from the source through
   * maps; behind another window it is `windowEnd` with offset -1 (the last instant of that window, as in Flink).
   * Absent: rows count at the time, or in the order, in which they come.
   */
  eventTime?: { field: string; offsetMs: number }
  /** How long a window is kept for late rows after it has fired. */
  latenessMs: number
  /** Every so often what open windows hold goes out, for keys that changed. */
  earlyMs?: number
  aggregates: readonly Aggregate[]
}

export const windowVerb: VerbDefinition<WindowVerb> = {
  word: 'window',
  entry: {
    forms: { window: { fields: ['keyBy', 'window', 'aggregate', 'lateness', 'emit'], takes: ['keyBy', 'aggregate'] } },
    inputs: 'one stream',
    read: readWindow,
    checkForm: checkWindowForm,
  },
  reads: ({ verb, keyBy = [] }) =>
    new Set([
      ...keyBy,
      ...(verb.eventTime === undefined ? [] : [verb.eventTime.field]),
      ...fieldsAggregated(verb.aggregates),
    ]),
  distributes: ({ keyBy }) => (keyBy === undefined ? [] : [keyBy]),
  changes: ({ verb }) => ({ makes: changesMade(verb), addsUp: fieldThatAddsUp(verb.aggregates) }),
  keeps: ({ schema }) => ({ fields: schema.fields, tables: {} }),
  aspects: ({ verb, keyBy }) => [
    aspect('keyBy', keyBy, 'binds state'),
    aspect('window', [verb.window, verb.eventTime === undefined], 'binds state'),
    aggregatesAspect(verb.aggregates),
    aspect('lateness', verb.latenessMs, 'binds no state'),
    aspect('emit', verb.earlyMs, 'binds no state'),
  ],
  stage: 'window',
  spills: false,
  dependsOnArrival: false,
  refusesRows: true,
  functions: (verb) => aggregateFunctions(verb.aggregates),
  service: () => undefined,
  describe: ({ verb, keyBy }) => `${extentText(verb)} by ${namesText(keyBy)}: ${aggregatesText(verb.aggregates)}`,
}

function changesMade({ earlyMs, latenessMs }: WindowVerb): Changes['makes'] {
  if (earlyMs !== undefined) return { kind: 'upsert', why: 'puts out a window early and then again' }
  return latenessMs > 0 ? { kind: 'upsert', why: 'puts out a window again after each late row' } : { kind: 'append' }
}

function extentText({ window, eventTime }: WindowVerb): string {
  const clock = eventTime === undefined ? ' of processing time' : ''
  switch (window.kind) {
    case 'hop':
      return `${window.sizeMs === window.slideMs ? `tumbling ${window.sizeMs} ms` : `hopping ${window.sizeMs} ms by ${window.slideMs} ms`}${clock}`
    case 'session':
      return `sessions ${window.gapMs} ms apart${clock}`
    case 'count':
      return `last ${window.rows} rows every ${window.every}`
    case 'global':
      return 'all rows'
  }
}

/** More panes or overlapping windows than this are a mistake: `hop: 1ms, size: 1d`. */
const MAX_OVERLAP = 10_000

/**
 * `keyBy` + `window` + `aggregate`. Out come the key fields, for windows of time `windowStart` and `windowEnd`, and the
 * aggregates in the order written; rows that came too late come out of `late`.
 */
function readWindow(entry: Entry, input: Input, { modules }: Surroundings, problems: Problems): ReadOperator {
  const keyBy = readKeys(entry, input.schema, problems)
  const read = readExtent(entry.fields['window'], entry.path, problems)
  const bounds = read?.window.kind === 'count' || read?.window.kind === 'global' ? [] : BOUNDS
  const eventTime = read?.clock === 'event' || read === undefined ? readTime(entry, input, problems) : undefined
  const times = readTimes(entry, read, problems)
  const sideOutputs: Record<string, Stream> = read === undefined || read.clock === 'event' ? { late: input } : {}
  const taken = [...(keyBy ?? []), ...bounds.map((bound) => bound.name)]
  const aggregates = readAggregates(entry, input.schema, taken, modules, problems)
  const clash = keyBy?.find((key) => bounds.some((bound) => bound.name === key))
  if (clash !== undefined) {
    problems.report(
      'DUPLICATE_FIELD',
      join(entry.path, 'keyBy'),
      `the window puts out a field "${clash}" of its own`,
      `give it another name before: set: { end: windowEnd } or a map, and keyBy: end`,
    )
  }
  if (keyBy === undefined || aggregates === undefined || clash !== undefined)
    return { stream: { time: { kind: 'unknown' } }, sideOutputs }
  const schema: Schema = {
    fields: [...keyFields(input.schema, keyBy), ...bounds, ...aggregates.map((aggregate) => aggregate.field)],
  }
  const stream: Stream = { schema, time: timeBehind(entry, read?.clock ?? 'event') }
  if (read === undefined || times === undefined || (read.clock === 'event' && eventTime === undefined))
    return { stream, sideOutputs }
  const verb: WindowVerb = {
    kind: 'window',
    window: read.window,
    ...times,
    aggregates,
    ...(eventTime === undefined ? {} : { eventTime }),
  }
  return { stream, keyBy, verb, sideOutputs }
}

/** As readWindow where the fields of the input are not known: the extent, and that there are aggregates. */
function checkWindowForm(entry: Entry, _around: Surroundings, problems: Problems): void {
  const { window, aggregate } = entry.fields
  if (window === undefined && aggregate === undefined) return
  readTimes(entry, readExtent(window, entry.path, problems), problems)
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
    problems.report(
      'EVENT_TIME_MISSING',
      join(entry.path, 'window'),
      `a window needs event time: ${input.time.why}`,
      'declare eventTime: { field: … } at the source and pass the field on, or write time: processing in the window',
    )
  }
  return undefined
}

type ClockKind = 'event' | 'processing' | 'none'

function timeBehind(entry: Entry, clock: ClockKind): StreamTime {
  switch (clock) {
    case 'event':
      return { kind: 'field', field: 'windowEnd', offsetMs: -1 }
    case 'processing':
      return { kind: 'none', why: `the windows of "${entry.id}" follow the clock` }
    case 'none':
      return { kind: 'none', why: `the windows of "${entry.id}" have no time` }
  }
}

/** `lateness` and `emit: { early }`. Undefined after reporting. */
function readTimes(
  entry: Entry,
  read: ReadExtent | undefined,
  problems: Problems,
): Pick<WindowVerb, 'latenessMs' | 'earlyMs'> | undefined {
  const { lateness, emit } = entry.fields
  const path = join(entry.path, 'lateness')
  const latenessMs = lateness === undefined ? 0 : readDuration(lateness, path, problems)
  if (lateness !== undefined && read !== undefined && read.clock !== 'event') {
    problems.report('WINDOW_INVALID', path, 'nothing comes late to a window without event time')
    return undefined
  }
  if (emit === undefined) return latenessMs === undefined ? undefined : { latenessMs }
  const emitPath = join(entry.path, 'emit')
  if (!isFields(emit) || Object.keys(emit).length === 0)
    problems.report('EMIT_INVALID', emitPath, 'does not say when early results come', 'write emit: { early: 1s }')
  const early = isFields(emit) ? problems.fields(emit, emitPath, ['early'])?.['early'] : undefined
  const earlyMs = early === undefined ? undefined : readLength(early, join(emitPath, 'early'), problems)
  if (earlyMs !== undefined && read?.window.kind === 'count') {
    problems.report(
      'WINDOW_INVALID',
      emitPath,
      'a window of rows has no early result: it comes after every so many rows',
    )
    return undefined
  }
  return latenessMs === undefined || earlyMs === undefined ? undefined : { latenessMs, earlyMs }
}

interface ReadExtent {
  window: WindowExtent
  clock: ClockKind
}

const USAGE = 'write { tumble: 10s }, { hop: 2s, size: 10s }, { session: 10s }, { count: 100 } or global'
/** What a window may say, by the field that says what it is. */
const EXTENT_FIELDS = {
  tumble: ['time'],
  hop: ['size', 'time'],
  session: ['time'],
  count: ['every'],
} as const satisfies Record<string, readonly string[]>
const KINDS = Object.keys(EXTENT_FIELDS) as (keyof typeof EXTENT_FIELDS)[]

function readExtent(value: unknown, entryPath: string, problems: Problems): ReadExtent | undefined {
  const path = join(entryPath, 'window')
  if (value === undefined) {
    problems.report('WINDOW_INVALID', entryPath, 'an aggregate needs a window', `window: ${USAGE.slice(6)}`)
    return undefined
  }
  if (value === 'global') return { window: { kind: 'global' }, clock: 'none' }
  const known: readonly string[] = [...KINDS, 'size', 'time', 'every']
  const fields = problems.fields(value, path, known)
  if (fields === undefined) return undefined
  const [kind, other] = KINDS.filter((name) => name in fields)
  const allowed: readonly string[] = kind === undefined ? [] : [kind, ...EXTENT_FIELDS[kind]]
  const stray = Object.keys(fields).find((name) => known.includes(name) && !allowed.includes(name))
  if (kind === undefined || other !== undefined || stray !== undefined || (kind === 'hop' && !('size' in fields))) {
    const isMisspelt = Object.keys(fields).some((name) => !known.includes(name))
    if (!isMisspelt)
      problems.report(
        'WINDOW_INVALID',
        path,
        kind === 'tumble'
          ? 'tumble stands alone'
          : kind === undefined
            ? 'a window tumbles, hops, is a session or counts'
            : `${kind} does not go with ${other ?? stray ?? 'a missing size'}`,
        USAGE,
      )
    return undefined
  }
  if (kind === 'count') return readCount(fields, path, problems)
  const window = kind === 'session' ? readSession(fields, path, problems) : readHop(fields, kind, path, problems)
  const clock = readClock(fields, path, problems)
  return window === undefined || clock === undefined ? undefined : { window, clock }
}

function readClock(fields: Fields, path: string, problems: Problems): ClockKind | undefined {
  const { time } = fields
  if (time === undefined || time === 'event') return 'event'
  if (time === 'processing') return 'processing'
  problems.report(
    'WINDOW_INVALID',
    join(path, 'time'),
    'is event or processing',
    'time: processing counts rows at the time they come',
  )
  return undefined
}

function readHop(fields: Fields, kind: 'tumble' | 'hop', path: string, problems: Problems): WindowExtent | undefined {
  const isTumble = kind === 'tumble'
  const sizeMs = readLength(
    isTumble ? fields['tumble'] : fields['size'],
    join(path, isTumble ? 'tumble' : 'size'),
    problems,
  )
  const slideMs = isTumble ? sizeMs : readLength(fields['hop'], join(path, 'hop'), problems)
  if (sizeMs === undefined || slideMs === undefined) return undefined
  if (slideMs > sizeMs || sizeMs / slideMs > MAX_OVERLAP) {
    problems.report(
      'WINDOW_INVALID',
      path,
      slideMs > sizeMs
        ? `hops by ${slideMs} ms but is only ${sizeMs} ms long: records would be lost between windows`
        : `every record would be in ${Math.ceil(sizeMs / slideMs)} windows, at most ${MAX_OVERLAP} are taken`,
    )
    return undefined
  }
  return { kind: 'hop', sizeMs, slideMs }
}

function readSession(fields: Fields, path: string, problems: Problems): WindowExtent | undefined {
  const gapMs = readLength(fields['session'], join(path, 'session'), problems)
  return gapMs === undefined ? undefined : { kind: 'session', gapMs }
}

function readCount(fields: Fields, path: string, problems: Problems): ReadExtent | undefined {
  const rows = problems.count(fields['count'], join(path, 'count'))
  const every = fields['every'] === undefined ? rows : problems.count(fields['every'], join(path, 'every'))
  if (rows === undefined || every === undefined) return undefined
  if (every > rows || rows / every > MAX_OVERLAP) {
    problems.report(
      'WINDOW_INVALID',
      path,
      every > rows
        ? `every ${every} rows the last ${rows}: rows would be lost between windows`
        : `every row would be in ${Math.ceil(rows / every)} windows, at most ${MAX_OVERLAP} are taken`,
    )
    return undefined
  }
  return { window: { kind: 'count', rows, every }, clock: 'none' }
}

function readLength(value: unknown, path: string, problems: Problems): number | undefined {
  const ms = readDuration(value, path, problems)
  if (ms !== 0) return ms
  problems.report('WINDOW_INVALID', path, 'must be longer than nothing')
  return undefined
}
