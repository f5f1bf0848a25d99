import { expect, test } from 'vitest'
import { switchScenarios } from '../harness/simulation/switch-jobs.ts'
import { wrongSeeds } from '../harness/simulation/scenario.ts'

/** More: test/simulate.ts --scenario switch-…. */
const SEEDS = 4

test.each(switchScenarios.map((scenario) => [scenario.name, scenario] as const))(
  '%s: a job that is rescaled back and forth, and struck while that is prepared, gives every row once',
  async (_, scenario) => {
    expect(await wrongSeeds(scenario, SEEDS)).toEqual([])
  },
  600_000,
)
