import { builtinSchema } from './builtin-schemas.ts'
import { validateCel } from './cel.ts'
import type { Json, JsonObject, KubeObject } from './objects.ts'
import { isObject, jsonEqual, objectAt, setAt, valueAt } from './objects.ts'
import { isLabelValue, isQualifiedName } from './names.ts'
import { podSpecErrors } from './pod-validation.ts'
import type { ResourceDefinition } from './resources.ts'
import { apiVersionOf } from './resources.ts'
import type { Schema } from './schema.ts'
import { applyDefaults, pruneUnknown, validateSchema } from './schema.ts'
import type { FieldError } from './status-error.ts'
import { badRequest, invalid } from './status-error.ts'

/** Schema of a whole object: the kind's own with the metadata every kind has. */
const rootSchemas = new WeakMap<ResourceDefinition, Schema>()

export function rootSchema(definition: ResourceDefinition): Schema {
  let schema = rootSchemas.get(definition)
  if (schema === undefined) {
    const text: Schema = { type: 'string' }
    const properties = {
      ...definition.schema.properties,
      apiVersion: text,
      kind: text,
      metadata: builtinSchema('V1ObjectMeta'),
    }
    const { model: _, ...own } = definition.schema
    schema = { ...own, type: 'object', properties }
    rootSchemas.set(definition, schema)
  }
  return schema
}

/** Checks that the body is an object of this kind, and gives it a metadata object when it has none. Throws 400. */
export function asKind(body: Json, definition: ResourceDefinition): KubeObject {
  if (!isObject(body)) throw badRequest('the body of the request must be an object')
  const { apiVersion = apiVersionOf(definition), kind = definition.kind } = body
  if (apiVersion !== apiVersionOf(definition)) {
    throw badRequest(
      `the API version in the data (${String(apiVersion)}) does not match the expected API version (${apiVersionOf(definition)})`,
    )
  }
  if (kind !== definition.kind)
    throw badRequest(`the kind in the data (${String(kind)}) does not match the expected kind (${definition.kind})`)
  return {
    ...body,
    apiVersion: apiVersionOf(definition),
    kind: definition.kind,
    metadata: { name: '', ...objectAt(body, 'metadata') },
  }
}

/** Drops unknown fields in place and returns the texts about them, for an error (Strict) or warnings (Warn). */
export function pruneObject(object: KubeObject, definition: ResourceDefinition): string[] {
  return pruneUnknown(object, rootSchema(definition), '').map((path) => `unknown field "${path}"`)
}

/** Defaults in place: those of the CRD's schema, or the few of the built-in kinds that clients and the node rely on. */
export function defaultObject(object: KubeObject, definition: ResourceDefinition): void {
  if (definition.custom) applyDefaults(object, definition.schema)
  else if (definition.kind === 'Pod') defaultPod(object)
  else if (definition.kind === 'Secret') defaultSecret(object)
  else if (definition.kind === 'Service') defaultService(object)
}

function setDefault(target: JsonObject, name: string, value: Json): void {
  if (target[name] === undefined || target[name] === null) target[name] = value
}

function defaultPod(pod: KubeObject): void {
  const spec = pod['spec']
  if (!isObject(spec)) return
  for (const [name, value] of Object.entries({
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    serviceAccountName: 'default',
    securityContext: {},
    schedulerName: 'default-scheduler',
    enableServiceLinks: true,
  }))
    setDefault(spec, name, value)
  for (const list of ['containers', 'initContainers']) {
    const containers = spec[list]
    if (Array.isArray(containers))
      for (const container of containers) if (isObject(container)) defaultContainer(container)
  }
}

function defaultContainer(container: JsonObject): void {
  for (const [name, value] of Object.entries({
    resources: {},
    imagePullPolicy: 'IfNotPresent',
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
  }))
    setDefault(container, name, value)
  const ports = container['ports']
  if (Array.isArray(ports)) for (const port of ports) if (isObject(port)) setDefault(port, 'protocol', 'TCP')
  for (const name of ['readinessProbe', 'livenessProbe', 'startupProbe']) {
    const probe = container[name]
    if (!isObject(probe)) continue
    for (const [field, value] of Object.entries({
      timeoutSeconds: 1,
      periodSeconds: 10,
      successThreshold: 1,
      failureThreshold: 3,
    }))
      setDefault(probe, field, value)
    const http = probe['httpGet']
    if (isObject(http)) {
      setDefault(http, 'path', '/')
      setDefault(http, 'scheme', 'HTTP')
    }
  }
}

function defaultSecret(secret: KubeObject): void {
  setDefault(secret, 'type', 'Opaque')
  const texts = secret['stringData']
  if (!isObject(texts)) return
  const encoded = Object.entries(texts).map(
    ([name, text]) => [name, Buffer.from(String(text)).toString('base64')] as const,
  )
  secret['data'] = { ...objectAt(secret, 'data'), ...Object.fromEntries(encoded) }
  delete secret['stringData']
}

