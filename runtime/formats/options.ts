import { MillraceError } from '../model/errors.ts'
import type { OptionProblem } from '../graph/connector-declaration.ts'
import type { ReportOption } from '../graph/unknown-options.ts'

type Options = Readonly<Record<string, unknown>>

export function readText(options: Options, name: string, byDefault: string, problem: ReportOption): string {
  const value = options[name] === undefined ? byDefault : options[name]
  if (typeof value === 'string') return value
  problem(
    name,
    `must be a text, found ${JSON.stringify(value)}${value === null ? '; YAML reads null, NULL, ~ and nothing so: put quotes around it' : ''}`,
  )
  return byDefault
}

export function readFlag(options: Options, name: string, problem: ReportOption): boolean {
  const value = options[name] === undefined ? false : options[name]
  if (typeof value === 'boolean') return value
  problem(name, `must be true or false, found ${JSON.stringify(value)}`)
  return false
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
