import type { SystemReports } from '../connectors/system-reports.ts'
import { errorReport } from '../model/errors.ts'
import type { SubtaskCounters } from '../task/subtask.ts'
import { CallTally } from '../telemetry/call-tally.ts'
import type { MetricRegistry } from '../telemetry/metric-registry.ts'

/** Gives the connector of one operator where it reports to: heartbeats and the metrics of its subtask. */
export function systemReports(counters: SubtaskCounters, metrics: MetricRegistry, operator: string): SystemReports {
  const calls = new CallTally()
  calls.collectInto(metrics, operator)
  return { reportTrouble: troubleOf(counters), calls }
}

/** Shows the newest trouble of the subtask in its heartbeats. */
export function troubleOf(counters: SubtaskCounters): SystemReports['reportTrouble'] {
  return (error) => {
    counters.trouble = error ? errorReport(error) : null
  }
}
