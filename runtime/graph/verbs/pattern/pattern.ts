import { aspect } from '../kit/aspects.ts'
import { namesText } from '../kit/descriptions.ts'
import { suggestion } from '../../../expressions/suggest.ts'
import { type Field, fieldsOf, namedField } from '../../../model/schema.ts'
import type { Expression } from '../../../expressions/ast.ts'
import { readExpressionText } from '../kit/expression-text.ts'
import type { Entry } from '../entry.ts'
import { readKeys } from '../kit/key-fields.ts'
import { KEY_ROW, MATCH_ROW, parsePatternExpression, type PatternScope } from './pattern-scope.ts'
import { type PatternStep, readSteps } from './pattern-steps.ts'
import type { Fields } from '../../../model/fields.ts'
import { describe, join, type Problems } from '../../problems.ts'
import { type Input, type Stream, type StreamTime, type Surroundings, UNKNOWN_STREAM } from '../../stream.ts'
import type { ReadOperator, VerbDefinition } from '../verb.ts'
import { checkFieldName, MAX_FIELDS } from '../kit/schema-fields.ts'
import { readDuration } from '../kit/durations.ts'

/** Where matching goes on behind a match: Flink's AfterMatchSkipStrategy. `toFirst` and `toLast` name a step. */
export type AfterMatch =
  | { kind: 'noSkip' }
  | { kind: 'toNext' }
  | { kind: 'pastLast' }
  | { kind: 'toFirst' | 'toLast'; step: number }

export interface SelectedField {
  field: Field
  value: Expression
}

/** Sequences of rows under one key, in the order of event time. */
export interface PatternVerb {
  kind: 'pattern'
  eventTime: { field: string; offsetMs: number }
  steps: readonly PatternStep[]
  /** From the first row of a match to its last it is less than this. */
  withinMs?: number
  after: AfterMatch
  /** How many matches of one key may be under way. */
  maxRuns: number
  fields: readonly SelectedField[]
  /** The same fields of a match that was not completed in time. */
  timedOut: readonly SelectedField[]
}

export const patternVerb: VerbDefinition<PatternVerb> = {
  word: 'pattern',
  entry: {
    forms: { pattern: { fields: ['keyBy', 'pattern'], takes: ['keyBy'] } },
    inputs: 'one stream',
    read: readPattern,
    checkForm: () => undefined,
  },
  reads: () => 'all',
  distributes: () => [],
  changes: () => ({ makes: { kind: 'append' }, addsUp: undefined }),
  keeps: (_node, [input]) => ({ fields: input?.fields ?? [], tables: {} }),
  // Rows are kept by the form of the steps, not by their conditions.
  aspects: ({ verb, keyBy }) => [
    aspect('keyBy', keyBy, 'binds state'),
    aspect('pattern', [verb.steps.map(({ where: _, ...form }) => form), verb.withinMs, verb.after], 'binds state'),
    aspect('pattern', [verb.steps.map(({ where }) => where), verb.fields, verb.maxRuns], 'binds no state'),
  ],
  stage: 'pattern',
  spills: false,
  dependsOnArrival: false,
  refusesRows: true,
  functions: () => [],
  service: () => undefined,
  describe: ({ verb, keyBy }) =>
    `pattern ${verb.steps.map(({ name, not }) => (not ? `no ${name}` : name)).join(', ')} by ${namesText(keyBy)}${verb.withinMs === undefined ? '' : `, within ${verb.withinMs} ms`}`,
}

const FIELDS = ['steps', 'within', 'after', 'select', 'maxRuns'] as const
const DEFAULT_MAX_RUNS = 10_000
const AFTER_USAGE = 'write skipPastLast, skipToNext, noSkip, { skipToFirst: step } or { skipToLast: step }'

/**
 * `pattern: { steps, within, after, select, maxRuns }` beside `keyBy`. Out come the fields of `select`, one row per
 * match; rows behind the watermark come out of `late`, matches that were not completed in time out of `timedOut`.
 */
