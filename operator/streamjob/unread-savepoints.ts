import { MillraceError } from '../../runtime/model/errors.ts'
import { FINALIZER } from '../api/stream-job.ts'
import type { StreamJob } from '../api/stream-job.ts'
import { streamSavepoints } from '../api/stream-savepoint.ts'
import type { StreamSavepoint } from '../api/stream-savepoint.ts'
import type { JobClient, JobEndpoint } from '../job-client.ts'
import type { Kube } from '../kube/kube.ts'
import { isOver, requestId } from '../savepoint/status.ts'
import type { CoordinatorView } from './observed.ts'

interface Parts {
  kube: Pick<Kube, 'list'>
  jobClient: Pick<JobClient, 'savepoint'>
}

/**
 * Names of the StreamSavepoints whose outcome only the coordinator of a job knows. Read when the job is being deleted
 * and the coordinator has come to its end, so that its pods would be the next to go.
 */
export async function unreadSavepoints(
  { kube, jobClient }: Parts,
  job: StreamJob,
  endpoint: JobEndpoint | undefined,
  coordinator: CoordinatorView,
): Promise<string[]> {
  const { deletionTimestamp, finalizers = [], namespace = '', name } = job.metadata
  const isEnding = deletionTimestamp !== undefined && finalizers.includes(FINALIZER)
  if (!isEnding || endpoint === undefined || coordinator.kind !== 'reached') return []
  if (!ENDS.has(coordinator.report.phase)) return []
  const { items } = await kube.list(streamSavepoints, { namespace })
  const open = items.filter(({ spec, status, metadata }) => {
    const isWaiting = !isOver(status?.phase) && metadata.deletionTimestamp === undefined
    return spec.job === name && isWaiting
  })
  const unread: string[] = []
  for (const savepoint of open) if (await isKnown(jobClient, endpoint, savepoint)) unread.push(savepoint.metadata.name)
  return unread
}

const ENDS: ReadonlySet<string> = new Set(['suspended', 'finished', 'failed'])

/** A coordinator that does not answer now may know it. */
async function isKnown(jobClient: Parts['jobClient'], at: JobEndpoint, savepoint: StreamSavepoint): Promise<boolean> {
  try {
    return (await jobClient.savepoint(at, requestId(savepoint))) !== undefined
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return error.retriable
  }
}
