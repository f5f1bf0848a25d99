import type { JobPorts } from './job-pod.ts'
import type { StreamJob, StreamJobSpec } from '../api/stream-job.ts'
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

export function lastGoodName(job: string): string {
  return `${job}-last-good`
}

export interface LastGoodSpecs {
  /** The newest spec that passed: what goes on running after a bad edit, and after a restart of the operator. */
  spec: StreamJobSpec
  /** That of the pods that run the job until those of `spec` have taken over. */
  running: StreamJobSpec | undefined
  /** The one that the status still names: an operator that dies before it names `spec` must find it. */
  previous: StreamJobSpec | undefined
  /** The newest one that has held: what a job goes back to. */
  stable: StreamJobSpec | undefined
}

export function lastGoodConfigMap(job: StreamJob, { spec, running, previous, stable }: LastGoodSpecs): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: jobObjectMetadata(job, lastGoodName(job.metadata.name)),
    data: {
      uid: job.metadata.uid ?? '',
      spec: JSON.stringify(spec),
      running: JSON.stringify(running ?? null),
      previous: JSON.stringify(previous ?? null),
      stable: JSON.stringify(stable ?? null),
    },
  }
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
