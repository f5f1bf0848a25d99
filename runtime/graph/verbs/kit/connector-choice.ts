import type { DeclaredOptions, OptionProblem, Options } from '../../connector-declaration.ts'
import { isFields } from '../../../model/fields.ts'
import { describe, join, joinRelative, type Problems } from '../../problems.ts'
import { suggestion } from '../../../expressions/suggest.ts'

/** `{ kafka: { topic: x } }` or, without options, just `console`: a connector's name and its options. */
export interface ConnectorChoice {
  name: string
  options: Options
  path: string
}

/** The role of a connector, as far as its name and its options concern. */
interface Declared {
  readonly options: DeclaredOptions
  readonly shorthand?: string
}

/** Reads `{ name: options }`, checks the name against the registry; options are not looked at. */
export function readConnector(
  value: unknown,
  path: string,
  known: Readonly<Record<string, Declared>>,
  what: string,
  problems: Problems,
): ConnectorChoice | undefined {
  const chosen: unknown = typeof value === 'string' ? { [value]: {} } : value
  if (!isFields(chosen)) {
    problems.report(
      'TYPE_MISMATCH',
      path,
      `must name a ${what}, not ${describe(value)}`,
      `known here: ${Object.keys(known).join(', ')}`,
    )
    return undefined
  }
  const names = Object.keys(chosen)
  const [name] = names
  if (name === undefined || names.length > 1) {
    problems.report(
      'TYPE_MISMATCH',
      path,
      `must name one ${what}, not ${names.length === 0 ? 'none' : names.join(' and ')}`,
    )
    return undefined
  }
  const optionsPath = join(path, name)
  if (!Object.hasOwn(known, name)) {
    problems.report(
      'UNKNOWN_CONNECTOR',
      optionsPath,
      `there is no ${what} "${name}"`,
      suggestion(name, Object.keys(known)),
    )
    return undefined
  }
  const options = problems.fields(optionsOf(chosen[name], known[name]?.shorthand), optionsPath)
  return options === undefined ? undefined : { name, options, path: optionsPath }
}

function optionsOf(written: unknown, shorthand: string | undefined): unknown {
  return shorthand !== undefined && Array.isArray(written) ? { [shorthand]: written } : (written ?? {})
}

/** True when there was nothing to report. */
export function reportOptions(found: readonly OptionProblem[], path: string, problems: Problems): boolean {
  for (const problem of found)
    problems.report('OPTION_INVALID', joinRelative(path, problem.path), problem.message, problem.hint)
  return found.length === 0
}

export function warnOfOptions(found: readonly OptionProblem[], path: string, problems: Problems): void {
  for (const problem of found)
    problems.warn('OPTION_RISKY', joinRelative(path, problem.path), problem.message, problem.hint)
}