function readPattern(entry: Entry, input: Input, _around: Surroundings, problems: Problems): ReadOperator {
  const unknown: ReadOperator = { stream: UNKNOWN_STREAM }
  const path = join(entry.path, 'pattern')
  const keyBy = readKeys(entry, input.schema, problems)
  const fields = problems.fields(entry.fields['pattern'], path, FIELDS)
  const sideOutputs: Record<string, Stream> = {
    late: input,
    ...(fields?.['within'] === undefined ? {} : { timedOut: unknown.stream }),
  }
  if (fields === undefined) return { ...unknown, sideOutputs }
  const eventTime = readTime(input, path, problems)
  const steps = readSteps(fields['steps'], join(path, 'steps'), input.schema, problems)
  const withinMs = readWithin(fields['within'], steps, path, problems)
  const after = steps === undefined ? undefined : readAfter(fields['after'], steps, join(path, 'after'), problems)
  const maxRuns =
    fields['maxRuns'] === undefined ? DEFAULT_MAX_RUNS : problems.count(fields['maxRuns'], join(path, 'maxRuns'))
  if (keyBy === undefined || steps === undefined) return { ...unknown, sideOutputs }
  const key = { row: KEY_ROW, schema: { fields: fieldsOf(input.schema, keyBy) } } as const
  const taking = steps.filter((step) => !step.not)
  const scope: PatternScope = {
    schema: input.schema,
    bare: key,
    steps: taking.map(({ name, optional }) => ({ name, mayLack: optional })),
  }
  const selected = readSelect(fields['select'], scope, join(path, 'select'), problems)
  if (selected === undefined) return { ...unknown, sideOutputs }
  const partial: PatternScope = { ...scope, steps: taking.map(({ name }) => ({ name, mayLack: true })) }
  const timedOut = selected.map(({ name, text }) => fieldOfText(name, text, partial))
  const matched = selected.map(({ name, text }) => fieldOfText(name, text, scope))
  const time = timeAfter(entry, matched)
  if ('timedOut' in sideOutputs)
    sideOutputs['timedOut'] = { schema: { fields: timedOut.map(({ field }) => field) }, time }
  const stream: Stream = { schema: { fields: matched.map(({ field }) => field) }, time }
  if (eventTime === undefined || withinMs === 'wrong' || after === undefined || maxRuns === undefined)
    return { stream, sideOutputs }
  return {
    stream,
    sideOutputs,
    keyBy,
    verb: {
      kind: 'pattern',
      eventTime,
      steps,
      ...(withinMs === undefined ? {} : { withinMs }),
      after,
      maxRuns,
      fields: matched,
      timedOut,
    },
  }
}

function readTime({ time }: Input, path: string, problems: Problems): PatternVerb['eventTime'] | undefined {
  if (time.kind === 'none')
    problems.report(
      'EVENT_TIME_MISSING',
      path,
      `a pattern needs event time, which is the order of its rows: ${time.why}`,
      'declare eventTime: { field: … } at the source and pass the field on',
    )
  return time.kind === 'field' ? { field: time.field, offsetMs: time.offsetMs } : undefined
}

function readWithin(
  value: unknown,
  steps: readonly PatternStep[] | undefined,
  path: string,
  problems: Problems,
): number | 'wrong' | undefined {
  const withinPath = join(path, 'within')
  if (value === undefined) {
    const last = steps?.at(-1)
    if (last?.not === true) {
      problems.report(
        'PATTERN_INVALID',
        withinPath,
        `without within it is never certain that "${last.name}" does not come`,
        'add within: 10m',
      )
      return 'wrong'
    }
    if (steps !== undefined && steps.length > 1)
      problems.warn(
        'STATE_UNBOUNDED',
        path,
        'without within a match that was begun waits for ever: state grows with every row that begins one, and matches that begin later wait for it unless after is noSkip',
        'add within: 10m',
      )
    return undefined
  }
  const ms = readDuration(value, withinPath, problems)
  if (ms === 0)
    problems.report(
      'DURATION_INVALID',
      withinPath,
      'no two rows are nearer than nothing',
      'write within: 10m, or leave it out',
    )
  return ms === undefined || ms === 0 ? 'wrong' : ms
}

