import type { JsonObject, KubeObject } from '../objects.ts'
import { isObject, objectAt, stringAt } from '../objects.ts'
import type { ContainerSpec } from './pod-model.ts'

/** Reads ConfigMaps and Secrets of the pod's namespace; undefined when there is none of that name. */
export interface References {
  configMap(name: string): KubeObject | undefined
  secret(name: string): KubeObject | undefined
}

/** Something the container refers to is missing: it waits with reason CreateContainerConfigError. */
export class MissingReference extends Error {
  constructor(what: string) {
    super(what)
    this.name = 'MissingReference'
  }
}

/**
 * The environment of a container: `envFrom` first, then `env`, where `$(NAME)` stands for an earlier variable.
 * Throws MissingReference when a ConfigMap, Secret or key is missing and not optional.
 */
export function environmentOf(
  container: ContainerSpec,
  pod: KubeObject,
  podIp: string,
  references: References,
): Record<string, string> {
  const env: Record<string, string> = Object.create(null) as Record<string, string>
  for (const source of container.envFrom) {
    const prefix = stringAt(source, 'prefix') ?? ''
    for (const [name, value] of Object.entries(allOf(source, references))) env[`${prefix}${name}`] = value
  }
  for (const entry of container.env) {
    const name = stringAt(entry, 'name') ?? ''
    const from = entry['valueFrom']
    const value = isObject(from)
      ? valueFrom(from, pod, podIp, container, references)
      : expandVariables(stringAt(entry, 'value') ?? '', env)
    if (value !== undefined) env[name] = value
  }
  return env
}

/** Replaces `$(NAME)`; unknown names stay as they are, `$$(NAME)` is an escaped `$(NAME)`. */
export function expandVariables(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$(\$|\(([A-Za-z0-9_.-]+)\))/g, (whole, rest: string, name: string | undefined) => {
    if (rest === '$') return '$'
    return name === undefined ? whole : (env[name] ?? whole)
  })
}

function allOf(source: JsonObject, references: References): Record<string, string> {
  if (isObject(source['configMapRef'])) return configMapTexts(source['configMapRef'], references)
  if (isObject(source['secretRef'])) return secretTexts(source['secretRef'], references)
  return {}
}

function configMapTexts(reference: JsonObject, references: References): Record<string, string> {
  const name = stringAt(reference, 'name') ?? ''
  const found = references.configMap(name)
  if (found === undefined) return missing(reference, `configmap "${name}" not found`)
  return texts(objectAt(found, 'data'))
}

function secretTexts(reference: JsonObject, references: References): Record<string, string> {
  const name = stringAt(reference, 'name') ?? ''
  const found = references.secret(name)
  if (found === undefined) return missing(reference, `secret "${name}" not found`)
  return Object.fromEntries(
    Object.entries(texts(objectAt(found, 'data'))).map(([key, value]) => [
      key,
      Buffer.from(value, 'base64').toString('utf8'),
    ]),
  )
}

function missing(reference: JsonObject, what: string): Record<string, string> {
  if (reference['optional'] === true) return {}
  throw new MissingReference(what)
}

const texts = (data: JsonObject): Record<string, string> =>
  Object.fromEntries(Object.entries(data).map(([key, value]) => [key, String(value)]))

function valueFrom(
  from: JsonObject,
  pod: KubeObject,
  podIp: string,
  container: ContainerSpec,
  references: References,
): string | undefined {
  const field = stringAt(from, 'fieldRef', 'fieldPath')
  if (field !== undefined) return fieldText(pod, field, podIp)
  if (isObject(from['configMapKeyRef']))
    return keyOf(from['configMapKeyRef'], configMapTexts(from['configMapKeyRef'], references), 'configmap')
  if (isObject(from['secretKeyRef']))
    return keyOf(from['secretKeyRef'], secretTexts(from['secretKeyRef'], references), 'secret')
  if (isObject(from['resourceFieldRef'])) return resourceText(pod, container, from['resourceFieldRef'])
  return undefined
}

function keyOf(reference: JsonObject, values: Readonly<Record<string, string>>, kind: string): string | undefined {
  const key = stringAt(reference, 'key') ?? ''
  if (Object.hasOwn(values, key)) return values[key]
  if (reference['optional'] === true) return undefined
  throw new MissingReference(`couldn't find key ${key} in ${kind} ${stringAt(reference, 'name') ?? ''}`)
}

/** The fields of the downward API. */
export function fieldText(pod: KubeObject, path: string, podIp: string): string {
  const keyed = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path)
  if (keyed !== null) return stringAt(pod, 'metadata', keyed[1] ?? '', keyed[2] ?? '') ?? ''
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name
    case 'metadata.namespace':
      return pod.metadata.namespace ?? ''
    case 'metadata.uid':
      return pod.metadata.uid ?? ''
    case 'spec.nodeName':
      return stringAt(pod, 'spec', 'nodeName') ?? ''
    case 'spec.serviceAccountName':
      return stringAt(pod, 'spec', 'serviceAccountName') ?? ''
    case 'status.podIP':
    case 'status.podIPs':
      return podIp
    case 'status.hostIP':
    case 'status.hostIPs':
      return '127.0.0.1'
    default:
      return ''
  }
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  m: 1e-3,
}

/** `limits.memory` and the like as a whole number of the divisor; 0 where the container states no such resource. */
function resourceText(pod: KubeObject, container: ContainerSpec, reference: JsonObject): string {
  const [list = '', name = ''] = (stringAt(reference, 'resource') ?? '').split('.')
  const containers = [...arrayOf(pod, 'containers'), ...arrayOf(pod, 'initContainers')]
  const spec = containers.find(
    (one) => stringAt(one, 'name') === (stringAt(reference, 'containerName') ?? container.name),
  )
  const divisor = quantity(String(reference['divisor'] ?? '1')) || 1
  return String(Math.ceil(quantity(String(objectAt(spec, 'resources', list)[name] ?? '0')) / divisor))
}

function arrayOf(pod: KubeObject, list: string): JsonObject[] {
  const value = objectAt(pod, 'spec')[list]
  return Array.isArray(value) ? value.filter(isObject) : []
}

function quantity(text: string): number {
  const match = /^([0-9.]+)([A-Za-z]*)$/.exec(text)
  return match === null ? 0 : Number(match[1]) * (units[match[2] ?? ''] ?? 1)
}
