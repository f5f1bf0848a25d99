import type { KubeObject, Pod } from '../kube/objects.ts'
import { ENCRYPTION_ENV } from './job-pod.ts'
import { TOKEN_ENV } from './job-token.ts'

interface Container {
  name?: string
  image?: string
  ports?: unknown
  env?: readonly { name?: string }[]
  resources?: { limits?: unknown }
}

const READ_ENV: ReadonlySet<string | undefined> = new Set([TOKEN_ENV, ENCRYPTION_ENV])

/** A pod without what no pass reads: there may be many thousands in the cache, and most of a pod is its template. */
export function readPartOfPod(object: KubeObject): Pod {
  const { apiVersion, kind, metadata, spec, status } = object as Pod
  const { managedFields: _, ...identity } = metadata
  const { containers = [], hostname, subdomain } = spec as { containers?: Container[] } & Record<string, unknown>
  return {
    apiVersion,
    kind,
    metadata: identity,
    spec: { containers: containers.map(readPartOfContainer), ...present({ hostname, subdomain }) },
    ...(status === undefined ? {} : { status: readPartOfStatus(status) }),
  }
}

function readPartOfContainer({ name, image, ports, env = [], resources }: Container): Container {
  return {
    ...present({ name, image, ports }),
    env: env.filter((one) => READ_ENV.has(one.name)),
    resources: present({ limits: resources?.limits }),
  }
}

function readPartOfStatus(status: NonNullable<Pod['status']>): NonNullable<Pod['status']> {
  const { phase, podIP, startTime, reason, message, conditions, containerStatuses } = status
  return present({
    phase,
    podIP,
    startTime,
    reason,
    message,
    conditions: conditions?.map((one) =>
      present({ type: one.type, status: one.status, reason: one.reason, message: one.message }),
    ),
    containerStatuses: containerStatuses?.map(({ name, ready, restartCount, state, lastState }) =>
      present({ name, ready, restartCount, state, lastState }),
    ),
  })
}

function present<T extends object>(members: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}
