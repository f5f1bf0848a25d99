import type { JobReport } from '../../runtime/control/job-report.ts'
import { parseDurationMs } from '../../runtime/model/time.ts'
import type { StreamJobSpec, StreamJobStatus } from '../api/stream-job.ts'
import type { Fact } from '../kube/conditions.ts'
import { isoSeconds } from '../kube/events.ts'
import type { Decision } from './decision.ts'
import type { Observed } from './observed.ts'
import { settled } from './operation.ts'
import { wantsToRun } from './wanted.ts'

const DEFAULT_WINDOW_MS = 60_000

type Stability = Pick<StreamJobStatus, 'stable' | 'observing' | 'rolledBack'>

/** How long a changed spec has to run, with a checkpoint completed, before it counts as stable. */
function windowMs({ upgrade }: StreamJobSpec): number {
  return parseDurationMs(upgrade?.stability ?? '') ?? DEFAULT_WINDOW_MS
}

/** The time in which the spec has to show that it holds; undefined when none has to, or when the time is over. */
export function windowLeftMs({ job, now }: Observed): number | undefined {
  const { observing } = job.status ?? {}
  if (observing === undefined || observing === null) return undefined
  const leftMs = Date.parse(observing.since) + windowMs(job.spec) - now
  return leftMs > 0 ? leftMs : undefined
}

/** Its attempts may be too short to be seen while they run. */
function isCrashing({ error }: JobReport): boolean {
  return error?.code === 'CRASH_LOOP'
}

/** Whether the last good spec was tried and did not hold. Another text, also of `restartNonce` alone, is tried anew. */
export function isRolledBack(status: StreamJobStatus | undefined): boolean {
  const rolledBack = status?.rolledBack ?? undefined
  return rolledBack !== undefined && rolledBack.hash === status?.lastGood?.hash
}

/**
 * The spec before runs again when the newest one does not hold: the coordinator has given it up, or its attempts crash
 * in a row and it has had its time. Undefined when it holds, when nothing is known to have held before, and when
 * the spec disables rollback.
 */
export function decideRollback(observed: Observed): Decision | undefined {
  const { job, coordinator, wanted, running, stableSpec, now } = observed
  const { stable, observing, lastGood } = job.status ?? {}
  // Somebody has said which spec is to run: nothing else runs in its place.
  if (observed.held !== undefined) return undefined
  if (job.spec.upgrade?.rollback === 'Disabled' || stableSpec === undefined || lastGood?.hash === stable)
    return undefined
  if (isRolledBack(job.status) || coordinator.kind !== 'reached') return undefined
  const { phase, error, targetRevision, checkpoint } = coordinator.report
  // Only the wanted pods and revision count: what others have failed at says nothing about this spec.
  if (wanted === undefined || wanted.template !== running?.template || wanted.revision !== targetRevision)
    return undefined
  if (error === null) return undefined
  const hadItsTime =
    observing !== undefined && observing !== null && now >= Date.parse(observing.since) + windowMs(job.spec)
  if (phase !== 'failed' && !(isCrashing(coordinator.report) && hadItsTime)) return undefined
  const from = checkpoint === null ? 'its beginning' : `checkpoint ${checkpoint.attempt}-${checkpoint.id}`
  const message = `Generation ${lastGood?.generation ?? 0} did not hold: ${error.message.replace(/\.?$/, '.')} The spec before it runs again, from ${from}.`
  return {
    ...settled(observed, {
      phase: 'Upgrading',
      reason: 'RolledBack',
      message,
      requeueAfterMs: 0,
      events: [{ type: 'Warning', reason: 'RolledBack', message }],
    }),
    rolledBack: { hash: lastGood?.hash ?? '', at: isoSeconds(now), message },
  }
}

/** The part of the status that stability is read from, after a pass. */
export function stabilityAfter(observed: Observed, decision: Decision): Stability {
  const { job, held: named } = observed
  const rolledBack = decision.rolledBack ?? (isRolledBack(job.status) ? job.status?.rolledBack : null) ?? null
  const { stable } = job.status ?? {}
  const held = { ...(stable === undefined ? {} : { stable }), rolledBack }
  const hash = named?.hash ?? job.status?.lastGood?.hash
  if ((rolledBack !== null && named === undefined) || hash === undefined) return { ...held, observing: null }
  // A spec that fails after all is nothing to go back to.
  if (hash === stable)
    return decision.phase === 'Failed' ? { ...held, stable: '', observing: null } : { ...held, observing: null }
  return { ...held, ...observation(observed, decision, hash) }
}

function observation(
  { job, now, coordinator }: Observed,
  { phase }: Decision,
  hash: string,
): Omit<Stability, 'rolledBack'> {
  const before = job.status?.observing ?? undefined
  const isAtIt = before?.hash === hash
  if (!wantsToRun(job)) return { observing: null }
  const runs = phase === 'Running' || phase === 'Degraded'
  if (coordinator.kind !== 'reached' || !(runs || isCrashing(coordinator.report)))
    return { observing: isAtIt ? before : null }
  if (!isAtIt) return { observing: { hash, since: isoSeconds(now) } }
  const { checkpoint, attempt } = coordinator.report
  const holds =
    phase === 'Running' && now >= Date.parse(before.since) + windowMs(job.spec) && checkpoint?.attempt === attempt
  return holds ? { stable: hash, observing: null } : { observing: before }
}

export function stableFact({ job, held }: Observed, { stable, observing, rolledBack }: Stability): Fact {
  if (rolledBack !== undefined && rolledBack !== null && held === undefined)
    return { type: 'Stable', status: 'False', reason: 'RolledBack', message: rolledBack.message }
  if (stable !== undefined && stable !== '' && stable === (held?.hash ?? job.status?.lastGood?.hash))
    return { type: 'Stable', status: 'True', reason: 'Passed', message: '' }
  return observing === undefined || observing === null
    ? { type: 'Stable', status: 'False', reason: 'NotRunning', message: '' }
    : { type: 'Stable', status: 'False', reason: 'Observing', message: `It has run since ${observing.since}.` }
}
