import type { EventNote } from '../kube/events.ts'
import { autoscalerAfter, scalingNotes } from './decide-scaling.ts'
import type { Decision } from './decision.ts'
import type { Observed } from './observed.ts'
import { newestFailure } from './pod-failure.ts'
import { heldBy } from './revisions.ts'
import { SHOWN_LOSSES } from './status.ts'

/** Everything that a pass has to say, in the order in which it is read. Pure. */
export function notesOf(observed: Observed, decision: Decision): EventNote[] {
  return [
    ...decision.events,
    ...rollbackTo(observed),
    ...rejection(observed),
    ...failure(observed),
    ...missingState(observed),
    ...losses(observed),
    ...exception(observed, decision),
    ...scalingNotes(observed, autoscalerAfter(observed, decision)),
  ]
}

function rollbackTo({ held, job, keepSpec }: Observed): EventNote[] {
  const before = job.status?.rollbackTo ?? undefined
  if (held !== undefined && held.hash !== before?.hash)
    return [{ type: 'Normal', reason: 'RollbackTo', message: heldBy(held) }]
  const isOver = before !== undefined && (held === undefined || keepSpec !== undefined)
  const message = `Revision ${before?.revision ?? 0} gives way to the newest spec.`
  return isOver ? [{ type: 'Normal', reason: 'RollbackToEnded', message }] : []
}

function rejection({ problems: [problem], plan }: Observed): EventNote[] {
  // A rollback has said so itself.
  if (problem === undefined || problem.code === 'ROLLED_BACK') return []
  const hint = problem.hint === undefined ? '' : `; ${problem.hint}`
  if (plan !== undefined) return [{ type: 'Normal', reason: 'PlanReady', message: `${problem.message}${hint}` }]
  return [
    { type: 'Warning', reason: 'Rejected', message: `${problem.path}: ${problem.message} [${problem.code}]${hint}` },
  ]
}

function failure({ pods, job }: Observed): EventNote[] {
  const newest = newestFailure(pods, job.status?.lastFailure)
  if (newest === undefined || newest.at === job.status?.lastFailure?.at) return []
  return [{ type: 'Warning', reason: newest.reason, message: newest.message }]
}

function missingState({ coordinator, job }: Observed): EventNote[] {
  const known = job.status?.attempt ?? 0
  if (coordinator.kind !== 'reached') return []
  const { attempt, phase } = coordinator.report
  if (phase !== 'running' || attempt === 0 || attempt >= known) return []
  return [
    {
      type: 'Warning',
      reason: 'StateMissing',
      message: `The coordinator starts attempt ${coordinator.report.attempt} after attempt ${known}: it does not find the job's checkpoints in the store.`,
    },
  ]
}

function losses({ coordinator }: Observed): EventNote[] {
  const lost = coordinator.kind === 'reached' ? (coordinator.report.losses ?? []) : []
  return lost.slice(0, SHOWN_LOSSES).map(({ operator, skipped, firstReason }) => ({
    type: 'Warning',
    reason: skipped > 0 ? 'RecordsSkipped' : 'RecordsDeadLettered',
    message: `Operator ${operator} leaves out records. The first: ${firstReason}`,
  }))
}

function exception({ coordinator }: Observed, { phase }: Decision): EventNote[] {
  const error = coordinator.kind === 'reached' ? coordinator.report.error : null
  return error === null || phase !== 'Degraded'
    ? []
    : [{ type: 'Warning', reason: 'JobException', message: error.message }]
}
