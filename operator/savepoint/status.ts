import type { SavepointReport } from '../../runtime/control/job-report.ts'
import type { ErrorReport } from '../../runtime/model/errors.ts'
import { parseDurationMs } from '../../runtime/model/time.ts'
import type { StreamJob } from '../api/stream-job.ts'
import { streamSavepoints } from '../api/stream-savepoint.ts'
import type { StreamSavepoint, StreamSavepointStatus } from '../api/stream-savepoint.ts'
import { withConditions } from '../kube/conditions.ts'
import { isoSeconds } from '../kube/events.ts'
import type { EventNote, EventRecorder } from '../kube/events.ts'
import type { Kube } from '../kube/kube.ts'
import type { Reason } from '../kube/reasons.ts'
import { stateLocation } from '../resources/state-location.ts'

const DEFAULT_TIMEOUT_MS = 10 * 60_000

/** A report comes with the job it is of, since that says where its files are. */
export type SavepointAnswer =
  | { kind: 'report'; report: SavepointReport; job: StreamJob }
  | { kind: 'refused'; error: ErrorReport }
  | { kind: 'notYet'; why: string }

export function isOver(phase: StreamSavepointStatus['phase'] | undefined): boolean {
  return phase === 'Completed' || phase === 'Failed'
}

/** The name by which the coordinator knows the savepoint: it comes from the uid, so that a repeated request has the same. */
export function requestId({ metadata }: Pick<StreamSavepoint, 'metadata'>): string {
  return `ssp-${metadata.uid ?? ''}`
}

/** What is to be said of a savepoint after this answer. Pure. */
export function nextStatus(
  savepoint: StreamSavepoint,
  id: string,
  answer: SavepointAnswer,
  { now, store }: { now: number; store: string },
): StreamSavepointStatus {
  const startedAt = savepoint.status?.startedAt ?? isoSeconds(now)
  const base = { observedGeneration: savepoint.metadata.generation ?? 0, id, startedAt }
  const done = (
    fields: Pick<StreamSavepointStatus, 'phase'> & Partial<StreamSavepointStatus>,
    reason: Reason,
    message: string,
  ): StreamSavepointStatus => ({
    ...base,
    ...fields,
    conditions: withConditions(
      savepoint.status?.conditions ?? [],
      (['Completed', 'Ready'] as const).map((type) => ({
        type,
        status: fields.phase === 'Completed' ? 'True' : 'False',
        reason,
        message,
      })),
      { generation: base.observedGeneration, now },
    ),
  })
  const failed = (error: ErrorReport): StreamSavepointStatus =>
    done({ phase: 'Failed', completedAt: isoSeconds(now), error }, 'Failed', error.message)
  if (answer.kind === 'refused') return failed(answer.error)
  if (answer.kind === 'report') {
    const { report } = answer
    if (report.phase === 'failed') return failed(report.error)
    if (report.phase === 'completed') {
      const { attempt, sizeBytes, durationMs, completedAt } = report.checkpoint
      const location = stateLocation(answer.job, report.checkpoint, store)
      return done(
        {
          phase: 'Completed',
          id: report.id,
          location,
          attempt,
          sizeBytes,
          durationMs,
          completedAt: isoSeconds(completedAt),
        },
        'Completed',
        `Kept at ${location}.`,
      )
    }
  }
  const timeoutMs = timeoutOf(savepoint)
  const why = answer.kind === 'notYet' ? answer.why : 'The coordinator takes it.'
  if (now >= Date.parse(startedAt) + timeoutMs) {
    return failed({
      code: 'SAVEPOINT_TIMEOUT',
      message: `Not completed within ${timeoutMs} ms. ${why}`,
      domain: 'dependency',
      retriable: true,
    })
  }
  return answer.kind === 'notYet'
    ? done({ phase: 'Pending' }, 'Waiting', why)
    : done({ phase: 'InProgress' }, 'InProgress', why)
}

function timeoutOf({ spec }: StreamSavepoint): number {
  return parseDurationMs(spec.timeout ?? '10m') ?? DEFAULT_TIMEOUT_MS
}

/**
 * Writes what has changed, on the version that it was made for, and first its Events: each is found again by its id, so
 * whoever makes the pass again writes none twice. An end whose Events cannot be written for now is written later, since
 * nothing comes back to it.
 */
export async function writeStatus(
  { kube, events }: { kube: Kube; events: EventRecorder },
  savepoint: StreamSavepoint,
  status: StreamSavepointStatus,
  notes: readonly EventNote[],
): Promise<'written' | 'later'> {
  const before = savepoint.status
  const isSame = before?.phase === status.phase && before?.conditions?.[0]?.message === status.conditions?.[0]?.message
  if (isSame) return 'written'
  const { namespace = '', name, resourceVersion, uid = '', creationTimestamp = '' } = savepoint.metadata
  let told: 'written' | 'later' = 'written'
  for (const note of notes)
    if ((await events.recordOnce(savepoint, { id: `${uid}-${note.reason}`, ...note })) === 'later') told = 'later'
  const isInTime = kube.now() < Date.parse(before?.startedAt ?? creationTimestamp) + timeoutOf(savepoint)
  if (told === 'later' && isOver(status.phase) && isInTime) return 'later'
  await kube.patchStatus(streamSavepoints, { namespace, name }, { metadata: { resourceVersion }, status })
  return 'written'
}

/** At its end also how it began: whoever asked for it may have died before saying so. Pure. */
export function notesOf(id: string, answer: SavepointAnswer, next: StreamSavepointStatus): EventNote[] {
  const notes: EventNote[] = []
  if (answer.kind === 'report' && answer.report.id === id)
    notes.push({ type: 'Normal', reason: 'SavepointStarted', message: `Asked for as ${id}` })
  if (next.phase === 'Completed')
    notes.push({
      type: 'Normal',
      reason: 'SavepointCompleted',
      message: `${next.location ?? ''}, ${next.sizeBytes ?? 0} bytes in ${next.durationMs ?? 0} ms`,
    })
  if (next.phase === 'Failed')
    notes.push({ type: 'Warning', reason: 'SavepointFailed', message: next.error?.message ?? 'unknown' })
  return notes
}
