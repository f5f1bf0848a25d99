import { describe, expect, test } from 'vitest'
import { clusterScenario } from '../harness/simulation/cluster-scenario.ts'
import { wrongSeeds } from '../harness/simulation/scenario.ts'

/** More, and one again: test/simulate.ts. */
const SEEDS = 80
/** A guard against hanging, also on a machine that is busy with other things. */
const LIMIT_MS = 600_000

describe('the life of a StreamJob under virtual time, with the operator', () => {
  test('the same seed runs the same twice', async () => {
    expect(await clusterScenario.run(3)).toEqual(await clusterScenario.run(3))
  })

  test(
    'whatever is edited, killed, cut off or lost on its way, and however wrong the clocks of operators are, the rules hold, every row is there once, and nothing is left behind',
    async () => {
      expect(await wrongSeeds(clusterScenario, SEEDS)).toEqual([])
    },
    LIMIT_MS,
  )
})
