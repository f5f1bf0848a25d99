import { aspect } from '../kit/aspects.ts'
import { passedOn } from '../kit/distributed.ts'
import type { Entry } from '../entry.ts'
import { readExpressionText } from '../kit/expression-text.ts'
import { type JoinExtent, joinExtentText, readJoinExtent } from './join-extent.ts'
import { readJoinKeys } from './join-keys.ts'
import { type JoinField, readJoinSelect } from './join-select.ts'
import { readLookup } from './lookup.ts'
import { join, type Problems } from '../../problems.ts'
import { type Input, type Stream, type StreamTime, type Surroundings, UNKNOWN_STREAM } from '../../stream.ts'
import type { ReadOperator, VerbDefinition } from '../verb.ts'
import type { Expression } from '../../../expressions/ast.ts'
import { fieldsIn } from '../../../expressions/fields-in.ts'
import { parseCondition } from '../../../expressions/parse.ts'
import type { Scope } from '../../../expressions/scope.ts'
import { suggestion } from '../../../expressions/suggest.ts'
import type { Field } from '../../../model/schema.ts'

export const JOIN_TYPES = ['inner', 'left', 'right', 'full', 'semi', 'anti'] as const
export type JoinType = (typeof JOIN_TYPES)[number]
export type JoinSide = 'left' | 'right'

/** Where the event time of a side's rows is. */
export interface RowTime {
  field: string
  offsetMs: number
}

export interface JoinVerb {
  kind: 'join'
  type: JoinType
  extent: JoinExtent
  /** Names of the key fields of both sides; those at one place are equal in a match. Null is equal to nothing. */
  keys: Readonly<Record<JoinSide, readonly string[]>>
  /** Absent for a regular join, which knows no event time. */
  times?: Readonly<Record<JoinSide, RowTime>>
  /** Over the rows `left` and `right`. */
  where?: Expression
  /**
   * What comes out, before the bounds of a window join; over the same rows, where a side without a match is all
   * null.
   */
  fields: readonly JoinField[]
  /** By how much watermarks are held back behind the join, since its rows are that much older than what it has read. */
  watermarkDelayMs: number
}

export const joinVerb: VerbDefinition<JoinVerb> = {
  word: 'join',
  entry: {
    forms: { join: { fields: ['join'], takes: [] } },
    inputs: 'apart',
    read: readJoin,
    checkForm: () => undefined,
  },
  // Only the first operator of a chain has several inputs.
  reads: ({ verb }, _wanted, input) => fieldsJoined(verb, input === 0 ? 'left' : 'right'),
  // A row without a match on one side is where the key of the other side belongs.
  distributes: ({ verb: { keys, type, fields } }) => [
    ...(type === 'right' || type === 'full' ? [] : passedOn(keys.left, 'left', fields)),
    ...(type === 'inner' || type === 'right' ? passedOn(keys.right, 'right', fields) : []),
  ],
  changes: () => ({ makes: { kind: 'append' }, addsUp: undefined }),
  keeps: ({ verb }, inputs) => ({
    fields: (['left', 'right'] as const).flatMap((side, input) =>
      (inputs[input]?.fields ?? []).filter(({ name }) => fieldsKept(verb, side).has(name)),
    ),
    tables: {},
  }),
  aspects: ({ verb: { type, extent, keys, where, fields } }) => [
    aspect('join', [type, extent, keys, where, fields.map(({ field, value }) => [field.name, value])], 'binds state'),
  ],
  stage: 'join',
  spills: true,
  dependsOnArrival: false,
  refusesRows: true,
  functions: () => [],
  service: () => undefined,
  describe: ({ verb }) =>
    `${verb.type} join on ${verb.keys.left.map((left, index) => `${left} = ${verb.keys.right[index] ?? ''}`).join(', ')}, ${joinExtentText(verb.extent)}`,
}

const BOUNDS: readonly Field[] = [
  { name: 'windowStart', type: 'timestamp', nullable: false },
  { name: 'windowEnd', type: 'timestamp', nullable: false },
]

const KNOWN = ['keyBy', 'on', 'type', 'window', 'within', 'ttl', 'where', 'select', 'lookup'] as const

/**
 * `join` of two inputs, or of one with a service (lookup). Of two come out the fields of `select` (all of both sides by
 * default), a window join adds `windowStart` and `windowEnd`; rows too late for it come out of `lateLeft` and
 * `lateRight`.
 */
