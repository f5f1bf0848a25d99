import { parseDurationMs } from '../../runtime/model/time.ts'
import type { LastOperation, Operation, OperationType, StreamJob } from '../api/stream-job.ts'
import type { EventNote } from '../kube/events.ts'
import type { Reason } from '../kube/reasons.ts'
import type { Act, Decision } from './decision.ts'
import type { Observed } from './observed.ts'
import { maySupersede, PHASE_OF, REASON_OF } from './phases.ts'

/** How long a step waits for a coordinator before its fallback is taken. */
const PATIENCE_MS: Readonly<Record<OperationType, number>> = {
  Deploy: 300_000,
  Rescale: 300_000,
  Upgrade: 120_000,
  Recover: 300_000,
  Suspend: 120_000,
  Resume: 300_000,
  Delete: 0,
}

/** Nodes may have to fetch an image first. */
const START_PATIENCE_MS = 300_000

function patienceMs(type: OperationType, step: Operation['step']): number {
  return step === 'start' ? START_PATIENCE_MS : PATIENCE_MS[type]
}

/** The operation under way when `type` may not take its place, else a new one of that type. */
export function begin(observed: Observed, type: OperationType, step: Operation['step']): Operation {
  const { job, now } = observed
  const underWay = job.status?.operation
  if (underWay !== undefined && underWay !== null && (underWay.type === type || !maySupersede(underWay.type, type)))
    return underWay
  const uid = (job.metadata.uid ?? '').replaceAll('-', '').slice(0, 8)
  const deadline = now + (type === 'Delete' ? savepointPatienceMs(job) : patienceMs(type, step))
  return {
    id: `${uid}-g${job.metadata.generation ?? 0}-${type.toLowerCase()}-${now.toString(36)}`,
    type,
    step,
    tries: 0,
    startedAt: new Date(now).toISOString(),
    deadline: new Date(deadline).toISOString(),
  }
}

/**
 * Three quarters of a deletion's time are for its savepoint, so that another operator can take over in the middle and
 * still try; the last quarter is for the pods to go.
 */
function savepointPatienceMs(job: StreamJob): number {
  return (deletionDeadlineMs(job) * 3) / 4
}

/**
 * When a deletion ends in any case. Its time runs from the moment at which an operator met it, which may be long after
 * it was asked for: a job that was deleted while no operator was there still gets its savepoint.
 */
export function deletionEnds(job: StreamJob, { startedAt }: Operation): number {
  return Date.parse(startedAt) + deletionDeadlineMs(job)
}

/** The operation at its next step, or once more at one, with time of its own and another savepoint. */
export function renewed({ now }: Observed, operation: Operation, step: Operation['step']): Operation {
  return {
    ...operation,
    step,
    tries: operation.tries + 1,
    deadline: new Date(now + patienceMs(operation.type, step)).toISOString(),
  }
}

/** The time of the operation's step is over. */
export function isLate({ now }: Observed, { deadline }: Operation): boolean {
  return now >= Date.parse(deadline)
}

/** The coordinator's id for the savepoint of this operation; a failed savepoint is retried under another id. */
export function savepointId(operation: Operation): string {
  return `${operation.id}-${operation.tries}`
}

export function deletionDeadlineMs(job: StreamJob): number {
  return parseDurationMs(job.spec.deletion?.deadline ?? '60s') ?? 60_000
}

interface Step {
  act: Act
  message: string
  requeueAfterMs: number
  events?: readonly EventNote[]
}

/** A decision in the course of an operation. */
export function working(operation: Operation, step: Step): Decision {
  return {
    act: step.act,
    phase: PHASE_OF[operation.type],
    reason: REASON_OF[operation.type],
    message: step.message,
    operation,
    events: step.events ?? [],
    requeueAfterMs: step.requeueAfterMs,
  }
}

type Outcome = Omit<Decision, 'operation' | 'events' | 'act' | 'ended'> & { act?: Act; events?: readonly EventNote[] }

/** A decision outside of any operation; an operation that was under way is abandoned. */
export function settled(observed: Observed, outcome: Outcome): Decision {
  const underWay = observed.job.status?.operation
  return {
    ...outcome,
    act: outcome.act ?? { kind: 'none' },
    operation: null,
    events: outcome.events ?? [],
    ...(underWay === undefined || underWay === null ? {} : { ended: { type: underWay.type, result: 'Superseded' } }),
  }
}

/** As settled, when the operation under way (if any) has reached its end. */
export function ending(observed: Observed, result: LastOperation['result'], outcome: Outcome): Decision {
  const underWay = observed.job.status?.operation
  const decision = settled(observed, outcome)
  if (underWay === undefined || underWay === null) return decision
  return {
    ...decision,
    ended: { type: underWay.type, result },
    events: [...decision.events, completedEvent(underWay.type, result, observed)],
  }
}

const COMPLETED: Readonly<Record<OperationType, Reason>> = {
  Deploy: 'Running',
  Rescale: 'RescaleCompleted',
  Upgrade: 'UpgradeCompleted',
  Recover: 'Recovered',
  Suspend: 'Suspended',
  Resume: 'Resumed',
  Delete: 'Deleted',
}

const PAUSING: readonly OperationType[] = ['Rescale', 'Upgrade', 'Recover']

/**
 * The pause of the operation that ends now, or of the last one, in the one pass that learns it: the first record
 * after it may come later than its end.
 */
export function learntPause(
  { job, coordinator }: Observed,
  { ended, operation }: Pick<Decision, 'ended' | 'operation'>,
): { type: OperationType; pauseMs: number } | undefined {
  if (coordinator.kind !== 'reached' || coordinator.report.lastPauseMs === null) return undefined
  const { attempt, lastPauseMs } = coordinator.report
  const last = job.status?.lastOperation
  const isStillOpen = operation === null && (last?.pauseMs ?? null) === null && job.status?.attempt === attempt
  const of = ended ?? (isStillOpen ? last : undefined)
  return of?.result === 'Succeeded' && PAUSING.includes(of.type) ? { type: of.type, pauseMs: lastPauseMs } : undefined
}

function completedEvent(type: OperationType, result: LastOperation['result'], observed: Observed): EventNote {
  const { coordinator } = observed
  if (result === 'WithoutSavepoint') {
    return {
      type: 'Warning',
      reason: COMPLETED[type],
      message: 'No savepoint could be taken: the job continues from its newest checkpoint.',
    }
  }
  if (coordinator.kind !== 'reached') return { type: 'Normal', reason: COMPLETED[type], message: `${type} succeeded.` }
  const learnt = learntPause(observed, { ended: { type, result }, operation: null })
  const pause = learnt === undefined ? '' : `, records paused for ${learnt.pauseMs} ms`
  return { type: 'Normal', reason: COMPLETED[type], message: `Attempt ${coordinator.report.attempt} runs${pause}.` }
}