/** Without it matching goes on behind the match, as in SQL's MATCH_RECOGNIZE. */
function readAfter(
  value: unknown,
  steps: readonly PatternStep[],
  path: string,
  problems: Problems,
): AfterMatch | undefined {
  switch (value) {
    case undefined:
    case 'skipPastLast':
      return { kind: 'pastLast' }
    case 'skipToNext':
      return { kind: 'toNext' }
    case 'noSkip':
      return { kind: 'noSkip' }
    default:
      return readSkipTo(value, steps, path, problems)
  }
}

function readSkipTo(
  value: unknown,
  steps: readonly PatternStep[],
  path: string,
  problems: Problems,
): AfterMatch | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problems.report(
      'UNKNOWN_VALUE',
      path,
      `${describe(value)} does not say where matching continues`,
      (typeof value === 'string' ? suggestion(value, ['skipPastLast', 'skipToNext', 'noSkip']) : undefined) ??
        AFTER_USAGE,
    )
    return undefined
  }
  const fields: Fields = problems.fields(value, path, ['skipToFirst', 'skipToLast']) ?? {}
  const [kind, other] = (['skipToFirst', 'skipToLast'] as const).filter((name) => name in fields)
  if (kind === undefined || other !== undefined) {
    problems.report(
      'PATTERN_INVALID',
      path,
      kind === undefined ? 'names no step' : 'continues in two places',
      AFTER_USAGE,
    )
    return undefined
  }
  const name = fields[kind]
  const step = steps.findIndex((known) => known.name === name && !known.not)
  if (step >= 0) return { kind: kind === 'skipToFirst' ? 'toFirst' : 'toLast', step }
  const taking = steps.filter((known) => !known.not).map((known) => known.name)
  problems.report(
    'STEP_UNKNOWN',
    join(path, kind),
    `there is no step ${describe(name)} that takes rows`,
    typeof name === 'string' ? (suggestion(name, taking) ?? `there are ${taking.join(', ')}`) : undefined,
  )
  return undefined
}

interface SelectedText {
  name: string
  text: string
}

function readSelect(value: unknown, scope: PatternScope, path: string, problems: Problems): SelectedText[] | undefined {
  if (value === undefined) {
    problems.report(
      'PATTERN_INVALID',
      path,
      'nothing would come out of a match',
      `write select: { ${scope.bare.schema.fields[0]?.name ?? 'key'}: ${scope.bare.schema.fields[0]?.name ?? 'key'}, at: ${MATCH_ROW}.time, … }`,
    )
    return undefined
  }
  const fields = problems.fields(value, path)
  if (fields === undefined) return undefined
  const names = Object.keys(fields)
  if (names.length === 0 || names.length > MAX_FIELDS) {
    problems.report('TOO_LARGE', path, `gives ${names.length} fields, 1 to ${MAX_FIELDS} are taken`)
    return undefined
  }
  const read = names.map((name): SelectedText | undefined => {
    const fieldPath = join(path, name)
    if (!checkFieldName(name, fieldPath, problems)) return undefined
    const text = readExpressionText(fields[name], fieldPath, problems)
    const expression =
      text === undefined ? undefined : problems.attempt(fieldPath, () => parsePatternExpression(text, scope))
    return text === undefined || expression === undefined ? undefined : { name, text }
  })
  const sound = read.filter((field) => field !== undefined)
  return sound.length < names.length ? undefined : sound
}

function fieldOfText(name: string, text: string, scope: PatternScope): SelectedField {
  const value = parsePatternExpression(text, scope)
  return { field: namedField(name, value), value }
}

/** Matches come out at `match.time`, never earlier: their rows may be long behind the watermark. */
function timeAfter(entry: Entry, fields: readonly SelectedField[]): StreamTime {
  const carrier = fields.find(({ value }) => value.kind === 'field' && value.of === MATCH_ROW && value.name === 'time')
  if (carrier !== undefined) return { kind: 'field', field: carrier.field.name, offsetMs: 0 }
  return { kind: 'none', why: `"${entry.id}" does not select ${MATCH_ROW}.time` }
}