function readJoin(entry: Entry, inputs: readonly Input[], around: Surroundings, problems: Problems): ReadOperator {
  const unknown: ReadOperator = { stream: UNKNOWN_STREAM }
  const path = join(entry.path, 'join')
  const fields = problems.fields(entry.fields['join'], path, KNOWN)
  const [left, right, third] = inputs
  if (fields?.['lookup'] !== undefined && left !== undefined && right === undefined)
    return readLookup(entry, fields, left, around, problems)
  if (left === undefined || right === undefined || third !== undefined) {
    problems.report(
      'INPUT_MISSING',
      join(entry.path, 'from'),
      `a join has two inputs, not ${inputs.length}`,
      'write from: [left, right]; join the result with a third in an entry of its own',
    )
    return unknown
  }
  if (fields === undefined) return unknown
  if (fields['lookup'] !== undefined) {
    problems.report(
      'JOIN_INVALID',
      join(entry.path, 'from'),
      'a lookup joins one stream with a service',
      'write from: the id of that stream',
    )
    return unknown
  }
  const type = readType(fields['type'], join(path, 'type'), problems)
  const keys = readJoinKeys(fields, { path, inputs: [left, right], names: entry.from }, problems)
  const extent = readJoinExtent(fields, path, problems)
  if (type !== undefined && extent !== undefined) checkType(type, extent, path, problems)
  const times =
    extent === undefined || extent.kind === 'regular'
      ? undefined
      : readTimes(entry, [left, right], extent.kind, problems)
  if (type === undefined || keys === undefined) return unknown
  const schemas = { left: left.schema, right: right.schema }
  const aliases = aliasesOf(entry.from)
  const where = readCondition(fields['where'], { rows: schemas, aliases }, join(path, 'where'), problems)
  const taken = extent?.kind === 'window' ? BOUNDS.map((bound) => bound.name) : []
  const select = readJoinSelect(
    fields['select'],
    { type, schemas, aliases, keys, taken },
    join(path, 'select'),
    problems,
  )
  if (select === undefined) return unknown
  const stream: Stream = {
    schema: { fields: [...select.map(({ field }) => field), ...(extent?.kind === 'window' ? BOUNDS : [])] },
    time: extent === undefined ? { kind: 'unknown' } : timeAfter(entry, extent, select, times),
  }
  if (extent === undefined || (extent.kind !== 'regular' && times === undefined)) return { stream }
  return {
    stream,
    distribution: [
      { kind: 'hash', keyBy: keys.left },
      { kind: 'hash', keyBy: keys.right },
    ],
    ...(times === undefined ? {} : { sideOutputs: { lateLeft: left, lateRight: right } }),
    verb: {
      kind: 'join',
      type,
      extent,
      keys,
      fields: select,
      watermarkDelayMs: watermarkDelay(type, extent, timeField(select, times)?.side),
      ...(times === undefined ? {} : { times }),
      ...(where === undefined ? {} : { where }),
    },
  }
}

function readType(value: unknown, path: string, problems: Problems): JoinType | undefined {
  if (value === undefined) return 'inner'
  const known = JOIN_TYPES.find((type) => type === value)
  if (known === undefined)
    problems.report(
      'UNKNOWN_VALUE',
      path,
      `${JSON.stringify(value)} is not a type of join`,
      suggestion(String(value), JOIN_TYPES),
    )
  return known
}

/** A join without end in time never knows that a row has no match. */
function checkType(type: JoinType, extent: JoinExtent, path: string, problems: Problems): void {
  if (extent.kind !== 'regular' || type === 'inner' || type === 'semi') return
  problems.report(
    'JOIN_UNSUPPORTED',
    join(path, 'type'),
    `a ${type} join that is bound neither by a window nor by within would put out rows without a match and take them back when one comes, which no stream here can say`,
    `give it within: { before: 1h, after: 1h } or a window: then a row without a match is final once its time is over${type === 'left' ? '; or ask a table for the other side, with lookup and type: left' : ''}; ${type === 'anti' ? 'semi' : 'inner'} needs neither`,
  )
}

