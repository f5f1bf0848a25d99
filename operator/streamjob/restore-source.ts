import type { ErrorReport } from '../../runtime/model/errors.ts'
import type { StreamJob, StreamJobSpec } from '../api/stream-job.ts'
import { streamSavepoints } from '../api/stream-savepoint.ts'
import type { StreamSavepoint } from '../api/stream-savepoint.ts'
import { unlessNotFound } from '../kube/errors.ts'
import type { Kube } from '../kube/kube.ts'

export interface RestoreSource {
  /** The location of the state that the job is to start from. */
  location: string | undefined
  /** A StreamSavepoint that is named and not there, or has no files. */
  waitsFor: ErrorReport | undefined
}

const NOTHING: RestoreSource = { location: undefined, waitsFor: undefined }

/** What `spec.restore` means now; nothing once the job has started, since it has state of its own from then on. */
export async function restoreSource(kube: Kube, job: StreamJob, { restore }: StreamJobSpec): Promise<RestoreSource> {
  if (restore === undefined || hasStarted(job)) return NOTHING
  if (restore.savepoint === undefined) return { location: restore.path, waitsFor: undefined }
  const savepoint = await unlessNotFound(
    kube.get(streamSavepoints, { namespace: job.metadata.namespace ?? '', name: restore.savepoint }),
  )
  const location = savepoint?.status?.phase === 'Completed' ? savepoint.status.location : undefined
  return location === undefined
    ? { location, waitsFor: whyNot(restore.savepoint, savepoint) }
    : { location, waitsFor: undefined }
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
