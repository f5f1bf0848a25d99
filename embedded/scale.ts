import type { JsonObject, KubeObject } from './objects.ts'
import { clone, numberAt, setAt, stringAt } from './objects.ts'
import type { ScalePaths } from './resources.ts'
import { badRequest } from './status-error.ts'

/** The scale subresource of an object. */
export function scaleOf(object: KubeObject, paths: ScalePaths): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const selector = paths.labelSelector === undefined ? undefined : stringAt(object, ...paths.labelSelector)
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: numberAt(object, ...paths.specReplicas) ?? 0 },
    status: {
      replicas: numberAt(object, ...paths.statusReplicas) ?? 0,
      ...(selector === undefined ? {} : { selector }),
    },
  }
}

/** The object with the replicas of a scale that a client wrote; its resourceVersion, if any, must hold. Throws 400. */
export function withScale(object: KubeObject, scale: JsonObject, paths: ScalePaths): KubeObject {
  const replicas = numberAt(scale, 'spec', 'replicas')
  if (replicas === undefined || !Number.isInteger(replicas) || replicas < 0) {
    throw badRequest(
      `Scale "${object.metadata.name}" is invalid: spec.replicas: Invalid value: ${String(replicas)}: must be a whole number, 0 or more`,
    )
  }
  const next = clone(object)
  setAt(next, paths.specReplicas, replicas)
  const version = stringAt(scale, 'metadata', 'resourceVersion')
  if (version !== undefined && version !== '') next.metadata.resourceVersion = version
  return next
}
