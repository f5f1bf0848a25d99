/**
 * Bugs that the simulation plants to prove that it would find them (recipe R3). Outside of tests the set is
 * empty and nothing can be added from a job, an environment variable or the network.
 */
export const PLANTED_BUGS = {
  noAlign: 'barriers do not hold back the channels they came on',
  commitOnSnapshot: 'output becomes visible before its checkpoint is complete',
  noRecommit: 'what a checkpoint prepared is not committed again by a restore',
  readBeforeFence: 'the newest checkpoint is read before older coordinators are fenced',
  completeBeforeLog: 'sinks are told to commit before the checkpoint is in the log',
  stateBySlot: 'a restore gives each slot the state of the same slot, whatever its key groups are',
  preparedIsEnough: 'state that was prepared for a switch counts as all of it',
  prefixUnchecked: 'prepared state is used though the files it came from are not those of the restore',
  sweepGivenUp: 'what a checkpoint has written that is given up is swept at once',
  switchWithoutSavepoint: 'a running attempt is given up for another spec without a savepoint',
  actBeforeIntent: 'the operator acts before its status says what for',
  blindStatus: 'the operator writes its status on whatever version is there',
  forgetTerminating: 'pods that are still ending count as gone',
  upgradeWithoutSavepoint: 'pods are replaced without a savepoint',
  surplusFirst: 'a smaller job loses its surplus pods before it has been rescaled',
  noDrain: 'a barrier goes on while calls of rows before it are under way',
  watermarkAhead: 'a watermark goes on before the results of calls of rows before it',
} as const

export type PlantedBug = keyof typeof PLANTED_BUGS

const planted = new Set<PlantedBug>()

export function isPlanted(bug: PlantedBug): boolean {
  return planted.has(bug)
}

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
