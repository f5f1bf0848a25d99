import { FINALIZER } from '../api/stream-job.ts'
import type { Decision } from './decision.ts'
import type { Observed } from './observed.ts'
import { begin, deletionDeadlineMs, ending, working } from './operation.ts'
import { hasStarted } from './restore-source.ts'
import { carryOnStopping, STOPPED_WITHOUT_SAVEPOINT } from './stop.ts'

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
  if (pods.length === 0)
    return working(operation, { act: { kind: 'release' }, message: 'Everything is gone.', requeueAfterMs: 500 })
  const deadline = Date.parse(job.metadata.deletionTimestamp ?? '') + deletionDeadlineMs(job)
  if (now < deadline) return carryOnStopping(observed, operation)
  const message = `Not gone within ${deletionDeadlineMs(job) / 1000} s, left behind: ${pods.map((pod) => `pod ${pod.metadata.name}`).join(', ')}.`
  const hadNoSavepoint = operation.step === 'savepoint' && hasStarted(job)
  return working(operation, {
    act: { kind: 'release' },
    message,
    requeueAfterMs: 500,
    events: [
      ...(hadNoSavepoint ? [STOPPED_WITHOUT_SAVEPOINT] : []),
      { type: 'Warning', reason: 'DeletedWithLeftovers', message },
    ],
  })
}
