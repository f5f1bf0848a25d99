import type { AutoscalerPolicy } from '../../runtime/control/job-report.ts'
import type { JobGraph } from '../../runtime/graph/job-graph.ts'
import { parseDurationMs } from '../../runtime/model/time.ts'
import type { AutoscalerSpec, ScaledOperator, StreamJob, StreamJobSpec } from '../api/stream-job.ts'

const DEFAULT_UTILIZATION = 70
const DEFAULT_CATCH_UP_MS = 10 * 60_000
const DEFAULT_SCALE_DOWN_AFTER_MS = 5 * 60_000

/** What the coordinator is asked to watch the load for. Operators with `replicas` of their own keep them. */
export function policyOf(autoscaler: AutoscalerSpec | undefined, graph: JobGraph): AutoscalerPolicy | null {
  if (autoscaler === undefined || autoscaler.mode === 'Off') return null
  const { targetUtilization = DEFAULT_UTILIZATION, catchUp = '', scaleDownAfter = '' } = autoscaler
  return {
    operators: scalableOf(graph),
    ...boundsOf(autoscaler, graph),
    targetUtilization: targetUtilization / 100,
    catchUpMs: parseDurationMs(catchUp) ?? DEFAULT_CATCH_UP_MS,
    scaleDownAfterMs: parseDurationMs(scaleDownAfter) ?? DEFAULT_SCALE_DOWN_AFTER_MS,
  }
}

function scalableOf({ operators }: JobGraph): string[] {
  return operators.flatMap(({ id, parallelism }) => (parallelism === undefined ? [id] : []))
}

function boundsOf(
  { minReplicas = 1, maxReplicas }: AutoscalerSpec,
  { maxParallelism }: JobGraph,
): { minReplicas: number; maxReplicas: number } {
  const most = Math.min(maxReplicas, maxParallelism)
  return { minReplicas: Math.min(minReplicas, most), maxReplicas: most }
}

/**
 * What the autoscaler has changed and still holds for this spec: as long as there is one, over the same `spec.replicas`
 * (another number is somebody's wish), and within its bounds. With `mode: Recommend` it stays as it was left.
 */
export function scaledOperators(job: StreamJob, spec: StreamJobSpec, graph: JobGraph): ScaledOperator[] {
  const { autoscaler } = job.spec
  const status = job.status?.autoscaler ?? undefined
  if (autoscaler === undefined || autoscaler.mode === 'Off' || status === undefined) return []
  if (status.base !== replicasOfSpec(spec)) return []
  const scalable = new Set(scalableOf(graph))
  const { minReplicas, maxReplicas } = boundsOf(autoscaler, graph)
  return status.scaled
    .filter(({ operator }) => scalable.has(operator))
    .map(({ operator, replicas }) => ({ operator, replicas: Math.min(maxReplicas, Math.max(minReplicas, replicas)) }))
    .filter(({ replicas }) => replicas !== graph.parallelism)
}

export function replicasOfSpec({ replicas = 1 }: StreamJobSpec): number {
  return replicas
}

export function replicasOf(scaled: readonly ScaledOperator[]): ReadonlyMap<string, number> {
  return new Map(scaled.map(({ operator, replicas }) => [operator, replicas]))
}

export function scaledGraph(graph: JobGraph, scaled: readonly ScaledOperator[]): JobGraph {
  if (scaled.length === 0) return graph
  const replicas = replicasOf(scaled)
  return {
    ...graph,
    operators: graph.operators.map((operator) => {
      const parallelism = replicas.get(operator.id)
      return parallelism === undefined ? operator : { ...operator, parallelism }
    }),
  }
}
