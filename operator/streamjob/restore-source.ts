import type { Problem } from '../../runtime/graph/problems.ts'
import type { ErrorReport } from '../../runtime/model/errors.ts'
import { memberOf } from '../../runtime/model/fields.ts'
import type { StreamJob, StreamJobSpec } from '../api/stream-job.ts'
import { streamSavepoints } from '../api/stream-savepoint.ts'
import type { StreamSavepoint } from '../api/stream-savepoint.ts'
import { isOf, newestLocation } from '../savepoint/newest.ts'
import { unlessNotFound } from '../kube/errors.ts'
import type { Kube } from '../kube/kube.ts'

export interface RestoreSource {
  /** The location of the state that the job is to start from. */
  location: string | undefined
  /** A StreamSavepoint that is named and not there, or has no files. */
  waitsFor: ErrorReport | undefined
}

const NOTHING: RestoreSource = { location: undefined, waitsFor: undefined }

/** The API server has said so already, unless its CRD is an older one. */
export function restoreProblems({ restore }: StreamJobSpec): Problem[] {
  const given = ['savepoint', 'path', 'latestOf'].filter((name) => typeof memberOf(restore ?? {}, name) === 'string')
  if (restore === undefined || given.length === 1) return []
  return [
    {
      code: 'RESTORE_INVALID',
      path: 'spec.restore',
      message: given.length === 0 ? 'it names nothing' : `it names ${given.join(' and ')}`,
      hint: 'give one of savepoint, path and latestOf',
    },
  ]
}

/** What `spec.restore` means now; nothing once the job has started, since it has state of its own from then on. */
export async function restoreSource(kube: Kube, job: StreamJob, { restore }: StreamJobSpec): Promise<RestoreSource> {
  if (restore === undefined || hasStarted(job)) return NOTHING
  const { namespace = '' } = job.metadata
  if ('path' in restore) return { location: restore.path, waitsFor: undefined }
  if ('latestOf' in restore) return latestOf(kube, namespace, restore)
  const savepoint = await unlessNotFound(kube.get(streamSavepoints, { namespace, name: restore.savepoint }))
  const location = savepoint?.status?.phase === 'Completed' ? savepoint.status.location : undefined
  return location === undefined
    ? { location, waitsFor: whyNot(restore.savepoint, savepoint) }
    : { location, waitsFor: undefined }
}

async function latestOf(
  kube: Kube,
  namespace: string,
  { latestOf: name, uid }: { latestOf: string; uid?: string },
): Promise<RestoreSource> {
  const { items } = await kube.list(streamSavepoints, { namespace })
  const location = newestLocation(items.filter((one) => one.spec.job === name && (uid === undefined || isOf(one, uid))))
  if (location !== undefined) return { location, waitsFor: undefined }
  const whose = uid === undefined ? name : `${name} with the UID ${uid}`
  const path = 'spec.restore.latestOf'
  const waitsFor: ErrorReport = {
    code: 'SAVEPOINT_MISSING',
    message: `${path}: there is no completed StreamSavepoint of a StreamJob ${whose} in this namespace.`,
    domain: 'user',
    retriable: true,
    path,
  }
  return { location, waitsFor }
}

export function hasStarted(job: StreamJob): boolean {
  return (job.status?.attempt ?? 0) > 0
}

function whyNot(name: string, savepoint: StreamSavepoint | undefined): ErrorReport {
  const path = 'spec.restore.savepoint'
  if (savepoint === undefined)
    return {
      code: 'SAVEPOINT_MISSING',
      message: `${path}: there is no StreamSavepoint ${name} in this namespace.`,
      domain: 'user',
      retriable: true,
      path,
    }
  const { phase = 'Pending', error } = savepoint.status ?? {}
  if (phase === 'Failed')
    return {
      code: 'SAVEPOINT_FAILED',
      message: `${path}: ${name} failed: ${error?.message ?? 'unknown'}`,
      domain: 'user',
      retriable: true,
      path,
    }
  return {
    code: 'SAVEPOINT_NOT_COMPLETED',
    message: `${path}: ${name} is ${phase}.`,
    domain: 'dependency',
    retriable: true,
    path,
  }
}
