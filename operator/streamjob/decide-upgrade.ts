import type { JobReport } from '../../runtime/control/job-report.ts'
import type { Pod } from '../kube/objects.ts'
import type { Operation } from '../api/stream-job.ts'
import { subtaskOf } from '../resources/worker-pod.ts'
import type { Decision } from './decision.ts'
import type { Observed } from './observed.ts'
import { begin, renewed, savepointId, working } from './operation.ts'
import { blockedPod } from './pod-trouble.ts'

/**
 * Pods differ from what is wanted (image, environment, template): a savepoint first, then the differing pods go;
 * missing ones are created by the ordinary path and the new coordinator restores. Undefined when no pod differs.
 */
export function decideUpgrade(observed: Observed, stale: readonly Pod[]): Decision | undefined {
  if (stale.length === 0) return undefined
  const underWay = begin(observed, 'Upgrade', 'savepoint')
  if (underWay.step === 'replace' && !hasGoneOn(observed)) return replace(underWay, stale)
  const isAsking = underWay.step === 'savepoint'
  const operation = isAsking ? underWay : renewed(observed, underWay)
  const step = savepointStep(isAsking ? observed : { ...observed, savepoint: undefined }, operation)
  if (step.kind === 'replace') return replace(operation, stale)
  if (step.kind === 'ask') {
    return working(operation, {
      act: { kind: 'requestSavepoint', id: savepointId(operation) },
      message: 'Taking a savepoint before the pods are replaced.',
      requeueAfterMs: 300,
      events:
        operation.tries > 0
          ? []
          : [
              {
                type: 'Normal',
                reason: 'UpgradeStarted',
                message: `${stale.length} pods differ from the spec: a savepoint, then they are replaced.`,
              },
            ],
    })
  }
  if (step.kind === 'again') {
    const next = { ...operation, tries: operation.tries + 1 }
    return working(next, {
      act: { kind: 'none' },
      message: `The savepoint failed: ${step.why}. The running pods stay; trying again.`,
      requeueAfterMs: Math.min(60_000, 5_000 * next.tries),
      events: [{ type: 'Warning', reason: 'SavepointFailed', message: step.why }],
    })
  }
  return working(operation, { act: { kind: 'none' }, message: step.message, requeueAfterMs: 500 })
}

function replace(operation: Operation, stale: readonly Pod[]): Decision {
  return working(
    { ...operation, step: 'replace' },
    {
      act: { kind: 'deletePods', pods: stale },
      message: `Replacing ${stale.length} pods.`,
      requeueAfterMs: 300,
    },
  )
}

/**
 * The running attempt is newer than the operation's savepoint: pods differ again after the job continued, or an upgrade
 * that began with the graph alone now replaces pods too.
 */
function hasGoneOn({ coordinator, savepoint }: Observed): boolean {
  if (coordinator.kind !== 'reached' || coordinator.report.phase !== 'running') return false
  return savepoint?.phase !== 'completed' || savepoint.checkpoint.attempt !== coordinator.report.attempt
}

type SavepointStep =
  | { kind: 'ask' }
  | { kind: 'again'; why: string }
  | { kind: 'wait'; message: string }
  | { kind: 'replace' }

function savepointStep({ coordinator, savepoint, pods, now }: Observed, operation: Operation): SavepointStep {
  if (savepoint?.phase === 'completed') return { kind: 'replace' }
  const isLate = now >= Date.parse(operation.deadline)
  if (coordinator.kind === 'reached') {
    const { report } = coordinator
    const { phase } = report
    if (phase === 'running') {
      if (savepoint?.phase === 'failed') return { kind: 'again', why: savepoint.error.message }
      return savepoint === undefined ? { kind: 'ask' } : { kind: 'wait', message: 'The savepoint is being taken.' }
    }
    const nothingRuns =
      phase === 'waiting' ||
      phase === 'failed' ||
      phase === 'suspended' ||
      phase === 'finished' ||
      lacksPods(report, pods)
    if (nothingRuns || isLate || blockedPod(pods) !== undefined) return { kind: 'replace' }
    return { kind: 'wait', message: `The job is ${phase}: a savepoint is taken when it runs.` }
  }
  if (coordinator.kind === 'absent' || isLate || blockedPod(pods) !== undefined) return { kind: 'replace' }
  return { kind: 'wait', message: `Waiting for the coordinator, to take a savepoint: ${coordinator.why.message}` }
}

/**
 * A job that is not running and lacks a pod cannot run before pods are created: no savepoint would hold more than
 * its newest checkpoint.
 */
function lacksPods({ expectedWorkers }: JobReport, pods: readonly Pod[]): boolean {
  const living = new Set(
    pods.filter((pod) => pod.metadata.deletionTimestamp === undefined).map((pod) => subtaskOf(pod)),
  )
  return expectedWorkers.some((subtask) => !living.has(subtask))
}
