import type { JobReport } from '../control/job-report.ts'
import type { SubtaskMetrics } from '../control/messages.ts'
import { BLOCKED_SECONDS } from '../operators/blocking.ts'
import type { Series } from '../telemetry/metric.ts'
import { lossesOf } from './record-losses.ts'
import { MAX_TIMESTAMP, MIN_TIMESTAMP } from '../model/time.ts'

type Summary = Pick<
  JobReport,
  | 'recordsIn'
  | 'recordsOut'
  | 'badRecords'
  | 'losses'
  | 'lateRecords'
  | 'lagRecords'
  | 'watermark'
  | 'pausedSplits'
  | 'stateBytes'
  | 'blockedMs'
>

/** What the newest metrics of an attempt's subtasks say of the job. */
export function summaryOf(metrics: readonly SubtaskMetrics[]): Summary {
  const sum = (pick: 'recordsIn' | 'recordsOut' | 'badRecords' | 'lateRecords'): number =>
    metrics.reduce((total, metric) => total + metric[pick], 0)
  return {
    recordsIn: sum('recordsIn'),
    recordsOut: sum('recordsOut'),
    badRecords: sum('badRecords'),
    losses: lossesOf(metrics),
    lateRecords: sum('lateRecords'),
    ...gaugesOf(metrics),
    blockedMs: blockedOf(metrics.flatMap((metric) => metric.series ?? [])),
  }
}

/** A job whose sources have been read to the end has no watermark to report. */
function gaugesOf(
  metrics: readonly SubtaskMetrics[],
): Pick<JobReport, 'lagRecords' | 'watermark' | 'pausedSplits' | 'stateBytes'> {
  const lags = metrics.map((metric) => metric.lagRecords).filter((lag) => lag !== null)
  const watermarks = metrics
    .map((metric) => metric.watermark)
    .filter((time) => time !== null)
    .filter((time) => time > MIN_TIMESTAMP && time < MAX_TIMESTAMP)
  return {
    lagRecords: lags.length === 0 ? null : lags.reduce((sum, lag) => sum + lag, 0),
    watermark: watermarks.length === 0 ? null : watermarks.reduce((least, time) => Math.min(least, time)),
    pausedSplits: metrics.reduce((sum, metric) => sum + (metric.pausedSplits ?? 0), 0),
    stateBytes: {
      memory: metrics.reduce((sum, { stateBytes }) => sum + (stateBytes?.memory ?? 0), 0),
      disk: metrics.reduce((sum, { stateBytes }) => sum + (stateBytes?.disk ?? 0), 0),
    },
  }
}

/** Summed over the slots of each operator. */
function blockedOf(series: readonly Series[]): Record<string, number> {
  const sums = new Map<string, number>()
  for (const { operator, value } of series.filter(({ name }) => name === BLOCKED_SECONDS.name))
    sums.set(operator, (sums.get(operator) ?? 0) + Math.round(value * 1000))
  return Object.fromEntries(sums)
}
