import type { JobReport } from '../../runtime/control/job-report.ts'
import type { Pod } from '../kube/objects.ts'
import { subtaskOf } from '../resources/worker-pod.ts'
import { isLiving, isStuck } from './pod-sets.ts'
import type { Trouble } from './pod-trouble.ts'

/** Longer than what tells the coordinator that a worker is silent, and the kubelet that a process hangs, together. */
const GONE_MS = 180_000

/** The first pod that is still there although its grace period is over: its node may be lost. */
export function stuckPod(pods: readonly Pod[], now: number): Trouble | undefined {
  const stuck = pods.find((pod) => isStuck(pod, now))
  if (stuck === undefined) return undefined
  const { name, deletionTimestamp = '' } = stuck.metadata
  return {
    reason: 'PodTerminating',
    message: `${name} should have gone by ${deletionTimestamp} and is still terminating. Its node may be lost: when it is surely off, delete the pod with --force.`,
  }
}

/**
 * Workers that the coordinator does not know although their processes have run for long, and that nothing has ended:
 * they hang, or cannot reach it. `since`: from when on the coordinator has waited.
 */
export function hangingWorkers(
  pods: readonly Pod[],
  report: JobReport,
  { since, now }: { since: number; now: number },
): Pod[] {
  if ((report.phase !== 'recovering' && report.phase !== 'waiting') || now - since < GONE_MS) return []
  const lacking = report.expectedWorkers.filter((subtask) => !report.registeredWorkers.includes(subtask))
  return pods.filter((pod) => {
    const subtask = subtaskOf(pod)
    return isLiving(pod) && subtask !== undefined && lacking.includes(subtask) && now - runsSince(pod, now) >= GONE_MS
  })
}

/**
 * When the process of the pod started; `now` when none runs. The node says so by a clock that may be minutes off: it
 * counts within what the API server knows of the pod.
 */
function runsSince({ metadata, status }: Pod, now: number): number {
  const [container] = status?.containerStatuses ?? []
  const { running } = container?.state ?? {}
  if (status?.phase !== 'Running' || running === undefined) return now
  const { startedAt = metadata.creationTimestamp } = running as { startedAt?: string }
  const createdAt = Date.parse(metadata.creationTimestamp ?? '') || 0
  return Math.min(now, Math.max(createdAt, Date.parse(startedAt ?? '') || now))
}
