import type { Kube } from './kube.ts'
import type { KubeObject } from './objects.ts'
import type { ResourceType } from './resource-type.ts'

/** An object whose status lists what is not reported yet; null or absent when nothing is. */
export interface Telling<U> extends KubeObject {
  status?: { untold?: readonly U[] | null }
}

/**
 * Reports what the status of an object lists as untold, and takes off the list what was written. Resolves with the
 * object as it is then: whatever its status still lists must be reported again later. Throws what the write of the
 * status throws.
 */
export async function tellUntold<U, T extends Telling<U>>(
  kube: Pick<Kube, 'patchStatus'>,
  resource: ResourceType<T>,
  object: T,
  tellOne: (one: U) => Promise<'written' | 'later'>,
): Promise<T> {
  const untold = object.status?.untold ?? []
  const left: U[] = []
  for (const one of untold) if ((await tellOne(one)) === 'later') left.push(one)
  if (left.length === untold.length) return object
  const { namespace = '', name, resourceVersion } = object.metadata
  return kube.patchStatus(
    resource,
    { namespace, name },
    { metadata: { resourceVersion }, status: { untold: left.length === 0 ? null : left } },
  )
}

/** Whether something waits to be reported. */
export function hasUntold({ status }: Telling<unknown>): boolean {
  return (status?.untold ?? []).length > 0
}

/** While something is untold, its object is looked at again after this time at the latest. */
export const TELL_AGAIN_MS = 1_000
/** So long after its deadline a deletion waits for nobody, not even for an Event that cannot be written. */
export const TELLING_PATIENCE_MS = 30_000
