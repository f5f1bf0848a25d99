import type { StreamJob } from '../api/stream-job.ts'
import type { KubeObject } from '../kube/objects.ts'
import type { ResourceType } from '../kube/resource-type.ts'
import { jobObjectMetadata } from './job-objects.ts'
import type { JobPorts } from './job-pod.ts'
import { JOB_LABEL } from './labels.ts'

export interface NetworkPolicy extends KubeObject {
  spec: Readonly<Record<string, unknown>>
}
export const networkPolicies: ResourceType<NetworkPolicy> = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'networkpolicies',
  kind: 'NetworkPolicy',
}

/** Whom the pods of jobs may talk to besides the pods of their own job. */
export interface JobNetwork {
  /** Peers of a NetworkPolicy that may ask for reports and metrics: the operator, Prometheus. */
  readonly http: readonly unknown[]
  /** Rules of a NetworkPolicy for where jobs may connect; DNS is added. Absent: anywhere. */
  readonly egress?: readonly unknown[]
}

export function networkPolicyName(job: string): string {
  return `${job}-pods`
}

const DNS = { ports: ['UDP', 'TCP'].map((protocol) => ({ protocol, port: 53 })) }

/** Nobody connects to the pods of a job but they themselves, and to their HTTP port those who are named. */
export function jobNetworkPolicy(job: StreamJob, { http, egress }: JobNetwork, ports: JobPorts): NetworkPolicy {
  const podSelector = { matchLabels: { [JOB_LABEL]: job.metadata.name } }
  const own = [{ podSelector }]
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: jobObjectMetadata(job, networkPolicyName(job.metadata.name)),
    spec: {
      podSelector,
      policyTypes: egress === undefined ? ['Ingress'] : ['Ingress', 'Egress'],
      ingress: [
        { from: own },
        // a rule with no peers would let everybody in
        ...(http.length === 0 ? [] : [{ from: http, ports: [{ protocol: 'TCP', port: ports.http }] }]),
      ],
      ...(egress === undefined ? {} : { egress: [{ to: own }, DNS, ...egress] }),
    },
  }
}
