import type { SavepointReport } from '../../runtime/control/job-report.ts'
import { errorReport, MillraceError } from '../../runtime/model/errors.ts'
import type { ErrorReport } from '../../runtime/model/errors.ts'
import { parseDurationMs } from '../../runtime/model/time.ts'
import { orderOf } from '../controller/leadership.ts'
import { streamJobs } from '../api/stream-job.ts'
import type { StreamJob } from '../api/stream-job.ts'
import { streamSavepoints } from '../api/stream-savepoint.ts'
import type { StreamSavepoint, StreamSavepointStatus } from '../api/stream-savepoint.ts'
import type { ReconcileResult } from '../controller/controller.ts'
import { withConditions } from '../kube/conditions.ts'
import { unlessNotFound } from '../kube/errors.ts'
import { isoSeconds } from '../kube/events.ts'
import type { EventNote } from '../kube/events.ts'
import type { ObjectRef } from '../kube/kube.ts'
import type { Reason } from '../kube/reasons.ts'
import { stateLocation } from '../resources/state-location.ts'
import { coordinatorOf } from './job-coordinator.ts'
import type { SavepointParts } from './job-coordinator.ts'
import { holdWhenDeleting, releaseSavepoint } from './release.ts'

const DEFAULT_TIMEOUT_MS = 10 * 60_000
const POLL_MS = 500

/** One savepoint request from Pending to Completed or Failed; what has ended only waits for its deletion. */
export async function reconcileSavepoint(parts: SavepointParts, ref: ObjectRef): Promise<ReconcileResult> {
  const savepoint = await unlessNotFound(parts.kube.get(streamSavepoints, ref))
  if (savepoint === undefined) return {}
  if (savepoint.metadata.deletionTimestamp !== undefined) return releaseSavepoint(parts, savepoint)
  if ((await holdWhenDeleting(parts, savepoint)) === 'written') return {} // the write wakes us again
  const { phase } = savepoint.status ?? {}
  if (phase === 'Completed' || phase === 'Failed') return {}
  // The id comes from the uid, so it need not be written before the coordinator is asked: a repeat has the same.
  const id = `ssp-${savepoint.metadata.uid ?? ''}`
  const answer = await askFor(parts, savepoint, id)
  const next = nextStatus(savepoint, id, answer, { now: parts.kube.now(), store: parts.store })
  if (isSame(savepoint.status, next)) return { requeueAfterMs: POLL_MS }
  const isOver = next.phase === 'Completed' || next.phase === 'Failed'
  const told = await tell(parts, savepoint, notesOf(id, answer, next))
  if (told === 'later' && isOver && isInTime(savepoint, parts.kube.now())) return { requeueAfterMs: POLL_MS }
  const { namespace = '', name, resourceVersion } = savepoint.metadata
  await parts.kube.patchStatus(streamSavepoints, { namespace, name }, { metadata: { resourceVersion }, status: next })
  return isOver ? {} : { requeueAfterMs: POLL_MS }
}

/** A report comes with the job it is of, since that says where its files are. */
type Answer =
  | { kind: 'report'; report: SavepointReport; job: StreamJob }
  | { kind: 'refused'; error: ErrorReport }
  | { kind: 'notYet'; why: string }

async function askFor(parts: SavepointParts, savepoint: StreamSavepoint, id: string): Promise<Answer> {
  const job = await unlessNotFound(
    parts.kube.get(streamJobs, { namespace: savepoint.metadata.namespace ?? '', name: savepoint.spec.job }),
  )
  if (job === undefined)
    return { kind: 'notYet', why: `There is no StreamJob ${savepoint.spec.job} in this namespace.` }
  const kept = keptBySuspension(job)
  if (kept !== undefined) return { kind: 'report', report: kept, job }
  const endpoint = await coordinatorOf(parts, job)
  if (endpoint === undefined)
    return {
      kind: 'notYet',
      why: `The job ${job.metadata.name} has no coordinator (${job.status?.phase ?? 'Pending'}).`,
    }
  try {
    const known = await parts.jobClient.savepoint(endpoint, id)
    if (known !== undefined) return { kind: 'report', report: known, job }
    const { phase } = await parts.jobClient.report(endpoint)
    if (phase === 'finished')
      return {
        kind: 'refused',
        error: {
          code: 'JOB_FINISHED',
          message: `The job ${job.metadata.name} has finished: nothing is left to continue.`,
          domain: 'user',
          retriable: false,
        },
      }
    if (phase !== 'running')
      return { kind: 'notYet', why: `The job ${job.metadata.name} is ${phase}; the savepoint is taken when it runs.` }
    return {
      kind: 'report',
      report: await parts.jobClient.requestSavepoint(endpoint, { id, order: orderOf(job, parts.leadership) }),
      job,
    }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return error.retriable ? { kind: 'notYet', why: error.message } : { kind: 'refused', error: errorReport(error) }
  }
}

/**
 * A suspended job stands at a savepoint that is kept, unless its coordinator could not take one: then nothing is
 * answered for it.
 */
function keptBySuspension(job: StreamJob): SavepointReport | undefined {
  const { phase, checkpoint } = job.status ?? {}
  if (phase !== 'Suspended' || !checkpoint?.savepoint) return undefined
  const { attempt, id, kind, savepoint, path, sizeBytes, durationMs } = checkpoint
  return {
    id: savepoint,
    phase: 'completed',
    checkpoint: { attempt, id, kind, path, sizeBytes, durationMs, completedAt: Date.parse(checkpoint.completedAt) },
  }
}

/** Pure. */
function nextStatus(
  savepoint: StreamSavepoint,
  id: string,
  answer: Answer,
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

function isSame(before: StreamSavepointStatus | undefined, next: StreamSavepointStatus): boolean {
  return before?.phase === next.phase && before?.conditions?.[0]?.message === next.conditions?.[0]?.message
}

/** While it is, an end is not written before its Events are: nothing would come back to them. */
function isInTime(savepoint: StreamSavepoint, now: number): boolean {
  const { metadata, status } = savepoint
  return now < Date.parse(status?.startedAt ?? metadata.creationTimestamp ?? '') + timeoutOf(savepoint)
}

/** Before the status: each Event is found again by its id, so whoever makes the pass again writes none twice. */
async function tell(
  { events }: SavepointParts,
  savepoint: StreamSavepoint,
  notes: readonly EventNote[],
): Promise<'written' | 'later'> {
  let told: 'written' | 'later' = 'written'
  for (const note of notes) {
    const id = `${savepoint.metadata.uid ?? ''}-${note.reason}`
    if ((await events.recordOnce(savepoint, { id, ...note })) === 'later') told = 'later'
  }
  return told
}

/** At its end also how it began: whoever asked for it may have died before saying so. Pure. */
function notesOf(id: string, answer: Answer, next: StreamSavepointStatus): EventNote[] {
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