function defaultService(service: KubeObject): void {
  const spec = service['spec']
  if (!isObject(spec)) return
  setDefault(spec, 'type', 'ClusterIP')
  setDefault(spec, 'sessionAffinity', 'None')
  // There is no proxy here: every Service is what Kubernetes calls headless.
  setDefault(spec, 'clusterIP', 'None')
}

/** What a new object starts with in its status. */
export function initialStatus(definition: ResourceDefinition): JsonObject | undefined {
  if (definition.kind === 'Pod') return { phase: 'Pending', qosClass: 'BestEffort' }
  if (definition.kind === 'Namespace') return { phase: 'Active' }
  return undefined
}

const dns1123Subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

/** Throws 422 with every field that is wrong. `old` is the stored object for transition rules, undefined on create. */
export function validateObject(object: KubeObject, old: KubeObject | undefined, definition: ResourceDefinition): void {
  const errors: FieldError[] = [...validateMetadata(object)]
  const schema = rootSchema(definition)
  errors.push(...validateSchema(withoutManagedFields(object), schema, ''))
  // Rules assume values of the right type, so they run only when the schema holds, as on a real server.
  if (errors.length === 0 && definition.custom) errors.push(...validateCel(object, old, definition.schema, ''))
  if (definition.kind === 'Pod') errors.push(...validatePod(object, old))
  if (definition.kind === 'ControllerRevision') errors.push(...validateRevision(object, old))
  if (errors.length > 0) throw invalid(definition, object.metadata.name, errors)
}

function withoutManagedFields(object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata: metadata as KubeObject['metadata'] }
}

function validateMetadata(object: KubeObject): FieldError[] {
  const { name } = object.metadata
  const errors: FieldError[] = []
  if (name.length > 253 || !dns1123Subdomain.test(name)) {
    errors.push(
      invalidText(
        'metadata.name',
        name,
        'a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, ' +
          "'-' or '.', and must start and end with an alphanumeric character",
      ),
    )
  }
  for (const [key, value] of Object.entries(objectAt(object, 'metadata', 'labels'))) {
    if (!isQualifiedName(key))
      errors.push(
        invalidText('metadata.labels', key, "name part must consist of alphanumeric characters, '-', '_' or '.'"),
      )
    if (typeof value === 'string' && !isLabelValue(value)) {
      errors.push(
        invalidText(
          'metadata.labels',
          value,
          "a valid label must be an empty string or at most 63 alphanumeric characters, '-', '_' or '.'",
        ),
      )
    }
  }
  for (const key of Object.keys(objectAt(object, 'metadata', 'annotations'))) {
    if (!isQualifiedName(key.toLowerCase()))
      errors.push(
        invalidText('metadata.annotations', key, "name part must consist of alphanumeric characters, '-', '_' or '.'"),
      )
  }
  return errors
}

function invalidText(field: string, value: string, detail: string): FieldError {
  return { type: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${detail}` }
}

function validatePod(pod: KubeObject, old: KubeObject | undefined): FieldError[] {
  const containers = valueAt(pod, 'spec', 'containers')
  if (!Array.isArray(containers) || containers.length === 0)
    return [{ type: 'FieldValueRequired', field: 'spec.containers', message: 'Required value' }]
  const errors = old === undefined ? podSpecErrors(pod) : []
  if (old !== undefined && !jsonEqual(fixedPodSpec(pod), fixedPodSpec(old))) {
    errors.push({
      type: 'FieldValueForbidden',
      field: 'spec',
      message:
        'Forbidden: pod updates may not change fields other than ' +
        '`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations`,`spec.terminationGracePeriodSeconds`',
    })
  }
  return errors
}

function validateRevision(revision: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { data = null } = revision
  if (data === null)
    return [{ type: 'FieldValueRequired', field: 'data', message: 'Required value: data is mandatory' }]
  if (old === undefined || jsonEqual(data, old['data'] ?? null)) return []
  return [invalidText('data', JSON.stringify(data), 'field is immutable')]
}

/** The part of a pod's spec that may never change; the node's name may be set once. */
function fixedPodSpec(pod: KubeObject): JsonObject {
  const spec = structuredClone(objectAt(pod, 'spec'))
  for (const name of ['nodeName', 'activeDeadlineSeconds', 'tolerations', 'terminationGracePeriodSeconds'])
    delete spec[name]
  for (const list of ['containers', 'initContainers']) {
    const containers = spec[list]
    if (Array.isArray(containers))
      for (const container of containers) if (isObject(container)) setAt(container, ['image'], undefined)
  }
  return spec
}