function readTimes(
  entry: Entry,
  inputs: readonly [Input, Input],
  kind: 'window' | 'interval',
  problems: Problems,
): JoinVerb['times'] {
  const [left, right] = inputs.map((input, index): RowTime | undefined => {
    const { time } = input
    if (time.kind === 'none') {
      problems.report(
        'EVENT_TIME_MISSING',
        join(join(entry.path, 'join'), kind === 'window' ? 'window' : 'within'),
        `needs event time on both sides, "${entry.from[index] ?? ''}" has none: ${time.why}`,
        'declare eventTime: { field: … } at the source and pass the field on',
      )
    }
    return time.kind === 'field' ? { field: time.field, offsetMs: time.offsetMs } : undefined
  })
  return left === undefined || right === undefined ? undefined : { left, right }
}

/** Inputs are also called by their ids, or by the name of the side output, where those are identifiers. */
export function aliasesOf(from: readonly string[]): Record<string, JoinSide> {
  const names = from.map((input) => input.split('.').at(-1) ?? input)
  const [left = '', right = ''] = names
  if (left === right) return {}
  const usable = (name: string): boolean =>
    /^[A-Za-z_]\w*$/.test(name) && name !== 'left' && name !== 'right' && name !== '__proto__'
  return {
    ...(usable(left) ? { [left]: 'left' as const } : {}),
    ...(usable(right) ? { [right]: 'right' as const } : {}),
  }
}

/** A condition over the rows of a scope; undefined when there is none or it was reported. */
export function readCondition(value: unknown, scope: Scope, path: string, problems: Problems): Expression | undefined {
  if (value === undefined) return undefined
  const text = readExpressionText(value, path, problems)
  return text === undefined ? undefined : problems.attempt(path, () => parseCondition(text, scope))
}

/** The output field that carries the event time of a side, and never null. */
function timeField(
  select: readonly JoinField[],
  times: JoinVerb['times'],
): { field: string; side: JoinSide } | undefined {
  if (times === undefined) return undefined
  for (const side of ['left', 'right'] as const) {
    const field = carrierOf(select, side, times[side].field)
    if (field !== undefined) return { field, side }
  }
  return undefined
}

/** The selected field that is a side's field of this name as it is. */
export function carrierOf(select: readonly JoinField[], side: JoinSide, name: string): string | undefined {
  const carriers = select.filter(
    ({ field, value }) => !field.nullable && value.kind === 'field' && value.of === side && value.name === name,
  )
  return (carriers.find(({ field }) => field.name === name) ?? carriers[0])?.field.name
}

function timeAfter(
  entry: Entry,
  extent: JoinExtent,
  select: readonly JoinField[],
  times: JoinVerb['times'],
): StreamTime {
  switch (extent.kind) {
    case 'window':
      return { kind: 'field', field: 'windowEnd', offsetMs: -1 }
    case 'regular':
      return { kind: 'none', why: `"${entry.id}" joins rows of any age` }
    case 'interval': {
      const carrier = timeField(select, times)
      if (times === undefined) return { kind: 'unknown' }
      if (carrier === undefined)
        return { kind: 'none', why: `"${entry.id}" selects the event time of neither side, or it can be null` }
      return { kind: 'field', field: carrier.field, offsetMs: times[carrier.side].offsetMs }
    }
  }
}

/** As Flink's KeyedCoProcessOperatorWithWatermarkDelay: rows come out as old as the interval is long. */
function watermarkDelay(type: JoinType, extent: JoinExtent, side: JoinSide | undefined): number {
  if (extent.kind !== 'interval' || side === undefined) return 0
  // of a side that only older rows can meet none comes out behind the watermark, since late ones are left out
  const reach = Math.max(0, side === 'left' ? extent.afterMs : extent.beforeMs)
  // rows without a match wait until all of their pane is over
  return reach + (type === 'inner' || type === 'semi' ? 1 : extent.paneMs)
}

/** The fields of a side that the join looks at. */
function fieldsJoined(verb: JoinVerb, side: JoinSide): Set<string> {
  const kept = fieldsKept(verb, side)
  const time = verb.times?.[side]
  if (time !== undefined) kept.add(time.field)
  return kept
}

/** The fields of a side that are kept until a match comes. */
export function fieldsKept(verb: JoinVerb, side: JoinSide): Set<string> {
  const expressions = [...verb.fields.map(({ value }) => value), ...(verb.where === undefined ? [] : [verb.where])]
  return new Set([
    ...verb.keys[side],
    ...expressions
      .flatMap(fieldsIn)
      .filter(({ of }) => of === side)
      .map(({ name }) => name),
  ])
}

/** True when rows of the side come out also without a match. */
export function isOuter(type: JoinType, side: JoinSide): boolean {
  return type === 'full' || type === side
}
