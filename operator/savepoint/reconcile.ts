import type { SavepointReport } from '../../runtime/control/job-report.ts'
import { errorReport, MillraceError } from '../../runtime/model/errors.ts'
import type { ErrorReport } from '../../runtime/model/errors.ts'
import { orderOf } from '../controller/leadership.ts'
import { streamJobs } from '../api/stream-job.ts'
import type { StreamJob } from '../api/stream-job.ts'
import { streamSavepoints } from '../api/stream-savepoint.ts'
import type { SavepointTrigger, StreamSavepoint } from '../api/stream-savepoint.ts'
import type { ReconcileResult } from '../controller/controller.ts'
import { unlessNotFound } from '../kube/errors.ts'
import type { ObjectRef } from '../kube/kube.ts'
import { coordinatorOf } from './job-coordinator.ts'
import type { SavepointParts } from './job-coordinator.ts'
import { holdWhenDeleting, releaseSavepoint } from './release.ts'
import { isOver, nextStatus, notesOf, requestId, writeStatus } from './status.ts'
import type { SavepointAnswer } from './status.ts'

const POLL_MS = 500

/** One savepoint request from Pending to Completed or Failed; what has ended only waits for its deletion. */
export async function reconcileSavepoint(parts: SavepointParts, ref: ObjectRef): Promise<ReconcileResult> {
  const savepoint = await unlessNotFound(parts.kube.get(streamSavepoints, ref))
  if (savepoint === undefined) return {}
  if (savepoint.metadata.deletionTimestamp !== undefined) return releaseSavepoint(parts, savepoint)
  if ((await holdWhenDeleting(parts, savepoint)) === 'written') return {} // the write wakes us again
  if (isOver(savepoint.status?.phase)) return {}
  const id = requestId(savepoint)
  const answer = await askFor(parts, savepoint, id)
  const next = nextStatus(savepoint, id, answer, { now: parts.kube.now(), store: parts.store })
  return (await writeStatus(parts, savepoint, next, notesOf(id, answer, next))) === 'written' && isOver(next.phase)
    ? {}
    : { requeueAfterMs: POLL_MS }
}

/** Records of savepoints that have been taken: who has created one writes what it is. */
const RECORDS: readonly SavepointTrigger[] = ['Suspend', 'Upgrade', 'Final']

async function askFor(parts: SavepointParts, savepoint: StreamSavepoint, id: string): Promise<SavepointAnswer> {
  const { trigger = 'Manual' } = savepoint.spec
  if (RECORDS.includes(trigger))
    return { kind: 'notYet', why: `The operator records it: to ask for one, leave out the trigger ${trigger}.` }
  const job = await unlessNotFound(
    parts.kube.get(streamJobs, { namespace: savepoint.metadata.namespace ?? '', name: savepoint.spec.job }),
  )
  if (job === undefined && savepoint.status?.phase === 'InProgress')
    return { kind: 'refused', error: jobGone(savepoint) }
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

/** Only its coordinator knew what became of it. */
function jobGone({ spec }: StreamSavepoint): ErrorReport {
  const message = `The StreamJob ${spec.job} was deleted before it could be asked whether the savepoint was completed.`
  return { code: 'JOB_DELETED', message, domain: 'user', retriable: false }
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
