import type { Clock } from '../../runtime/ports/clock.ts'
import type { StreamJob } from '../api/stream-job.ts'
import type { JobClient, JobEndpoint } from '../job-client.ts'
import { unlessNotFound } from '../kube/errors.ts'
import type { EventRecorder } from '../kube/events.ts'
import type { Kube } from '../kube/kube.ts'
import { pods as podResource } from '../kube/resource-type.ts'
import { coordinatorName } from '../resources/coordinator-pod.ts'
import { endpointOf } from '../streamjob/observe.ts'

export interface SavepointParts {
  kube: Kube
  clock: Clock
  jobClient: JobClient
  tokenKey: string
  events: EventRecorder
  /** The checkpoint store of jobs that name none. */
  store: string
}

/** Where the job's coordinator can be asked; undefined while it has no pod with an address. */
export async function coordinatorOf(
  { kube, tokenKey }: SavepointParts,
  job: StreamJob,
): Promise<JobEndpoint | undefined> {
  const pod = await unlessNotFound(
    kube.get(podResource, { namespace: job.metadata.namespace ?? '', name: coordinatorName(job.metadata.name) }),
  )
  return pod === undefined || pod.metadata.deletionTimestamp !== undefined
    ? undefined
    : endpointOf({ tokenKey }, job, pod)
}
