import type { Problems } from '../graph/problems.ts'

/** A number of slots, at most as many as there are key groups. Undefined where none is written, and after reporting. */
export function readReplicas(
  value: unknown,
  maxParallelism: number,
  path: string,
  problems: Problems,
): number | undefined {
  if (value === undefined) return undefined
  const replicas = problems.count(value, path)
  if (replicas === undefined || replicas <= maxParallelism) return replicas
  problems.report(
    'REPLICAS_ABOVE_MAX',
    path,
    `replicas ${replicas} is above maxParallelism ${maxParallelism}`,
    'maxParallelism is fixed once the job has state: choose it before the first start',
  )
  return undefined
}
