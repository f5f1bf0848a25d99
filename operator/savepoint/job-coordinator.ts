import type { TokenKeys } from '../resources/job-token.ts'
import type { StreamJob } from '../api/stream-job.ts'
import type { JobClient, JobEndpoint } from '../job-client.ts'
import type { MetDeletions } from '../controller/met-deletions.ts'
import type { Leadership } from '../controller/leadership.ts'
import type { EventRecorder } from '../kube/events.ts'
import type { Kube } from '../kube/kube.ts'
import { pods as podResource } from '../kube/resource-type.ts'
import { JOB_LABEL, ROLE_LABEL, selectorOf } from '../resources/labels.ts'
import { UNNAMED } from '../resources/template.ts'
import { endpointOf } from '../streamjob/observe.ts'
import { coordinatorAmong } from '../streamjob/pod-sets.ts'

export interface SavepointParts {
  kube: Kube
  jobClient: JobClient
  tokenKeys: TokenKeys
  events: EventRecorder
  leadership: Leadership
  deletions: MetDeletions
  /** The checkpoint store of jobs that name none. */
  store: string
}

/** Where the job's coordinator can be asked; undefined while it has no pod with an address. */
export async function coordinatorOf(
  { kube, tokenKeys }: SavepointParts,
  job: StreamJob,
): Promise<JobEndpoint | undefined> {
  const labels = { [JOB_LABEL]: job.metadata.name, [ROLE_LABEL]: 'coordinator' }
  const { items } = await kube.list(podResource, {
    namespace: job.metadata.namespace ?? '',
    labelSelector: selectorOf(labels),
  })
  const pod = coordinatorAmong(items, job.status?.template ?? UNNAMED) ?? coordinatorAmong(items, UNNAMED)
  return pod === undefined ? undefined : endpointOf({ tokenKeys }, job, pod)
}
