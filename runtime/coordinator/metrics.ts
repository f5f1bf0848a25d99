import type { JobReport } from '../control/job-report.ts'
import type { SubtaskId } from '../model/ids.ts'
import type { Series } from '../telemetry/metric.ts'

/** What a subtask measured itself. */
export interface SubtaskSeries {
  readonly subtask: SubtaskId
  readonly series: readonly Series[]
}

interface JobMetric {
  readonly name: `millrace_job_${string}`
  readonly type: 'counter' | 'gauge'
  readonly help: string
  /** Null when there is no value yet: the metric is left out. */
  value(report: JobReport): number | null
}

const seconds = (ms: number | null | undefined): number | null => (ms == null ? null : ms / 1000)

/** The metrics of the job as a whole. */
export const JOB_METRICS: readonly JobMetric[] = [
  {
    name: 'millrace_job_attempt',
    type: 'gauge',
    help: 'Newest attempt claimed',
    value: ({ attempt }) => attempt,
  },
  {
    name: 'millrace_job_running',
    type: 'gauge',
    help: '1 while an attempt runs',
    value: ({ phase }) => (phase === 'running' ? 1 : 0),
  },
  {
    name: 'millrace_job_restarts_total',
    type: 'counter',
    help: 'Attempts lost since this coordinator started',
    value: ({ restarts }) => restarts,
  },
  {
    name: 'millrace_job_records_in',
    type: 'gauge',
    help: 'Records taken in by all subtasks in this attempt',
    value: ({ recordsIn }) => recordsIn,
  },
  {
    name: 'millrace_job_records_out',
    type: 'gauge',
    help: 'Records put out by all subtasks in this attempt',
    value: ({ recordsOut }) => recordsOut,
  },
  {
    name: 'millrace_job_bad_records',
    type: 'gauge',
    help: 'Records left out in this attempt',
    value: ({ badRecords }) => badRecords,
  },
  {
    name: 'millrace_job_late_records',
    type: 'gauge',
    help: 'Records too late for their windows in this attempt',
    value: ({ lateRecords }) => lateRecords,
  },
  {
    name: 'millrace_job_lag_records',
    type: 'gauge',
    help: 'Records that wait in the systems the job reads from, as far as they can tell',
    value: ({ lagRecords }) => lagRecords ?? null,
  },
  {
    name: 'millrace_job_watermark_timestamp_seconds',
    type: 'gauge',
    help: 'The least watermark of all subtasks',
    value: ({ watermark }) => seconds(watermark),
  },
  {
    name: 'millrace_job_paused_splits',
    type: 'gauge',
    help: 'Splits that wait for others of their alignment group',
    value: ({ pausedSplits }) => pausedSplits ?? null,
  },
  {
    name: 'millrace_job_state_memory_bytes',
    type: 'gauge',
    help: 'Rows of dedupe, topN, reduce and process in the memory of all workers',
    value: ({ stateBytes }) => stateBytes?.memory ?? null,
  },
  {
    name: 'millrace_job_state_disk_bytes',
    type: 'gauge',
    help: 'Rows beyond that, in files on the local disks of all workers',
    value: ({ stateBytes }) => stateBytes?.disk ?? null,
  },
  {
    name: 'millrace_job_checkpoint_failures',
    type: 'gauge',
    help: 'Checkpoints failed in a row',
    value: ({ checkpointFailures }) => checkpointFailures,
  },
  {
    name: 'millrace_job_checkpoint_size_bytes',
    type: 'gauge',
    help: 'State in the newest checkpoint',
    value: ({ checkpoint }) => checkpoint?.sizeBytes ?? null,
  },
  {
    name: 'millrace_job_checkpoint_duration_seconds',
    type: 'gauge',
    help: 'Time the newest checkpoint took',
    value: ({ checkpoint }) => seconds(checkpoint?.durationMs),
  },
  {
    name: 'millrace_job_checkpoint_completed_timestamp_seconds',
    type: 'gauge',
    help: 'When the newest checkpoint completed',
    value: ({ checkpoint }) => seconds(checkpoint?.completedAt),
  },
  {
    name: 'millrace_job_pause_seconds',
    type: 'gauge',
    help: 'Last record before to first after the newest switch or recovery',
    value: ({ lastPauseMs }) => seconds(lastPauseMs),
  },
]

/** Prometheus text: the metrics of the job, and behind them those that its subtasks measure. */
export async function metricsText(report: JobReport, subtasks: readonly SubtaskSeries[]): Promise<string> {
  // Loaded when somebody asks for it: a coordinator that nobody scrapes starts without it.
  const { Counter, Gauge, Registry } = await import('prom-client')
  const registry = new Registry()
  /** Points of equal labels are summed. */
  const add = ({ name, type, help }: Described, points: readonly Point[]): void => {
    const labelNames = [...new Set(points.flatMap(({ labels }) => Object.keys(labels)))]
    const Kind = type === 'counter' ? Counter : Gauge
    const metric = new Kind({ name, help, labelNames, registers: [registry] })
    for (const { labels, value } of points) metric.inc(labels, value)
  }
  for (const metric of JOB_METRICS) {
    const value = metric.value(report)
    if (value !== null) add(metric, [{ labels: {}, value }])
  }
  const points = subtasks.flatMap(({ subtask, series }) => series.map((one) => pointOf(one, subtask)))
  // While workers of two versions report, the description that comes first counts.
  for (const [first, ...more] of Map.groupBy(points, ({ metric }) => metric.name).values())
    if (first !== undefined) add(first.metric, [first, ...more])
  return registry.metrics()
}

type Described = Pick<JobMetric | Series, 'name' | 'type' | 'help'>

interface Point {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

function pointOf(series: Series, subtask: SubtaskId): Point & { readonly metric: Series } {
  const { operator, scope, labels, value } = series
  return { metric: series, labels: { operator, ...(scope === 'subtask' ? { subtask } : {}), ...labels }, value }
}
