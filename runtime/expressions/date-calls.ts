import { DATE_PARTS, TIME_UNITS } from '../model/calendar.ts'
import { FORMAT_LETTERS, readTimeFormat } from '../model/time-format.ts'
import { isTimeZone } from '../model/time-zone.ts'
import type { Expression, ExpressionType } from './ast.ts'
import { suggestion } from './suggest.ts'
import { describeType } from './typing.ts'

/** What an argument of a date function is; `unit`, `format` and `zone` are written out. */
type Parameter = 'moment' | 'text' | 'amount' | 'unit' | 'format'

interface DateFunction {
  readonly takes: readonly Parameter[]
  /** `same`: a date for a date, else a timestamp. */
  readonly gives: 'long' | 'string' | 'timestamp' | 'same'
}

/** Functions over timestamps, dates and times; a time zone may stand behind their arguments, UTC without it. */
export const DATE_CALLS: ReadonlyMap<string, DateFunction> = new Map<string, DateFunction>([
  ...DATE_PARTS.map((part): [string, DateFunction] => [`Date.${part}`, { takes: ['moment'], gives: 'long' }]),
  ['Date.truncate', { takes: ['moment', 'unit'], gives: 'same' }],
  ['Date.add', { takes: ['moment', 'amount', 'unit'], gives: 'same' }],
  ['Date.diff', { takes: ['moment', 'moment', 'unit'], gives: 'long' }],
  ['Date.format', { takes: ['moment', 'format'], gives: 'string' }],
  ['Date.parseAs', { takes: ['text', 'format'], gives: 'timestamp' }],
])

export interface DateProblem {
  /** Which argument it is about; undefined: the call. */
  readonly argument?: number
  readonly problem: string
  readonly hint?: string | undefined
}

/** The type of a call of a date function, or what is wrong with it. */
export function dateCallType(name: string, given: readonly Expression[]): ExpressionType | DateProblem {
  const listed = DATE_CALLS.get(name)
  if (listed === undefined) return { problem: `there is no function ${name}` }
  const { takes, gives } = listed
  if (given.length < takes.length || given.length > takes.length + 1)
    return { problem: `${name} takes (${takes.join(', ')}, zone?), not (${given.map(describeType).join(', ')})` }
  for (const [argument, value] of given.entries()) {
    const wrong = argumentProblem(takes[argument] ?? 'zone', value)
    if (wrong !== undefined) return { argument, ...wrong }
  }
  const kinds = new Set(given.filter((_, index) => takes[index] === 'moment').map(kindOf))
  if (kinds.size > 1) return { problem: `${name} takes two timestamps or two dates, not one of each` }
  const [kind] = kinds
  if (kind === 'time' && gives === 'same') return { problem: `${name} does not take a time` }
  if (kind !== 'timestamp' && kind !== undefined && given.length > takes.length)
    return { argument: takes.length, problem: `a ${kind} is the same in every time zone` }
  const nullable = given.some((value) => value.nullable)
  if (gives !== 'same') return { type: gives, nullable }
  return kind === 'date' ? { type: 'long', logical: { kind: 'date' }, nullable } : { type: 'timestamp', nullable }
}

/** `timestamp`, or what a long stands for; undefined for anything else. */
export function kindOf({ type, logical }: ExpressionType): 'timestamp' | 'date' | 'time' | undefined {
  if (type === 'timestamp') return 'timestamp'
  return logical?.kind === 'date' || logical?.kind === 'time' ? logical.kind : undefined
}

function argumentProblem(parameter: Parameter | 'zone', value: Expression): Omit<DateProblem, 'argument'> | undefined {
  const found = `this is ${describeType(value)}`
  if (parameter === 'moment')
    return kindOf(value) === undefined
      ? {
          problem: `a timestamp, date or time is wanted, ${found}`,
          hint: value.type === 'string' ? 'read it: Date.parse(text)' : undefined,
        }
      : undefined
  if (parameter === 'text')
    return value.type === 'string' && !value.logical ? undefined : { problem: `a text is wanted, ${found}` }
  if (parameter === 'amount')
    return value.type === 'long' && !value.logical
      ? undefined
      : { problem: `a whole number of units is wanted, ${found}` }
  if (value.kind !== 'literal' || typeof value.value !== 'string')
    return { problem: `the ${parameter} has to be written out, in quotes`, hint: `e.g. ${EXAMPLES[parameter]}` }
  return literalProblem(parameter, value.value)
}

const EXAMPLES = { unit: "'day'", format: "'yyyy-MM-dd HH:mm:ss'", zone: "'Europe/Berlin'" } as const

function literalProblem(
  parameter: 'unit' | 'format' | 'zone',
  text: string,
): Omit<DateProblem, 'argument'> | undefined {
  if (parameter === 'unit')
    return TIME_UNITS.includes(text)
      ? undefined
      : { problem: `there is no unit "${text}"`, hint: suggestion(text.toLowerCase(), TIME_UNITS) }
  if (parameter === 'zone')
    return isTimeZone(text) ? undefined : { problem: `there is no time zone "${text}"`, hint: `write ${EXAMPLES.zone}` }
  const format = readTimeFormat(text)
  return 'problem' in format
    ? {
        problem: `the format "${text}" cannot be taken: ${format.problem}`,
        hint: `letters are ${FORMAT_LETTERS}, others in quotes`,
      }
    : undefined
}
