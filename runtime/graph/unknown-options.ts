import { MOST_PROBLEMS } from './problems.ts'
import { foreignKey } from '../expressions/foreign-words.ts'
import { nearest } from '../expressions/suggest.ts'

/** Takes one mistake in options; `path` is relative to them. */
export type ReportOption = (path: string, message: string, hint?: string) => void

/** Reports every option that is not in `known`. */
export function unknownOptions(
  options: Readonly<Record<string, unknown>>,
  known: readonly string[],
  report: ReportOption,
): void {
  const unknown = Object.keys(options).filter((name) => !known.includes(name))
  // The words of a mistake cost time, and nobody reads more.
  for (const name of unknown.slice(0, MOST_PROBLEMS + 1)) {
    const meant = nearest(name, known)
    report(
      name,
      known.length === 0 ? 'unknown option; there are none' : `unknown option; known are ${known.join(', ')}`,
      foreignKey(name, known) ?? (meant === undefined ? undefined : `did you mean "${meant}"?`),
    )
  }
}
