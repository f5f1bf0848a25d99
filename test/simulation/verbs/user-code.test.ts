import { describe, expect, test } from 'vitest'
import { asyncJob, processJob, requestJob } from '../../harness/simulation/user-code-job.ts'
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
})
