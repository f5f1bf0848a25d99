import { clusterPlan } from './cluster-plan.ts'
import type { Scenario, Verdict } from './scenario.ts'
import { simulateCluster } from './simulated-cluster.ts'
import { expectedOutput } from './window-job.ts'

const expected = JSON.stringify(expectedOutput())

/** The operator too: a StreamJob is created, edited, scaled, upgraded, suspended, finished and deleted among faults. */
export const clusterScenario: Scenario = {
  name: 'cluster',
  finds: ['switchWithoutSavepoint', 'actBeforeIntent', 'forgetTerminating', 'upgradeWithoutSavepoint', 'surplusFirst'],
  async run(seed): Promise<Verdict> {
    const { wrong, output, steps, log } = await simulateCluster(clusterPlan(seed))
    if (wrong.length === 0 && JSON.stringify(output) !== expected) wrong.push(`${output.length} rows instead of ${JSON.parse(expected).length}, or other ones`)
    return { wrong: wrong.length === 0 ? undefined : wrong.join('; '), steps, log }
  },
}
