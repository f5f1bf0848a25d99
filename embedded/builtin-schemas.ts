import * as kubernetes from '@kubernetes/client-node'
import type { Schema } from './schema.ts'

interface ModelAttribute {
  baseName: string
  type: string
  format: string
}

/** How lists of the built-in types are merged (`patchMergeKey` in the Go types); all other lists are atomic. */
const mergeKeys: Readonly<Record<string, string>> = {
  'V1PodSpec.containers': 'name',
  'V1PodSpec.initContainers': 'name',
  'V1PodSpec.ephemeralContainers': 'name',
  'V1PodSpec.volumes': 'name',
  'V1PodSpec.imagePullSecrets': 'name',
  'V1PodSpec.hostAliases': 'ip',
  'V1PodSpec.topologySpreadConstraints': 'topologyKey',
  'V1Container.env': 'name',
  'V1Container.ports': 'containerPort',
  'V1Container.volumeMounts': 'mountPath',
  'V1Container.volumeDevices': 'devicePath',
  'V1ObjectMeta.ownerReferences': 'uid',
  'V1PodStatus.conditions': 'type',
  'V1NodeStatus.conditions': 'type',
  'V1ServiceStatus.conditions': 'type',
  'V1ServiceSpec.ports': 'port',
  'V1ServiceAccount.secrets': 'name',
  'V1DeploymentStatus.conditions': 'type',
  'V1PodDisruptionBudgetStatus.conditions': 'type',
}

const schemas = new Map<string, Schema>()

/**
 * The schema of a built-in type, made from the model tables of `@kubernetes/client-node` (name such as `V1Pod`).
 * Those tables carry names and types but no descriptions and no required marks. Schemas are shared: never change one.
 */
export function builtinSchema(model: string): Schema {
  const known = schemas.get(model)
  if (known !== undefined) return known
  const attributes = attributesOf(model)
  if (attributes === undefined) return { 'x-kubernetes-preserve-unknown-fields': true }
  // Registered before its members are made, because some models contain themselves.
  const schema: Schema = { type: 'object', model, properties: {} }
  schemas.set(model, schema)
  for (const attribute of attributes) {
    if (schema.properties !== undefined)
      schema.properties[attribute.baseName] = withMergeKey(
        typeSchema(attribute.type, attribute.format),
        `${model}.${attribute.baseName}`,
      )
  }
  return schema
}

function attributesOf(model: string): ModelAttribute[] | undefined {
  const found: unknown = Reflect.get(kubernetes, model)
  if (typeof found !== 'function') return undefined
  const attributes: unknown = Reflect.get(found, 'attributeTypeMap')
  return Array.isArray(attributes) ? (attributes as ModelAttribute[]) : undefined
}

function withMergeKey(schema: Schema, place: string): Schema {
  if (place === 'V1ObjectMeta.finalizers')
    return { ...schema, 'x-kubernetes-list-type': 'set', 'x-kubernetes-patch-strategy': 'merge' }
  const key = mergeKeys[place]
  if (key === undefined) return schema
  return {
    ...schema,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': [key],
    'x-kubernetes-patch-strategy': 'merge',
    'x-kubernetes-patch-merge-key': key,
  }
}

function typeSchema(type: string, format: string): Schema {
  const list = /^Array<(.+)>$/.exec(type)
  if (list !== null) return { type: 'array', items: typeSchema(list[1] ?? 'any', '') }
  const map = /^\{ \[key: string\]: (.+); \}$/.exec(type)
  if (map !== null) return { type: 'object', additionalProperties: typeSchema(map[1] ?? 'any', '') }
  switch (type) {
    case 'string':
      return { type: 'string' }
    case 'boolean':
      return { type: 'boolean' }
    case 'number':
      return { type: format === 'double' ? 'number' : 'integer' }
    case 'Date':
    case 'V1MicroTime':
      return { type: 'string', format: 'date-time' }
    case 'IntOrString':
      return { 'x-kubernetes-int-or-string': true }
    case 'object':
    case 'any':
      return { 'x-kubernetes-preserve-unknown-fields': true }
    default:
      return builtinSchema(type)
  }
}
