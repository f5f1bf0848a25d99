import { isDeepStrictEqual } from 'node:util'
import type { Call, Mishap } from './mishaps.ts'
import { play } from './story.ts'
import type { Facts, Played, Scene, Story } from './story.ts'
import { Strike } from './strike.ts'

/** A run that has not ended as the uninterrupted one. */
export interface Difference {
  point: number
  call: string
  /** What differs, in words and values. */
  what: string[]
}

/** One story and one mishap. */
export interface Verdict {
  story: string
  mishap: Mishap
  /** How many calls can meet the mishap. */
  points: number
  /** How many of them did. */
  tried: number
  differences: readonly Difference[]
}

export interface Uninterrupted {
  played: Played
  calls: readonly Call[]
}

/** The run that the others are compared with. Throws where the story itself does not end well. */
export async function uninterrupted<S extends Scene>(story: Story<S>): Promise<Uninterrupted> {
  const strike = new Strike()
  const played = await play(story, strike)
  if (played.wrong !== undefined)
    throw new Error(`${story.name}, uninterrupted: ${played.wrong}; ${JSON.stringify(played.facts)}`)
  return { played, calls: strike.calls }
}

/** Strikes each of the chosen points in a run of its own. */
export async function certify<S extends Scene>(
  story: Story<S>,
  mishap: Mishap,
  whole: Uninterrupted,
  choose: (points: number) => readonly number[],
): Promise<Verdict> {
  const points = whole.calls.filter(mishap.strikes).length
  const chosen = choose(points)
  const differences: Difference[] = []
  for (const point of chosen) {
    const strike = new Strike(mishap, point)
    const what = differencesBetween(whole.played, await play(story, strike), mishap)
    if (strike.struck === undefined) what.push('this point was not reached')
    if (what.length > 0) differences.push({ point, call: strike.struck ?? '', what })
  }
  return { story: story.name, mishap, points, tried: chosen.length, differences }
}

function differencesBetween(whole: Played, run: Played, mishap: Mishap): string[] {
  const what = run.wrong === undefined ? [] : [run.wrong]
  for (const [name, wanted] of Object.entries(whole.facts)) {
    const { [name]: got } = run.facts
    if (isDeepStrictEqual(got, wanted)) continue
    if (name === COUNTED && isDeadWithItsCount(mishap, got as Counts, wanted as Counts)) continue
    what.push(`${name}: ${changeOf(wanted, got)}`)
  }
  return what
}

/** The fact with what metrics counted. */
export const COUNTED = 'counted' satisfies keyof Facts

type Counts = Readonly<Record<string, number>>

/**
 * A counter lives in its process: where that dies between what it has counted and the next look of Prometheus, one is
 * lost. None is ever counted twice.
 */
function isDeadWithItsCount({ error }: Mishap, got: Counts, wanted: Counts): boolean {
  const total = (counts: Counts): number => Object.values(counts).reduce((sum, count) => sum + count, 0)
  return (
    error === 'death' &&
    total(got) === total(wanted) - 1 &&
    Object.entries(got).every(([labels, count]) => count <= (wanted[labels] ?? 0))
  )
}

function changeOf(wanted: unknown, got: unknown): string {
  if (Array.isArray(wanted) && Array.isArray(got)) {
    const texts = [wanted, got].map((list) => list.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))))
    const [were = [], are = []] = texts
    const lost = were.filter((one) => !are.includes(one))
    const more = are.filter((one) => !were.includes(one))
    return `lost ${JSON.stringify(lost)}, more ${JSON.stringify(more)}`
  }
  if (isObject(wanted) && isObject(got))
    return [...new Set([...Object.keys(wanted), ...Object.keys(got)])]
      .filter((key) => !isDeepStrictEqual(wanted[key], got[key]))
      .map((key) => `${key} ${JSON.stringify(got[key])} instead of ${JSON.stringify(wanted[key])}`)
      .join(', ')
  return `${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
