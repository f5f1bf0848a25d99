import { clusterPlan } from './cluster-plan.ts'
import type { Scenario, Verdict } from './scenario.ts'
import { simulateCluster } from './simulated-cluster.ts'
import { expectedOutput } from './window-job.ts'

const expected = expectedOutput()

/** The operator too: a StreamJob is created, edited, scaled, upgraded, suspended, finished and deleted among faults. */
export const clusterScenario: Scenario = {
  name: 'cluster',
  finds: {
    switchWithoutSavepoint: 2,
    actBeforeIntent: 0,
    blindStatus: 6,
    forgetTerminating: 2,
    upgradeWithoutSavepoint: 6,
    takesOverTooSoon: 6,
    claimsBesideOthers: 6,
    surplusFirst: 16,
  },
  async run(seed): Promise<Verdict> {
    const plan = clusterPlan(seed)
    const { wrong, output, steps, log } = await simulateCluster(plan)
    if (wrong.length === 0) {
      if (plan.ending === 'finish' && JSON.stringify(output) !== JSON.stringify(expected))
        wrong.push(`${output.length} rows instead of ${expected.length}, or other ones`)
      if (plan.ending === 'delete' && !isPart(output))
        wrong.push(`among ${output.length} rows are wrong ones, or some twice`)
    }
    return { wrong: wrong.length === 0 ? undefined : wrong.join('; '), steps, log }
  },
}

/** Some of the expected rows, each once. */
function isPart(output: readonly string[]): boolean {
  const all = new Set(expected)
  return new Set(output).size === output.length && output.every((row) => all.has(row))
}
