import type { PlantedBugName } from './planted-bugs.ts'

export type Finds = Readonly<Partial<Record<PlantedBugName, number>>>

/** A kind of simulated run, each drawn from a seed: equal seeds run equally. */
export interface Scenario {
  readonly name: string
  /**
   * The bugs that this scenario finds, each with a seed that showed it. The search for the bug begins there, so that
   * it usually ends at once. When the seed no longer shows the bug, the search continues with those behind it.
   */
  readonly finds: Finds
  run(seed: number): Promise<Verdict>
}

export interface Verdict {
  /** What broke the promise, in one line; undefined when all was kept. */
  wrong: string | undefined
  steps: number
  log: readonly string[]
}

/** Every planted bug must be found within so many seeds, from the one that its scenario names. */
export const PLANT_BUDGET = 200

/** `seed: what is wrong` of each seed that is. */
export async function wrongSeeds(scenario: Scenario, seeds: number): Promise<string[]> {
  const found: string[] = []
  for (let seed = 0; seed < seeds; seed++) {
    const { wrong } = await scenario.run(seed)
    if (wrong !== undefined) found.push(`${seed}: ${wrong}`)
  }
  return found
}
