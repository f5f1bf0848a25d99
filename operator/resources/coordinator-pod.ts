import type { Pod } from '../kube/objects.ts'
import { CONTROL_PORT, HTTP_PORT, jobPod } from './job-pod.ts'
import type { PodContext } from './job-pod.ts'

export function coordinatorName(job: string): string {
  return `${job}-coordinator`
}

/** The one coordinator of a job. */
export function coordinatorPod(context: PodContext): Pod {
  return jobPod(context, {
    role: 'coordinator',
    name: coordinatorName(context.job.metadata.name),
    labels: {},
    env: [],
    resources: { requests: { cpu: '100m', memory: '128Mi' } },
    ports: [
      { name: 'control', containerPort: CONTROL_PORT },
      { name: 'http', containerPort: HTTP_PORT },
    ],
    readinessProbe: { httpGet: { path: '/healthz', port: HTTP_PORT }, periodSeconds: 2, timeoutSeconds: 2 },
  })
}
