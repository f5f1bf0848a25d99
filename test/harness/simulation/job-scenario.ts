import type { Scenario, Verdict } from './scenario.ts'
import { simulate, type SimulationResult } from '../../../sim/simulated-job.ts'
import { processJob } from './user-code-job.ts'
import { switchVerdict } from './verb-job.ts'
import { expectedOutput, seededSimulation } from './window-job.ts'

/** One seed in so many is a job of rows in tables that is rescaled back and forth. */
const SWITCHES_EVERY = 3

const expected = JSON.stringify(expectedOutput())

/** Undefined when the job has ended with the plain computation's rows. */
export function jobWrongness({ finished, virtualMs, report, output }: SimulationResult): string | undefined {
  if (!finished) return `not finished after ${virtualMs} virtual ms: ${JSON.stringify(report)}`
  return JSON.stringify(output) === expected
    ? undefined
    : `${output.length} rows instead of ${JSON.parse(expected).length}, or other ones`
}

/** Coordinator and workers of one job, without an operator: killed, paused, cut off, rescaled. */
export const jobScenario: Scenario = {
  name: 'job',
  finds: {
    noAlign: 48,
    commitOnSnapshot: 5,
    noRecommit: 128,
    readBeforeFence: 15,
    completeBeforeLog: 64,
    stateBySlot: 2,
    preparedIsEnough: 2,
    prefixUnchecked: 59,
    sweepGivenUp: 1,
  },
  async run(seed): Promise<Verdict> {
    if (seed % SWITCHES_EVERY === SWITCHES_EVERY - 1) return switchVerdict(processJob, seed)
    const result = await simulate(seededSimulation(seed), 120_000)
    return { wrong: jobWrongness(result), steps: result.steps, log: result.log }
  },
}
