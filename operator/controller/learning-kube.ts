import type { Kube, MergePatch, ObjectRef } from '../kube/kube.ts'
import type { KubeObject } from '../kube/objects.ts'
import type { ResourceType } from '../kube/resource-type.ts'

/** Takes the state of an object that the API server has answered. */
export type Learn = <T extends KubeObject>(resource: ResourceType<T>, object: T) => void

/** The API server, of whose answers to writes a cache learns before a watch tells it of them. */
export function learningKube(kube: Kube, learn: Learn): Kube {
  const learnt = async <T extends KubeObject>(resource: ResourceType<T>, answer: Promise<T>): Promise<T> => {
    const object = await answer
    learn(resource, structuredClone(object))
    return object
  }
  return {
    now: () => kube.now(),
    get: (resource, ref) => kube.get(resource, ref),
    list: (resource, scope) => kube.list(resource, scope),
    watch: (resource, options, onEvent) => kube.watch(resource, options, onEvent),
    dryRunCreate: (resource, object) => kube.dryRunCreate(resource, object),
    apply: (resource, object, fieldManager) => kube.apply(resource, object, fieldManager),
    delete: (resource, ref, options) => kube.delete(resource, ref, options),
    create: <T extends KubeObject>(resource: ResourceType<T>, object: T) =>
      learnt(resource, kube.create(resource, object)),
    patch: <T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef, patch: MergePatch) =>
      learnt(resource, kube.patch(resource, ref, patch)),
    patchStatus: <T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef, patch: MergePatch) =>
      learnt(resource, kube.patchStatus(resource, ref, patch)),
  }
}
