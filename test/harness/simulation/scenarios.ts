import { alignmentScenario } from './alignment-job.ts'
import { clusterScenario } from './cluster-scenario.ts'
import { crashPointScenario } from './crash-points.ts'
import { jobScenario } from './job-scenario.ts'
import type { Scenario } from './scenario.ts'
import { switchScenarios } from './switch-jobs.ts'
import { userCodeScenario } from './user-code-job.ts'

export const SCENARIOS: readonly Scenario[] = [
  jobScenario,
  clusterScenario,
  userCodeScenario,
  alignmentScenario,
  crashPointScenario,
  ...switchScenarios,
]
