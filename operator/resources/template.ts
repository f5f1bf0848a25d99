import type { Pod } from '../kube/objects.ts'
import { coordinatorPod } from './coordinator-pod.ts'
import { hashOf } from './hash.ts'
import type { PodContext } from './job-pod.ts'
import { HASH_ANNOTATION, ROLE_LABEL, TEMPLATE_LABEL } from './labels.ts'
import { workerPod } from './worker-pod.ts'

/** The template of pods that were made before pods named theirs: their names end without one. */
export const UNNAMED = ''

/** Eight hex digits: the same for every number of replicas and every graph. */
export function templateHash(context: PodContext): string {
  const rendered = [coordinatorPod(context), workerPod(context, { chain: '', slot: 0 })]
  return hashOf(rendered.map(({ metadata }) => metadata.annotations?.[HASH_ANNOTATION])).slice(0, 8)
}

export function templateOf(pod: Pod): string {
  return pod.metadata.labels?.[TEMPLATE_LABEL] ?? UNNAMED
}

/** The rendered pod as one of this template, outside of its hash: its name, its label, and how others find it. */
export function inTemplate(pod: Pod, template: string): Pod {
  if (template === UNNAMED) return pod
  const { containers } = pod.spec as { containers: { env: unknown[] }[] }
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      name: `${pod.metadata.name}-${template}`,
      labels: { ...pod.metadata.labels, [TEMPLATE_LABEL]: template },
    },
    spec: {
      ...pod.spec,
      // the name of this very pod in the Service of the job's coordinators
      ...(pod.metadata.labels?.[ROLE_LABEL] === 'coordinator'
        ? { hostname: `coordinator-${template}`, subdomain: pod.metadata.name }
        : {}),
      containers: containers.map((one) => ({
        ...one,
        env: [...one.env, { name: 'MILLRACE_TEMPLATE', value: template }],
      })),
    },
  }
}
