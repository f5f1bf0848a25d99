import { applyMergePatch } from './merge-patch.ts'
import type { LocalCluster } from '../../embedded/local-cluster.ts'
import type { JsonObject } from '../../embedded/objects.ts'
import { ApiStatusError } from '../../embedded/status-error.ts'
import { realClock } from '../../runtime/ports/real/clock.ts'
import { KubeError } from '../../operator/kube/errors.ts'
import type { Kube, MergePatch, ObjectRef } from '../../operator/kube/kube.ts'
import type { KubeObject } from '../../operator/kube/objects.ts'
import type { ResourceType } from '../../operator/kube/resource-type.ts'

/** get, create, patch and delete of the Kube port on the embedded API server in this process; no watches. */
export function localClusterKube(cluster: LocalCluster): Kube {
  const refuse = (): never => {
    throw new Error('not carried by this Kube')
  }
  const patch = <T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    change: MergePatch,
    scope: 'main' | 'status',
  ): Promise<T> =>
    answer<T>(() =>
      cluster.update(nameOf(type), ref.namespace, ref.name, scope, (current) => {
        const metadata = change['metadata'] as { resourceVersion?: string } | undefined
        const known = current.metadata.resourceVersion
        if (metadata?.resourceVersion !== undefined && metadata.resourceVersion !== known) {
          throw new ApiStatusError(409, 'Conflict', 'the object has been modified')
        }
        return applyMergePatch(current, change) as typeof current
      }),
    )
  return {
    now: () => realClock.now(),
    get: <T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef) =>
      answer<T>(() => cluster.get(nameOf(type), ref.namespace, ref.name)),
    create: <T extends KubeObject>(type: ResourceType<T>, object: T) =>
      answer<T>(() =>
        cluster.create(nameOf(type), object.metadata.namespace ?? 'default', object as unknown as JsonObject),
      ),
    patch: (type, ref, change) => patch(type, ref, change, 'main'),
    patchStatus: (type, ref, change) => patch(type, ref, change, 'status'),
    delete: <T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef) =>
      Promise.resolve().then(() => cluster.remove(nameOf(type), ref.namespace, ref.name)),
    dryRunCreate: refuse,
    list: refuse,
    watch: refuse,
    apply: refuse,
  }
}

function nameOf(type: ResourceType<KubeObject>): string {
  return type.group === '' ? type.plural : `${type.plural}.${type.group}`
}

/** The promise and the errors of the port. */
async function answer<T>(call: () => unknown): Promise<T> {
  try {
    const object = await Promise.resolve(call())
    if (object === undefined) throw new KubeError('not found', { status: 404, reason: 'NotFound' })
    return structuredClone(object) as T
  } catch (error) {
    if (!(error instanceof ApiStatusError)) throw error
    throw new KubeError(error.message, { status: error.httpCode, reason: error.reason, cause: error })
  }
}
