import { describe, expect, test } from 'vitest'
import { jobScenario, jobWrongness } from '../harness/simulation/job-scenario.ts'
import { wrongSeeds } from '../harness/simulation/scenario.ts'
import { simulate } from '../../sim/simulated-job.ts'
import { expectedOutput, inputFiles, windowJob } from '../harness/simulation/window-job.ts'

/** More, and one again: test/simulate.ts. */
const SEEDS = 120
/** A guard against hanging, also on a machine that is busy with other things. */
const LIMIT_MS = 600_000

describe('a windowed job under virtual time', () => {
  test("a run without faults gives the plain computation's rows", async () => {
    const result = await simulate({ seed: 1, spec: windowJob(2), files: inputFiles(), faults: [], storeFaultRate: 0 })
    expect(jobWrongness(result)).toBeUndefined()
    expect(result.report?.restarts).toBe(0)
  })

  test('when there are more slots than pieces of input, those without any hold up neither watermark nor checkpoint', async () => {
    const lines = 4
    const { finished, report, output } = await simulate({
      seed: 1,
      spec: windowJob(9, { folder: '/data', interval: '120ms', rate: '20/s' }),
      files: inputFiles('/data', lines),
      faults: [],
      storeFaultRate: 0,
    })
    expect({ finished, output, restarts: report?.restarts }).toEqual({
      finished: true,
      output: expectedOutput(lines),
      restarts: 0,
    })
    expect(report?.checkpoint?.id).toBeGreaterThan(2)
  })

  test('the same seed runs the same twice', async () => {
    expect(await jobScenario.run(5)).toEqual(await jobScenario.run(5))
  })

  test(
    'whatever is killed, paused, cut off or rescaled, every row is there once',
    async () => {
      expect(await wrongSeeds(jobScenario, SEEDS)).toEqual([])
    },
    LIMIT_MS,
  )
})
