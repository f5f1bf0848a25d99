import type { Expression } from '../../../expressions/ast.ts'
import { suggestion } from '../../../expressions/suggest.ts'
import { fieldOf, isFieldName, type Schema } from '../../../model/schema.ts'
import { readExpressionText } from '../kit/expression-text.ts'
import { CURRENT_ROW, MATCH_ROW, parsePatternExpression, type KnownStep, type PatternScope } from './pattern-scope.ts'
import type { Fields } from '../../../model/fields.ts'
import { describe, join, type Problems } from '../../problems.ts'

const FOLLOWS = ['next', 'followedBy', 'followedByAny'] as const
const LOOPS = ['strict', 'relaxed', 'combinations'] as const

/** One step of a pattern, as Flink's Pattern with its Quantifier. */
export interface PatternStep {
  name: string
  /** A row that must not come: right after (`next`), or until the step behind it takes one. */
  not: boolean
  /** The condition may read the row and the rows of earlier steps. Without it, every row fits. */
  where?: Expression
  /** What may lie between the last row of the step before and the first of this: nothing, rows that do not fit, any. */
  follows: (typeof FOLLOWS)[number]
  /** How many rows, when any. Absent `max`: without end. */
  min: number
  max?: number
  /** Also none. */
  optional: boolean
  /** Takes every row that fits before the next step may. */
  greedy: boolean
  /** What may lie between its own rows. */
  loop: (typeof LOOPS)[number]
  /** Ends the loop. */
  until?: Expression
}

const MAX_STEPS = 32
const MAX_TIMES = 1000
const FIELDS = ['name', 'where', 'times', 'optional', 'greedy', 'follows', 'not', 'loop', 'until'] as const
const USAGE = 'write times: 3, 2..4 or 3+'

/** Undefined after reporting. */
export function readSteps(value: unknown, path: string, schema: Schema, problems: Problems): PatternStep[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_STEPS) {
    problems.report(
      Array.isArray(value) ? 'TOO_LARGE' : 'TYPE_MISMATCH',
      path,
      `must be a list of 1 to ${MAX_STEPS} steps, not ${Array.isArray(value) ? `one of ${value.length}` : describe(value)}`,
    )
    return undefined
  }
  const list: unknown[] = value
  const known: KnownStep[] = []
  const names = new Set<string>()
  const read = list.map((item, index) => readStep(item, join(path, index), { schema, known, names }, problems))
  const steps = read.filter((step) => step !== undefined)
  if (steps.length < list.length) return undefined
  const before = problems.found.length
  steps.forEach((step, index) => {
    checkPlace(step, steps[index - 1], steps.slice(index + 1), join(path, index), problems)
  })
  return problems.found.length > before ? undefined : steps
}

interface Before {
  schema: Schema
  known: KnownStep[]
  names: Set<string>
}

function readStep(item: unknown, path: string, before: Before, problems: Problems): PatternStep | undefined {
  const fields = problems.fields(item, path, FIELDS)
  if (fields === undefined) return undefined
  const found = problems.found.length
  const name = readName(fields['name'], join(path, 'name'), before, problems)
  const not = readFlag(fields, 'not', path, problems)
  const follows = readChoice(fields['follows'], FOLLOWS, 'followedBy', join(path, 'follows'), problems)
  const loop = readChoice(fields['loop'], LOOPS, 'relaxed', join(path, 'loop'), problems)
  const times = readTimes(fields['times'], join(path, 'times'), problems)
  const optional = readFlag(fields, 'optional', path, problems) || times?.optional === true
  const greedy = readFlag(fields, 'greedy', path, problems)
  const isRepeated = times !== undefined && times.max !== 1
  const own = isRepeated && name !== undefined && !not ? [{ name, mayLack: true }] : []
  const scope: PatternScope = {
    schema: before.schema,
    steps: [...before.known, ...own],
    bare: { row: CURRENT_ROW, schema: before.schema },
  }
  const where = readCondition(fields['where'], scope, join(path, 'where'), problems)
  const until = readCondition(fields['until'], scope, join(path, 'until'), problems)
  if (not) {
    const stray = (['times', 'optional', 'greedy', 'loop', 'until'] as const).find((field) => field in fields)
    if (stray !== undefined)
      problems.report(
        'PATTERN_INVALID',
        join(path, stray),
        'a row that must not come has no number and no loop',
        'leave it out, or leave out not',
      )
    if (where === undefined && fields['where'] === undefined)
      problems.report('PATTERN_INVALID', path, 'without a condition no row at all might come', 'add where')
  } else if (!isRepeated) {
    const stray = (['loop', 'until', 'greedy'] as const).find((field) => field in fields)
    if (stray !== undefined)
      problems.report('PATTERN_INVALID', join(path, stray), `${stray} is for a step of several rows`, USAGE)
  } else if (greedy && times.min === times.max && !optional) {
    problems.report(
      'PATTERN_INVALID',
      join(path, 'greedy'),
      `exactly ${times.min} rows leave nothing to be greedy for`,
      'write times: 3+ or 2..4',
    )
  }
  if (greedy && loop === 'combinations')
    problems.report(
      'PATTERN_INVALID',
      join(path, 'greedy'),
      'a greedy loop takes every row, combinations leaves out any',
      'write loop: relaxed, or leave out greedy',
    )
  if (
    name === undefined ||
    times === undefined ||
    follows === undefined ||
    loop === undefined ||
    problems.found.length > found
  )
    return undefined
  if (!not) before.known.push({ name, mayLack: optional })
  return {
    name,
    not,
    follows,
    min: times.min,
    ...(times.max === undefined ? {} : { max: times.max }),
    optional,
    greedy,
    loop,
    ...(where === undefined ? {} : { where }),
    ...(until === undefined ? {} : { until }),
  }
}

