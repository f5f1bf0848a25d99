import type { JobPorts } from './job-pod.ts'
import type { StreamJob } from '../api/stream-job.ts'
import type { KubeObject, Secret, Service } from '../kube/objects.ts'
import type { ResourceType } from '../kube/resource-type.ts'
import { coordinatorName } from './coordinator-pod.ts'
import { tokenSecretName } from './job-token.ts'
import { jobLabels, JOB_LABEL, ownedBy, ROLE_LABEL } from './labels.ts'

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>
  immutable?: boolean
}
export const configMaps: ResourceType<ConfigMap> = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' }

export function tokenSecret(job: StreamJob, token: string): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    immutable: true,
    metadata: jobObjectMetadata(job, tokenSecretName(job.metadata.name, token)),
    stringData: { token },
  }
}

/** Headless: workers find the coordinator of their template by its host name, also before it is ready. */
export function coordinatorService(job: StreamJob, { control, http }: JobPorts): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: jobObjectMetadata(job, coordinatorName(job.metadata.name)),
    spec: {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: { [JOB_LABEL]: job.metadata.name, [ROLE_LABEL]: 'coordinator' },
      ports: [
        { name: 'control', port: control, targetPort: control, protocol: 'TCP' },
        { name: 'http', port: http, targetPort: http, protocol: 'TCP' },
      ],
    },
  }
}

/** Where operators that knew no revisions kept the specs of a job. */
export function lastGoodName(job: string): string {
  return `${job}-last-good`
}

/** The metadata of an object that belongs to a job and goes with it. */
export function jobObjectMetadata(job: StreamJob, name: string): KubeObject['metadata'] {
  return {
    name,
    ...(job.metadata.namespace === undefined ? {} : { namespace: job.metadata.namespace }),
    labels: jobLabels(job.metadata.name, 'coordinator'),
    ownerReferences: [ownedBy(job)],
  }
}
