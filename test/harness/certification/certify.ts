import { isDeepStrictEqual } from 'node:util'
import { differencesBetween } from './differences.ts'
import type { Call, Mishap, Peer } from './mishaps.ts'
import { play } from './story.ts'
import type { Played, Scene, Story } from './story.ts'
import { driveFor, Strike } from './strike.ts'

/** A run that has not ended as the uninterrupted one. */
export interface Difference {
  point: number
  call: string
  /** What differs, in words and values. */
  what: readonly string[]
}

/** One story and one mishap. */
export interface Verdict {
  story: string
  peer: Peer
  mishap: string
  /** How many calls can meet the mishap. */
  points: number
  /** How many of them did. */
  tried: number
  differences: readonly Difference[]
}

/** A story, whatever it plays in. */
export interface Certifiable {
  name: string
  peers: readonly Peer[]
  /** Strikes each of the chosen points in a run of its own. Throws where the story does not end well without. */
  certify(mishap: Mishap, choose: (points: number) => readonly number[]): Promise<Verdict>
}

interface Uninterrupted {
  played: Played
  calls: readonly Call[]
}

export function certifiable<S extends Scene>(story: Story<S>): Certifiable {
  const wholes = new Map<string, Promise<Uninterrupted>>()
  const { name, peers } = story
  return {
    name,
    peers,
    certify: async (mishap, choose) => {
      const drive = driveFor(mishap)
      const whole = wholes.get(drive) ?? uninterrupted(story, drive)
      wholes.set(drive, whole)
      const { played, calls } = await whole
      const points = calls.filter(mishap.strikes).length
      const chosen = choose(points)
      const differences: Difference[] = []
      for (const point of chosen) {
        const strike = new Strike(mishap, point)
        const what = differencesBetween(played, await play(story, strike), mishap)
        if (strike.struck === undefined) what.push('this point was not reached')
        if (what.length > 0) differences.push({ point, call: strike.struck ?? '', what })
      }
      return { story: name, peer: mishap.peer, mishap: mishap.name, points, tried: chosen.length, differences }
    },
  }
}

/** The run that the others are compared with; a second one must be its equal. */
async function uninterrupted<S extends Scene>(story: Story<S>, drive: 'passes' | 'watches'): Promise<Uninterrupted> {
  const strike = new Strike(undefined, 0, drive)
  const played = await play(story, strike)
  if (played.wrong !== undefined)
    throw new Error(`${story.name}, uninterrupted: ${played.wrong}; ${JSON.stringify(played.facts)}`)
  if (!isDeepStrictEqual(await play(story, new Strike(undefined, 0, drive)), played))
    throw new Error(`${story.name} ends differently each time`)
  return { played, calls: strike.calls }
}
