import { describe, expect, test } from 'vitest'
import { withPlantedBug } from '../../../runtime/model/planted-bugs.ts'
import { firstWrongSeed, PLANT_BUDGET } from '../../harness/simulation/scenario.ts'
import { asyncJob, processJob, requestJob, userCodeScenario } from '../../harness/simulation/user-code-job.ts'
import { wrongVerbSeeds } from '../../harness/simulation/verb-job.ts'

/** More: test/simulate.ts --scenario user-code. */
const SEEDS = 6

describe('code of the user under virtual time', () => {
  test('process: whatever is killed, paused, cut off or rescaled, state, timers and side outputs give every row once', async () => {
    expect(await wrongVerbSeeds(processJob, SEEDS)).toEqual([])
  })

  test.each(['ordered', 'unordered'] as const)(
    'asyncMap, %s, with calls that fail and take long: every row once, and timers behind it lose none',
    async (order) => {
      expect(await wrongVerbSeeds(asyncJob(order), SEEDS)).toEqual([])
    },
  )

  test('flatMap and sideOutput behind requests to a service: every row once', async () => {
    expect(await wrongVerbSeeds(requestJob, SEEDS)).toEqual([])
  })

  test.each(userCodeScenario.finds)('the planted bug %s is found', async (bug) => {
    expect(await withPlantedBug(bug, () => firstWrongSeed(userCodeScenario, PLANT_BUDGET))).toBeDefined()
  })
})
