import type { Pod } from '../kube/objects.ts'
import type { EnvVar } from '../api/stream-job.ts'
import { JOB_PORTS, jobPod } from './job-pod.ts'
import type { PodContext, PodSettings } from './job-pod.ts'

/** The Service that finds the coordinators of a job is called so, and the names of their pods begin so. */
export function coordinatorName(job: string): string {
  return `${job}-coordinator`
}

/** The coordinator of a job, not yet of a template. */
export function coordinatorPod(context: PodContext): Pod {
  const { control, http } = context.settings.ports ?? JOB_PORTS
  return jobPod(context, {
    role: 'coordinator',
    name: coordinatorName(context.job.metadata.name),
    labels: {},
    env: signingEnv(context.settings),
    ports: [
      { name: 'control', containerPort: control },
      { name: 'http', containerPort: http },
    ],
  })
}

/** Only coordinators sign and verify: code of the user, which runs in workers, never sees the keys. */
function signingEnv({ signing }: PodSettings): EnvVar[] {
  if (signing === undefined) return []
  return [
    { name: 'MILLRACE_SIGNING_KEYS', valueFrom: { secretKeyRef: { name: signing.secret, key: 'signing-keys' } } },
    { name: 'MILLRACE_UNSIGNED', value: signing.unsigned },
  ]
}
