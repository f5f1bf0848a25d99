/** Plain JSON, as it travels. `undefined` is allowed for members so that optional fields can be typed. */
export type Json = null | boolean | number | string | Json[] | JsonObject
export interface JsonObject {
  [key: string]: Json | undefined
}

export interface OwnerReference extends JsonObject {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

export interface ObjectMeta extends JsonObject {
  name: string
  generateName?: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  finalizers?: string[]
  ownerReferences?: OwnerReference[]
  managedFields?: ManagedFieldsEntry[]
}

export interface ManagedFieldsEntry extends JsonObject {
  manager: string
  operation: 'Apply' | 'Update'
  apiVersion: string
  time: string
  fieldsType: 'FieldsV1'
  fieldsV1: JsonObject
  subresource?: string
}

/** A Kubernetes object of any kind. Stored objects are never changed in place: copy, change, store. */
export interface KubeObject extends JsonObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value at a path of member names, or undefined when something on the way is missing or no object. */
export function valueAt(value: Json | undefined, ...path: string[]): Json | undefined {
  let current = value
  for (const name of path) {
    if (!isObject(current) || !Object.hasOwn(current, name)) return undefined
    current = current[name]
  }
  return current
}

export function objectAt(value: Json | undefined, ...path: string[]): JsonObject {
  const found = valueAt(value, ...path)
  return isObject(found) ? found : {}
}

export function arrayAt(value: Json | undefined, ...path: string[]): Json[] {
  const found = valueAt(value, ...path)
  return Array.isArray(found) ? found : []
}

export function stringAt(value: Json | undefined, ...path: string[]): string | undefined {
  const found = valueAt(value, ...path)
  return typeof found === 'string' ? found : undefined
}

export function numberAt(value: Json | undefined, ...path: string[]): number | undefined {
  const found = valueAt(value, ...path)
  return typeof found === 'number' ? found : undefined
}

/** Sets the value at a path, making the objects on the way; `target` must be the caller's own copy. */
export function setAt(target: JsonObject, path: readonly string[], value: Json | undefined): void {
  let current = target
  for (const name of path.slice(0, -1)) {
    const next = current[name]
    if (isObject(next)) current = next
    else {
      const made: JsonObject = {}
      current[name] = made
      current = made
    }
  }
  const last = path.at(-1)
  if (last === undefined) return
  if (value === undefined) delete current[last]
  else current[last] = value
}

export function clone<T extends Json>(value: T): T {
  return structuredClone(value)
}

/** Equality of JSON; a member that is undefined counts as absent, the order of members does not count. */
export function jsonEqual(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => jsonEqual(item, b[index]))
  }
  if (!isObject(a) || !isObject(b)) return false
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  for (const key of keys) if (!jsonEqual(a[key], b[key])) return false
  return true
}
