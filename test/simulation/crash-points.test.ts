import { describe, expect, test } from 'vitest'
import { crashPointScenario } from '../harness/simulation/crash-points.ts'
import { wrongSeeds } from '../harness/simulation/scenario.ts'

/** Three points of each verb; more with test/simulate.ts. */
const SEEDS = 27
/** A guard against hanging, also on a machine that is busy with other things. */
const LIMIT_MS = 600_000

describe('one job per verb, struck at single events', () => {
  test(
    'whichever process dies or sleeps at whichever event, the output is that of a run without faults',
    async () => {
      expect(await wrongSeeds(crashPointScenario, SEEDS)).toEqual([])
    },
    LIMIT_MS,
  )
})
