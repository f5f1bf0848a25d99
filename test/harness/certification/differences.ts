import { isDeepStrictEqual } from 'node:util'
import type { Mishap } from './mishaps.ts'
import type { Played } from './story.ts'

/** No mishap here keeps anybody for longer. */
const LONGEST_DELAY_MS = 60_000

/** What differs between a run with a mishap and the one without, in words and values. */
export function differencesBetween(whole: Played, run: Played, mishap: Mishap): string[] {
  const what = run.wrong === undefined ? [] : [run.wrong]
  const delayMs = run.tookMs - whole.tookMs
  if (delayMs > LONGEST_DELAY_MS) what.push(`takes ${Math.round(delayMs / 1000)} s longer`)
  for (const [name, wanted] of Object.entries(whole.facts)) {
    const { [name]: seen } = run.facts
    const got = name === 'events' ? withoutReports(mishap, seen as string[], wanted as string[]) : seen
    if (isDeepStrictEqual(got, wanted)) continue
    if (name === 'counted' && isDeadWithItsCount(mishap, got as Counts, wanted as Counts)) continue
    what.push(`${name}: ${changeOf(wanted, got)}`)
  }
  return what
}

/** That somebody did not answer is reported, as it should be. */
function withoutReports({ reports }: Mishap, got: readonly string[], wanted: readonly string[]): string[] {
  return got.filter((text) => wanted.includes(text) || !reports.some((reason) => text.includes(` ${reason}: `)))
}

type Counts = Readonly<Record<string, number>>

/**
 * A counter lives in its process: where that dies between what it has counted and the next look of Prometheus, one is
 * lost. None is ever counted twice.
 */
function isDeadWithItsCount({ fate }: Mishap, got: Counts, wanted: Counts): boolean {
  const total = (counts: Counts): number => Object.values(counts).reduce((sum, count) => sum + count, 0)
  return (
    (fate.kind === 'death' || fate.kind === 'freeze') &&
    total(got) === total(wanted) - 1 &&
    Object.entries(got).every(([labels, count]) => count <= (wanted[labels] ?? 0))
  )
}

function changeOf(wanted: unknown, got: unknown): string {
  if (Array.isArray(wanted) && Array.isArray(got)) {
    const [were, are] = [textsOf(wanted), textsOf(got)]
    const lost = were.filter((one) => !are.includes(one))
    const more = are.filter((one) => !were.includes(one))
    return `lost ${JSON.stringify(lost)}, more ${JSON.stringify(more)}`
  }
  if (isObject(wanted) && isObject(got))
    return [...new Set([...Object.keys(wanted), ...Object.keys(got)])]
      .filter((key) => !isDeepStrictEqual(wanted[key], got[key]))
      .map((key) => `${key} ${changeOf(wanted[key], got[key])}`)
      .join(', ')
  return `${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`
}

function textsOf(list: readonly unknown[]): string[] {
  return list.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)))
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
