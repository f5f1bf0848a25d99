import { clipped } from '../model/clipped.ts'
import { MillraceError } from '../model/errors.ts'
import { redactedStart } from '../model/redacted.ts'
import type { OptionProblem } from '../graph/connector-declaration.ts'
import type { ReportOption } from '../graph/unknown-options.ts'

/** More columns than any file that somebody has written a schema for. */
const MAX_NAMES = 2000

type Options = Readonly<Record<string, unknown>>

/** A value as an error message shows it. */
export function shownValue(value: unknown): string {
  return redactedStart(JSON.stringify(value) ?? 'nothing', 200)
}

export function readText(options: Options, name: string, byDefault: string, problem: ReportOption): string {
  const value = options[name] === undefined ? byDefault : options[name]
  if (typeof value === 'string') return value
  problem(
    name,
    `must be a text, found ${shownValue(value)}${value === null ? '; YAML reads null, NULL, ~ and nothing so: put quotes around it' : ''}`,
  )
  return byDefault
}

export function readFlag(options: Options, name: string, problem: ReportOption): boolean {
  const value = options[name] === undefined ? false : options[name]
  if (typeof value === 'boolean') return value
  problem(name, `must be true or false, found ${shownValue(value)}`)
  return false
}

/** A list of names, none of them twice; undefined when absent or after reporting. */
export function readNames(options: Options, name: string, problem: ReportOption): readonly string[] | undefined {
  const value = options[name]
  if (value === undefined) return undefined
  const isList = Array.isArray(value) && value.length > 0 && value.length <= MAX_NAMES
  if (!isList || !value.every((one): one is string => typeof one === 'string' && one !== '')) {
    problem(name, `must be a list of 1 to ${MAX_NAMES} names, found ${clipped(JSON.stringify(value))}`)
    return undefined
  }
  const twice = value.find((one, index) => value.indexOf(one) !== index)
  if (twice === undefined) return value
  problem(name, `must not name "${clipped(twice)}" twice`)
  return undefined
}

/** The problem with a schema that `act` refuses; none when it accepts the schema. */
export function schemaProblems(act: () => unknown): OptionProblem[] {
  try {
    act()
    return []
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return [{ path: '', message: error.message }]
  }
}
