import { describe, expect, test } from 'vitest'
import { FAULT_JOBS } from '../harness/faults/fault-jobs.ts'
import { runWithFaults, type FaultKind } from '../harness/faults/fault-run.ts'

/** A short part of `node cli/node.js test/faults.ts`, which runs any number of seeds of every job. */
const SHORT: { name: string; what: string; kinds: readonly FaultKind[] }[] = [
  { name: 'process', what: 'a worker and the coordinator are killed', kinds: ['kill', 'killCoordinator'] },
  { name: 'interval-join', what: 'a worker is frozen beyond every timeout, replaced, and wakes', kinds: ['freeze'] },
]

describe('a job of real processes under faults', () => {
  const seed = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 1e6))
  for (const { name, what, kinds } of SHORT) {
    test(`when ${what} (MILLRACE_SEED=${seed}), the output of the job ${name} is that of an uninterrupted run`, async () => {
      const job = FAULT_JOBS.find((known) => known.name === name)
      if (job === undefined) throw new Error(`there is no job ${name}`)
      const { wrong, faults, log } = await runWithFaults(job, { seed, kinds })
      expect({ wrong, faults, log }).toEqual({ wrong: undefined, faults: kinds.length, log })
    })
  }
})
