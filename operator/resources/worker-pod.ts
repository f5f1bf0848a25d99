import type { SubtaskId } from '../../runtime/model/ids.ts'
import { subtaskId } from '../../runtime/model/ids.ts'
import type { Pod } from '../kube/objects.ts'
import { coordinatorName } from './coordinator-pod.ts'
import { JOB_PORTS, jobPod, portOf } from './job-pod.ts'
import type { PodContext } from './job-pod.ts'
import { CHAIN_LABEL, COORDINATOR_ANNOTATION, SLOT_LABEL } from './labels.ts'

export interface WorkerRef {
  chain: string
  slot: number
}

export function workerName(job: string, worker: WorkerRef): string {
  return `${job}-${subtaskId(worker.chain, worker.slot)}`
}

/** The subtask a pod stands for, from its labels; undefined for a coordinator. */
export function subtaskOf(pod: Pod): SubtaskId | undefined {
  const { [CHAIN_LABEL]: chain, [SLOT_LABEL]: slot } = pod.metadata.labels ?? {}
  return chain === undefined || slot === undefined ? undefined : subtaskId(chain, Number(slot))
}

/** One pod per operator chain and slot. Its coordinator's address is added by withCoordinator, outside of the hash. */
export function workerPod(context: PodContext, worker: WorkerRef): Pod {
  const { job, settings } = context
  const { data, http } = settings.ports ?? JOB_PORTS
  return jobPod(context, {
    role: 'worker',
    name: workerName(job.metadata.name, worker),
    labels: { [CHAIN_LABEL]: worker.chain, [SLOT_LABEL]: String(worker.slot) },
    env: [
      { name: 'MILLRACE_CHAIN', value: worker.chain },
      { name: 'MILLRACE_SLOT', value: String(worker.slot) },
      { name: 'MILLRACE_HEALTH_PORT', value: String(http) },
    ],
    ports: [
      { name: 'data', containerPort: data },
      { name: 'health', containerPort: http },
    ],
  })
}

/**
 * Where workers find the coordinator: its name in the Service, or the address its pod has now (undefined while it has
 * none). `rendered`: the coordinator as it is to be, `coordinator`: as it is. A worker that was started with another
 * address is replaced.
 */
export function coordinatorAddress(
  { job, settings }: PodContext,
  rendered: Pod,
  coordinator: Pod | undefined,
): string | undefined {
  if (settings.addressing === 'service') {
    const { hostname, subdomain = coordinatorName(job.metadata.name) } = (coordinator ?? rendered).spec as PodDns
    const name = hostname === undefined ? subdomain : `${hostname}.${subdomain}`
    return `${name}.${job.metadata.namespace ?? 'default'}.svc:${(settings.ports ?? JOB_PORTS).control}`
  }
  const ip = coordinator?.status?.podIP
  if (coordinator === undefined || ip === undefined || ip === '') return undefined
  const port = portOf(coordinator, 'control')
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}

interface PodDns {
  hostname?: string
  subdomain?: string
}

export function withCoordinator(pod: Pod, address: string): Pod {
  const { containers } = pod.spec as { containers: { env: unknown[] }[] }
  return {
    ...pod,
    metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, [COORDINATOR_ANNOTATION]: address } },
    spec: {
      ...pod.spec,
      containers: containers.map((one) => ({
        ...one,
        env: [...one.env, { name: 'MILLRACE_COORDINATOR', value: address }],
      })),
    },
  }
}
