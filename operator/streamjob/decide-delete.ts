import { FINALIZER } from '../api/stream-job.ts'
import type { Operation } from '../api/stream-job.ts'
import type { EventNote } from '../kube/events.ts'
import { JOB_LABEL } from '../resources/labels.ts'
import type { Decision } from './decision.ts'
import type { Observed } from './observed.ts'
import { begin, deletionDeadlineMs, deletionEnds, ending, working } from './operation.ts'
import { hasStarted } from './restore-source.ts'
import { namesOf } from './pod-sets.ts'
import { carryOnStopping, stoppedWithoutSavepoint } from './stop.ts'

/** `kubectl delete --cascade=orphan` sets it; the garbage collector takes it off when the pods belong to nobody any more. */
const ORPHAN_FINALIZER = 'orphan'

/**
 * The job is being deleted: a last savepoint when it can be had, no pods, and an end within the deadline in any
 * case.
 */
export function decideDelete(observed: Observed): Decision {
  const { job, now, pods } = observed
  if (job.metadata.finalizers?.includes(FINALIZER) !== true) {
    return ending(observed, 'Succeeded', { phase: 'Deleting', reason: 'Deleting', message: 'Released.' })
  }
  const operation = begin(observed, 'Delete', job.spec.deletion?.savepoint === 'Skip' ? 'removePods' : 'savepoint')
  if (pods.length === 0) return released(observed, operation)
  const deadline = deletionEnds(job, operation)
  const [unread] = observed.unreadSavepoints
  if (unread !== undefined && operation.step === 'savepoint' && now < Date.parse(operation.deadline))
    return working(operation, {
      act: { kind: 'none' },
      message: `The coordinator stays until StreamSavepoint ${unread} says what became of it.`,
      requeueAfterMs: 500,
    })
  if (now < deadline)
    return job.metadata.finalizers.includes(ORPHAN_FINALIZER)
      ? working(operation, { act: { kind: 'none' }, message: 'The pods are to stay.', requeueAfterMs: 500 })
      : carryOnStopping(observed, operation)
  const message = `Not gone within ${deletionDeadlineMs(job) / 1000} s, left behind: ${pods.map((pod) => `pod ${pod.metadata.name}`).join(', ')}.`
  const hadNoSavepoint = operation.step === 'savepoint' && hasStarted(job)
  return working(operation, {
    act: { kind: 'release' },
    message,
    requeueAfterMs: 500,
    events: [
      ...(hadNoSavepoint ? [stoppedWithoutSavepoint(observed)] : []),
      { type: 'Warning', reason: 'DeletedWithLeftovers', message },
    ],
  })
}

/** Pods that were set free run on, and nobody looks after them from now on. */
function released(observed: Observed, operation: Operation): Decision {
  const { orphans, job } = observed
  const { namespace = '', name } = job.metadata
  const orphaned: EventNote = {
    type: 'Warning',
    reason: 'Orphaned',
    message: `Deleted with --cascade=orphan: ${namesOf(orphans)} run on and belong to nobody. To stop them: kubectl delete pods,services,secrets,controllerrevisions -n ${namespace} -l ${JOB_LABEL}=${name}`,
  }
  return working(operation, {
    act: { kind: 'release' },
    message: orphans.length === 0 ? 'Everything is gone.' : orphaned.message,
    requeueAfterMs: 500,
    events: orphans.length === 0 ? [] : [orphaned],
  })
}
