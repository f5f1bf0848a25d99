import type { Operation } from '../api/stream-job.ts'
import type { EventNote } from '../kube/events.ts'
import type { Act, Decision } from './decision.ts'
import { stuckPod } from './lasting-pods.ts'
import type { Observed } from './observed.ts'
import { working } from './operation.ts'
import { isLiving, podsOfTemplate } from './pod-sets.ts'
import { blockedPod } from './pod-trouble.ts'
import { hasStarted } from './restore-source.ts'

/** Whether the pods of a job may go: its state is safe, cannot be made safer, or time is up. */
export type StopStep =
  | { kind: 'remove'; withSavepoint: 'yes' | 'no' | 'notNeeded' }
  | { kind: 'ask'; message: string }
  | { kind: 'wait'; message: string }

export function stoppedWithoutSavepoint({ stateLocation }: Observed): EventNote {
  return {
    type: 'Warning',
    reason: 'StoppedWithoutSavepoint',
    message: `The coordinator gave no savepoint: the newest checkpoint is what is left${stateLocation === undefined ? '' : `, at ${stateLocation}`}.`,
  }
}

/** Nobody else will say it once the resource is gone. */
function finalSavepoint({ stateLocation }: Observed): EventNote[] {
  if (stateLocation === undefined) return []
  const message = `The last savepoint is at ${stateLocation}: spec.restore.path of another job continues from it.`
  return [{ type: 'Normal', reason: 'FinalSavepoint', message }]
}

/**
 * How to stop: the coordinator takes a savepoint and stops at its barrier in one (a target that is suspended); pods
 * go only after that. When it cannot be reached until the operation's deadline, the newest checkpoint must do.
 */
function stopStep(observed: Observed, operation: Operation): StopStep {
  const { coordinator, now, job, running } = observed
  const pods = running === undefined ? observed.pods : podsOfTemplate(observed.pods, running.template)
  const hasRun = hasStarted(job)
  const isLate = now >= Date.parse(operation.deadline)
  if (coordinator.kind === 'reached') {
    const { phase, attempt } = coordinator.report
    if (phase === 'suspended') return { kind: 'remove', withSavepoint: 'yes' }
    if (phase === 'finished' || (attempt === 0 && !hasRun)) return { kind: 'remove', withSavepoint: 'notNeeded' }
    if (phase === 'failed' || isLate) return { kind: 'remove', withSavepoint: 'no' }
    return { kind: 'ask', message: `The coordinator (${phase}) is asked for a savepoint and to stop.` }
  }
  // What was removing pods already has had its savepoint, or has said that there is none.
  if (job.status?.operation?.step === 'removePods') return { kind: 'remove', withSavepoint: 'notNeeded' }
  // A job that is not known to have started may have done so while no operator was there: one that can be asked is
  // waited for.
  if (coordinator.kind === 'absent' || isLate || blockedPod(pods) !== undefined)
    return { kind: 'remove', withSavepoint: hasRun ? 'no' : 'notNeeded' }
  return { kind: 'wait', message: `Waiting for the coordinator to take a savepoint: ${coordinator.why.message}` }
}

function removing({ pods, now }: Observed, operation: Operation, act: Act): Decision {
  const stuck = stuckPod(pods, now)
  const decision = working(operation, {
    act,
    message: stuck?.message ?? `Removing ${pods.length} pods.`,
    requeueAfterMs: 500,
    events: stuck === undefined ? [] : [{ type: 'Warning', ...stuck }],
  })
  return stuck === undefined ? decision : { ...decision, reason: stuck.reason, stalled: true }
}

/** Carries a stop on by one step; `removing` is recorded before the first pod goes. */
export function carryOnStopping(observed: Observed, operation: Operation): Decision {
  const live = observed.pods.filter(isLiving)
  const remove: Act = live.length > 0 ? { kind: 'deletePods', pods: live } : { kind: 'none' }
  if (operation.step === 'removePods') return removing(observed, operation, remove)
  const step = stopStep(observed, operation)
  if (step.kind === 'remove') {
    const events = {
      yes: operation.type === 'Delete' ? finalSavepoint(observed) : [],
      no: [stoppedWithoutSavepoint(observed)],
      notNeeded: [],
    }[step.withSavepoint]
    return working(
      { ...operation, step: 'removePods' },
      { act: remove, message: `Removing ${observed.pods.length} pods.`, requeueAfterMs: 500, events },
    )
  }
  const act: Act =
    step.kind === 'ask' && observed.running !== undefined
      ? { kind: 'putTarget', desiredState: 'suspended', template: observed.running.template }
      : { kind: 'none' }
  return working(operation, { act, message: step.message, requeueAfterMs: 500 })
}
