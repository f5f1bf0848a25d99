import type { KubeObject, OwnerReference } from '../kube/objects.ts'
import type { StreamJob } from '../api/stream-job.ts'
import { API_VERSION } from '../api/stream-job.ts'

export const JOB_LABEL = 'millrace.dev/job'
export const ROLE_LABEL = 'millrace.dev/role'
export const CHAIN_LABEL = 'millrace.dev/chain'
export const SLOT_LABEL = 'millrace.dev/slot'
/**
 * Hash of what all pods of a job are rendered from. Pods of one template belong together: they have a coordinator of
 * their own, and those of another one run beside them until they have taken over.
 */
export const TEMPLATE_LABEL = 'millrace.dev/template'
/** Hash of the pod as rendered, without its template: the one mark of pods that an operator made before templates. */
export const HASH_ANNOTATION = 'millrace.dev/pod-hash'
/** The coordinator address that a worker was started with. */
export const COORDINATOR_ANNOTATION = 'millrace.dev/coordinator'

/** Tells the objects of several operators over one namespace apart. */
export const CLASS_LABEL = 'millrace.dev/operator-class'
/** On a StreamSavepoint that the operator has created: the UID of the job, which its name alone does not say. */
export const JOB_UID_LABEL = 'millrace.dev/job-uid'

export type Role = 'coordinator' | 'worker'

export function jobLabels(job: string, role: Role): Record<string, string> {
  return {
    [JOB_LABEL]: job,
    [ROLE_LABEL]: role,
    'app.kubernetes.io/name': 'millrace',
    'app.kubernetes.io/instance': job,
    'app.kubernetes.io/component': role,
    'app.kubernetes.io/managed-by': 'millrace-operator',
  }
}

export function selectorOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',')
}

export function ownedBy(job: StreamJob): OwnerReference {
  return {
    apiVersion: API_VERSION,
    kind: 'StreamJob',
    name: job.metadata.name,
    uid: job.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  }
}

export function isOwnedBy({ metadata }: KubeObject, job: StreamJob): boolean {
  return metadata.ownerReferences?.some((owner) => owner.uid === job.metadata.uid) === true
}
