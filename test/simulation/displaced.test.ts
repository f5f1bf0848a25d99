import { expect, test } from 'vitest'
import { simulate } from '../../sim/simulated-job.ts'
import { jobWrongness } from '../harness/simulation/job-scenario.ts'
import { inputFiles, windowJob } from '../harness/simulation/window-job.ts'

/** The job outlives the longest sleep by far. */
const SLOW = windowJob(2, { folder: '/data', interval: '120ms', rate: '30/s' })

test.each([1, 2, 3])(
  'when a worker wakes after another has taken its place, it ends by itself and the job is disturbed once (seed %i)',
  async (seed) => {
    const result = await simulate({
      seed,
      spec: SLOW,
      files: inputFiles(),
      faults: [{ at: 2_000, kind: 'zombie', who: 0 }],
      storeFaultRate: 0,
    })
    const sleeper = result.log
      .find((line) => line.includes('FAULT zombie'))
      ?.split(' ')
      .at(-1)
    const ends = result.log.flatMap((line) => /^\S+ \S+ (ended .*)$/.exec(line)?.[1] ?? [])
    expect({ wrong: jobWrongness(result), ends, restarts: result.report?.restarts }).toEqual({
      wrong: undefined,
      ends: [`ended ${sleeper} by itself`],
      restarts: 1,
    })
  },
)
