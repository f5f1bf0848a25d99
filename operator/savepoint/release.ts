import { MillraceError } from '../../runtime/model/errors.ts'
import { FINALIZER, streamJobs } from '../api/stream-job.ts'
import { streamSavepoints } from '../api/stream-savepoint.ts'
import type { StreamSavepoint } from '../api/stream-savepoint.ts'
import type { ReconcileResult } from '../controller/controller.ts'
import { unlessNotFound } from '../kube/errors.ts'
import { coordinatorOf } from './job-coordinator.ts'
import type { SavepointParts } from './job-coordinator.ts'

/** The object goes so long after its deletion was met, whatever answers. */
const DEADLINE_MS = 60_000
const POLL_MS = 1_000

/** Keeps the object until its files were seen to; nothing to do for one whose files stay. */
export async function holdWhenDeleting(
  { kube }: SavepointParts,
  savepoint: StreamSavepoint,
): Promise<'written' | 'as it was'> {
  const { finalizers = [] } = savepoint.metadata
  const isHeld = finalizers.includes(FINALIZER)
  if (isHeld === (savepoint.spec.deletionPolicy === 'Delete')) return 'as it was'
  await setFinalizers(
    kube,
    savepoint,
    isHeld ? finalizers.filter((one) => one !== FINALIZER) : [...finalizers, FINALIZER],
  )
  return 'written'
}

/**
 * The object was deleted: its files go with it when it says so. Only a running coordinator can delete them; when there
 * is none, or it does not within the deadline, they stay, and an Event says where.
 */
export async function releaseSavepoint(parts: SavepointParts, savepoint: StreamSavepoint): Promise<ReconcileResult> {
  const { finalizers = [] } = savepoint.metadata
  if (!finalizers.includes(FINALIZER)) return {}
  const left = await deleteFiles(parts, savepoint)
  const { uid = '' } = savepoint.metadata
  const now = parts.kube.now()
  const isLate = now >= parts.deletions.metAt(uid, now) + DEADLINE_MS
  if (left?.mayPass === true && !isLate) return { requeueAfterMs: POLL_MS }
  if (left !== undefined) {
    const told = await parts.events.recordOnce(savepoint, {
      id: `${savepoint.metadata.uid ?? ''}-released`,
      type: 'Warning',
      reason: 'DeletedWithLeftovers',
      message: `${savepoint.status?.location ?? 'The savepoint'} was left behind: ${left.why}`,
    })
    if (told === 'later' && !isLate) return { requeueAfterMs: POLL_MS }
  }
  await setFinalizers(
    parts.kube,
    savepoint,
    finalizers.filter((one) => one !== FINALIZER),
  )
  parts.deletions.forget(uid)
  return {}
}

/** Undefined when the files are gone. */
async function deleteFiles(
  parts: SavepointParts,
  savepoint: StreamSavepoint,
): Promise<{ why: string; mayPass: boolean } | undefined> {
  const { id, location } = savepoint.status ?? {}
  if (id === undefined) return undefined
  const job = await unlessNotFound(
    parts.kube.get(streamJobs, { namespace: savepoint.metadata.namespace ?? '', name: savepoint.spec.job }),
  )
  if (job === undefined || location?.includes(`/${job.metadata.uid ?? ''}/`) === false)
    return { why: `its job ${savepoint.spec.job} is gone.`, mayPass: false }
  if (job.spec.desiredState === 'Suspended')
    return { why: `its job ${savepoint.spec.job} is suspended.`, mayPass: false }
  const endpoint = await coordinatorOf(parts, job)
  if (endpoint === undefined) return { why: `its job ${savepoint.spec.job} has no coordinator.`, mayPass: true }
  try {
    await parts.jobClient.deleteSavepoint(endpoint, id)
    return undefined
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return { why: error.message, mayPass: error.retriable }
  }
}

async function setFinalizers(
  kube: SavepointParts['kube'],
  { metadata }: StreamSavepoint,
  finalizers: string[],
): Promise<void> {
  const { namespace = '', name, resourceVersion } = metadata
  await unlessNotFound(kube.patch(streamSavepoints, { namespace, name }, { metadata: { resourceVersion, finalizers } }))
}
