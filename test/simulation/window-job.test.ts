import { describe, expect, test } from 'vitest'
import { withPlantedBug, type PlantedBug } from '../../runtime/model/planted-bugs.ts'
import { simulate, type SimulationResult } from '../harness/simulation/simulated-job.ts'
import { expectedOutput, inputFiles, seededSimulation, windowJob } from '../harness/simulation/window-job.ts'

/** More with MILLRACE_SIM_SEEDS; one seed again with MILLRACE_SIM_FIRST_SEED. */
const SEEDS = Number(process.env['MILLRACE_SIM_SEEDS'] ?? 120)
const FIRST_SEED = Number(process.env['MILLRACE_SIM_FIRST_SEED'] ?? 0)
/** Every planted bug must be found within so many seeds. */
const PLANT_BUDGET = 200

const expected = expectedOutput()

function wrongness(result: SimulationResult): string | undefined {
  if (!result.finished) return `not finished after ${result.virtualMs} virtual ms: ${JSON.stringify(result.report)}`
  if (JSON.stringify(result.output) !== JSON.stringify(expected)) return `${result.output.length} rows instead of ${expected.length}, or other ones`
  return undefined
}

describe('a windowed job under virtual time', () => {
  test('a run without faults gives the plain computation\'s rows', async () => {
    const result = await simulate({ seed: 1, spec: windowJob(2), files: inputFiles(), faults: [], storeFaultRate: 0 })
    expect(wrongness(result)).toBeUndefined()
    expect(result.report?.restarts).toBe(0)
  })

  test('the same seed runs the same twice', async () => {
    const first = await simulate(seededSimulation(5))
    const second = await simulate(seededSimulation(5))
    expect(second.steps).toBe(first.steps)
    expect(second.log).toEqual(first.log)
  })

  test('whatever is killed, paused, cut off or rescaled, every row is there once', async () => {
    const wrong: string[] = []
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const reason = wrongness(await simulate(seededSimulation(seed)))
      if (reason !== undefined) wrong.push(`seed ${seed}: ${reason}`)
    }
    expect(wrong).toEqual([])
  }, 3_600_000)

  test.each<PlantedBug>(['noAlign', 'commitOnSnapshot', 'noRecommit', 'readBeforeFence'])('the planted bug %s is found', async (bug) => {
    const found = await withPlantedBug(bug, async () => {
      for (let seed = 0; seed < PLANT_BUDGET; seed++) if (wrongness(await simulate(seededSimulation(seed), 60_000)) !== undefined) return seed
      return undefined
    })
    expect(found).toBeDefined()
  }, 600_000)
})
