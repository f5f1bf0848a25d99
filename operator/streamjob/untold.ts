import type {
  LastOperation,
  Operation,
  OperationType,
  StreamJobStatus,
  TakenSavepoint,
  Untold,
} from '../api/stream-job.ts'
import type { EventNote } from '../kube/events.ts'
import { textWithoutNulls } from '../kube/text-without-nulls.ts'
import { sealOf } from '../resources/hash.ts'
import type { Decision } from './decision.ts'
import { notesOf } from './notes.ts'
import type { Observed } from './observed.ts'
import { learntPause } from './operation.ts'
import { takenSavepoints } from './taken-savepoints.ts'

/** More than a pass has to say; when nothing can be written for long, the oldest are given up. */
const MOST = 32

type News =
  | { event: EventNote }
  | { savepoint: TakenSavepoint }
  | { ended: Ended }
  | { paused: { type: OperationType; ms: number } }
type Ended = { type: OperationType; result: LastOperation['result']; ms: number }

export interface Telling {
  /** What goes into the status, to be repeated until it is told: it would not be met again. */
  untold: readonly Untold[]
  /** What the next pass will say again, if it still holds. */
  lasting: readonly EventNote[]
}

/**
 * What a pass has to tell. Deciding is pure: as long as the status does not change, the next pass has the same to say.
 * What is said along with a change follows from it only this once, so it is written with it. Pure.
 */
export function tellingOf(observed: Observed, decision: Decision, next: StreamJobStatus): Telling {
  const before = observed.job.status ?? {}
  const waiting = before.untold ?? []
  const notes = notesOf(observed, decision)
  // What is kept shows in the status only after the act.
  const isChange = decision.act.kind === 'keepSpec' || told(before) !== told(next)
  const news: News[] = [
    ...endedOf(observed, decision),
    ...pausedOf(observed, decision),
    ...takenSavepoints(observed, decision).map((savepoint) => ({ savepoint })),
    ...(isChange ? notes.map((event) => ({ event })) : []),
  ]
  const known = new Set(waiting.map(({ id: _, ...rest }) => textWithoutNulls(rest)))
  const { uid = '', resourceVersion = '' } = observed.job.metadata
  const added = news
    .filter((one) => !known.has(textWithoutNulls(one)))
    .map((one, index): Untold => ({ id: sealOf([uid, resourceVersion, index]).slice(0, 16), ...one }))
  return { untold: [...waiting, ...added].slice(-MOST), lasting: isChange ? [] : notes }
}

/** The part of a status that notes follow from: counters and sizes move in each pass and say nothing. */
function told(status: StreamJobStatus): string {
  const { observedGeneration, phase, reason, message, attempt, template, operation, lastOperation } = status
  const { refusal, lastFailure, rollbackTo, autoscaler, conditions = [] } = status
  return textWithoutNulls({
    observedGeneration,
    phase,
    reason,
    message,
    attempt,
    template,
    operation,
    lastOperation,
    refusal,
    lastFailure,
    rollbackTo,
    autoscaler,
    losses: (status.losses ?? []).map(({ operator, firstReason }) => ({ operator, firstReason })),
    conditions: conditions.map(({ type, status: state, reason: why }) => ({ type, state, why })),
  })
}

function endedOf({ job, now }: Observed, { ended }: Decision): News[] {
  const operation: Operation | null | undefined = job.status?.operation
  if (ended === undefined || operation === undefined || operation === null) return []
  return [{ ended: { ...ended, ms: now - Date.parse(operation.startedAt) } }]
}

function pausedOf(observed: Observed, decision: Decision): News[] {
  const pause = learntPause(observed, decision)
  return pause === undefined ? [] : [{ paused: { type: pause.type, ms: pause.pauseMs } }]
}
