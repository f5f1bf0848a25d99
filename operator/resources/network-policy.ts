import type { StreamJob } from '../api/stream-job.ts'
import type { KubeObject } from '../kube/objects.ts'
import type { ResourceType } from '../kube/resource-type.ts'
import { jobObjectMetadata } from './job-objects.ts'
import type { JobPorts } from './job-pod.ts'
import { JOB_LABEL } from './labels.ts'
import type { ListeningSource } from './sender-service.ts'

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
  /** Peers that may reach the ports at which sources of jobs listen. Absent: everybody; empty: nobody. */
  readonly senders?: readonly unknown[]
  /** Rules of a NetworkPolicy for where jobs may connect; DNS is added. Absent: anywhere. */
  readonly egress?: readonly unknown[]
}

export function networkPolicyName(job: string): string {
  return `${job}-pods`
}

const DNS = { ports: ['UDP', 'TCP'].map((protocol) => ({ protocol, port: 53 })) }

/**
 * Nobody connects to the pods of a job but they themselves, to their HTTP port those who are named, and to the ports at
 * which its sources listen the senders.
 */
export function jobNetworkPolicy(
  job: StreamJob,
  { http, senders, egress }: JobNetwork,
  ports: JobPorts,
  listening: readonly ListeningSource[],
): NetworkPolicy {
  const open = listening.flatMap((source) => source.ports)
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
        ...(open.length === 0 || senders?.length === 0
          ? []
          : [
              {
                ...(senders === undefined ? {} : { from: senders }),
                ports: open.map((port) => ({ protocol: 'TCP', port })),
              },
            ]),
      ],
      ...(egress === undefined ? {} : { egress: [{ to: own }, DNS, ...egress] }),
    },
  }
}
