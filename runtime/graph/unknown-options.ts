import { nearest } from '../expressions/suggest.ts'

/** Takes one mistake in options; `path` is relative to them. */
export type ReportOption = (path: string, message: string, hint?: string) => void

/** Reports every option that is not in `known`. */
export function unknownOptions(
  options: Readonly<Record<string, unknown>>,
  known: readonly string[],
  report: ReportOption,
): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const meant = nearest(name, known)
    report(
      name,
      known.length === 0 ? 'unknown option; there are none' : `unknown option; known are ${known.join(', ')}`,
      meant === undefined ? undefined : `did you mean "${meant}"?`,
    )
  }
}