function readName(value: unknown, path: string, { names, schema }: Before, problems: Problems): string | undefined {
  const name = problems.text(value, path, 128)
  if (name === undefined) return undefined
  const why = !isFieldName(name)
    ? 'is not an identifier'
    : name === MATCH_ROW
      ? 'is the match itself in select'
      : names.has(name)
        ? 'is a step already'
        : fieldOf(schema, name) !== undefined
          ? 'is a field of the rows: expressions could mean either'
          : undefined
  names.add(name)
  if (why === undefined) return name
  problems.report(
    'STEP_NAME_INVALID',
    path,
    `"${name}" ${why}`,
    'steps are called by a letter and letters, digits or _, each by a name of its own',
  )
  return undefined
}

function readFlag(fields: Fields, name: 'not' | 'optional' | 'greedy', path: string, problems: Problems): boolean {
  const value = fields[name]
  if (value !== undefined && typeof value !== 'boolean')
    problems.report('TYPE_MISMATCH', join(path, name), `must be true or false, not ${describe(value)}`)
  return value === true
}

function readChoice<T extends string>(
  value: unknown,
  choices: readonly T[],
  otherwise: T,
  path: string,
  problems: Problems,
): T | undefined {
  if (value === undefined) return otherwise
  const found = choices.find((choice) => choice === value)
  if (found === undefined)
    problems.report(
      'UNKNOWN_VALUE',
      path,
      `${describe(value)} is none of ${choices.join(', ')}`,
      typeof value === 'string' ? suggestion(value, choices) : undefined,
    )
  return found
}

/** `3`, `2..4`, `3+`; from 0 on the step is optional. */
function readTimes(
  value: unknown,
  path: string,
  problems: Problems,
): { min: number; max?: number; optional: boolean } | undefined {
  if (value === undefined) return { min: 1, max: 1, optional: false }
  const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.replaceAll(' ', '') : ''
  const [, from = '', range, to] = /^(\d{1,6})(\+|\.\.(\d{1,6}))?$/.exec(text) ?? []
  const least = Number(from)
  const max = range === '+' ? undefined : Number(to ?? from)
  const why =
    from === ''
      ? `${describe(value)} is not a number of rows`
      : max === 0
        ? 'a step takes at least one row'
        : max !== undefined && max < least
          ? `${text} ends before it begins`
          : Math.max(least, max ?? 0) > MAX_TIMES
            ? `at most ${MAX_TIMES} rows can be counted`
            : undefined
  if (why !== undefined) {
    problems.report('TIMES_INVALID', path, why, USAGE)
    return undefined
  }
  return { min: Math.max(1, least), ...(max === undefined ? {} : { max }), optional: least === 0 }
}

function readCondition(value: unknown, scope: PatternScope, path: string, problems: Problems): Expression | undefined {
  if (value === undefined) return undefined
  const text = readExpressionText(value, path, problems)
  const condition = text === undefined ? undefined : problems.attempt(path, () => parsePatternExpression(text, scope))
  if (condition === undefined || condition.type === 'boolean') return condition
  problems.report(
    'EXPRESSION_TYPE',
    path,
    `a condition must be boolean, this is ${condition.type}`,
    'compare it with something, e.g. `… > 0` or `… !== null`',
  )
  return undefined
}

/** What Flink's Pattern and NFACompiler refuse, and what they take though it means nothing. */
function checkPlace(
  step: PatternStep,
  previous: PatternStep | undefined,
  behind: readonly PatternStep[],
  path: string,
  problems: Problems,
): void {
  const isLast = behind.length === 0
  const refuse = (field: string | undefined, message: string, hint?: string): void => {
    problems.report('PATTERN_INVALID', field === undefined ? path : join(path, field), message, hint)
  }
  if (previous === undefined && step.not)
    refuse('not', 'a pattern begins with a row that comes', 'put a step before it')
  if (previous === undefined && step.follows !== 'followedBy')
    refuse('follows', 'the first step follows nothing', 'leave it out')
  if (previous?.greedy === true && step.follows === 'followedByAny')
    refuse(
      'follows',
      `${previous.name} is greedy and takes every row that fits, followedByAny would skip them`,
      'write followedBy, or leave out greedy',
    )
  if (previous?.greedy === true && step.optional)
    refuse(
      'optional',
      `an optional step cannot stand behind ${previous.name}, which is greedy`,
      `leave out greedy at ${previous.name}`,
    )
  if (previous?.greedy === true && step.not)
    refuse(
      'not',
      `not cannot stand right behind ${previous.name}, which is greedy`,
      `leave out greedy at ${previous.name}`,
    )
  if (step.not && previous?.not === true)
    refuse('not', 'two rows that must not come stand together', 'write one step with both conditions joined by ||')
  if (step.not && previous?.optional === true)
    refuse(
      'not',
      `not cannot stand right behind ${previous.name}, which is optional`,
      'write two patterns, one with the optional step and one without',
    )
  if (step.not && step.follows === 'followedByAny') refuse('follows', 'a row that must not come is next or followedBy')
  if (step.not && isLast && step.follows === 'next')
    refuse('follows', 'at the end nothing says when the next row had to come', 'write followedBy with within')
  if (step.not && !isLast && behind.every(({ optional }) => optional))
    refuse(
      'not',
      'all steps behind it are optional: the match would be complete before the row could come',
      'make one of them not optional, or put not at the end',
    )
  if (step.greedy && isLast)
    refuse(
      'greedy',
      'the last step has nobody to be greedy against: the match is complete with its first row',
      'leave it out',
    )
}
