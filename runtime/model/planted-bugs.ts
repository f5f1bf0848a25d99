/**
 * Bugs that the simulation plants to prove that it would find them (recipe R3). Outside of tests the set is
 * empty and nothing can be added from a job, an environment variable or the network.
 */
export type PlantedBug =
  /** Barriers do not hold back the channels they came on. */
  | 'noAlign'
  /** Output becomes visible before its checkpoint is complete. */
  | 'commitOnSnapshot'
  /** What a checkpoint prepared is not committed again by a restore. */
  | 'noRecommit'
  /** The newest checkpoint is read before older coordinators are fenced. */
  | 'readBeforeFence'

const planted = new Set<PlantedBug>()

export function isPlanted(bug: PlantedBug): boolean { return planted.has(bug) }

/** For tests only: runs `act` with the bug in place. */
export async function withPlantedBug<T>(bug: PlantedBug | undefined, act: () => Promise<T>): Promise<T> {
  if (bug === undefined) return act()
  planted.add(bug)
  try {
    return await act()
  } finally {
    planted.delete(bug)
  }
}
