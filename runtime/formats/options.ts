import { MillraceError } from '../model/errors.ts'
import type { FormatProblem } from './format.ts'

type Report = (path: string, message: string) => void
type Options = Readonly<Record<string, unknown>>

export function unknownOptions(options: Options, known: readonly string[], problem: Report): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      problem(
        name,
        known.length === 0 ? 'unknown option; there are none' : `unknown option; known are ${known.join(', ')}`,
      )
  }
}

export function readText(options: Options, name: string, byDefault: string, problem: Report): string {
  const value = options[name] === undefined ? byDefault : options[name]
  if (typeof value === 'string') return value
  problem(
    name,
    `must be a text, found ${JSON.stringify(value)}${value === null ? '; YAML reads null, NULL, ~ and nothing so: put quotes around it' : ''}`,
  )
  return byDefault
}

export function readFlag(options: Options, name: string, problem: Report): boolean {
  const value = options[name] === undefined ? false : options[name]
  if (typeof value === 'boolean') return value
  problem(name, `must be true or false, found ${JSON.stringify(value)}`)
  return false
}

/** What is wrong, when `act` refuses a schema. */
export function schemaProblems(act: () => unknown): FormatProblem[] {
  try {
    act()
    return []
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return [{ path: '', message: error.message }]
  }
}
