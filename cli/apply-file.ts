import type { JsonObject, KubeObject } from '../embedded/objects.ts'
import { isObject, stringAt } from '../embedded/objects.ts'
import type { LocalCluster } from '../embedded/local-cluster.ts'

/** Where kubectl apply keeps what was applied last, so that either can follow the other. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/**
 * Creates the object, or brings it to what the file says. An object that is there stays as it is while its file has
 * not changed: what was done to it since (`kubectl scale`) holds.
 */
export function applyObject(
  cluster: LocalCluster,
  resource: string,
  namespace: string,
  object: JsonObject,
): 'created' | 'configured' | 'unchanged' {
  const name = stringAt(object, 'metadata', 'name') ?? ''
  const applied = `${JSON.stringify(object)}\n`
  const marked = (metadata: unknown): JsonObject => ({
    ...(isObject(metadata) ? metadata : {}),
    annotations: {
      ...(isObject(metadata) && isObject(metadata['annotations']) ? metadata['annotations'] : {}),
      [LAST_APPLIED]: applied,
    },
  })
  const current = cluster.get(resource, namespace, name)
  if (current === undefined) {
    cluster.create(resource, namespace, { ...object, metadata: marked(object['metadata']) })
    return 'created'
  }
  if (stringAt(current, 'metadata', 'annotations', LAST_APPLIED) === applied) return 'unchanged'
  cluster.update(resource, namespace, name, 'main', (stored) => {
    const { metadata: _, status: __, ...content } = object
    return { ...stored, ...content, metadata: marked(stored.metadata) } as KubeObject
  })
  return 'configured'
}
