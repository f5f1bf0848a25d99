import { createHash } from 'node:crypto'
import { builtinSchema } from './builtin-schemas.ts'
import type { Json, JsonObject } from './objects.ts'
import { isObject } from './objects.ts'
import type { ResourceDefinition, ResourceRegistry } from './resources.ts'
import type { Schema } from './schema.ts'
import { rootSchema } from './strategy.ts'

/** The index of OpenAPI v3: one document per group and version; the hash in the address lets clients cache it. */
export function openApiIndex(registry: ResourceRegistry): JsonObject {
  const paths: JsonObject = {}
  for (const { group, version } of registry.groupVersions()) {
    const path = pathOf(group, version)
    const document = JSON.stringify(openApiDocument(registry, group, version))
    const hash = createHash('sha256').update(document).digest('hex').slice(0, 32)
    paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }
  }
  return { paths }
}

/**
 * OpenAPI v2, which kubectl asks for before it applies a List: without definitions, so that it leaves the checks to the
 * server. An empty message of Protocol Buffers is a document without anything.
 */
export function openApiV2(accept: string | undefined): string {
  if (accept?.includes('protobuf') === true) return ''
  return JSON.stringify({
    swagger: '2.0',
    info: { title: 'Kubernetes', version: 'v1.36.3' },
    paths: {},
    definitions: {},
  })
}

const pathOf = (group: string, version: string): string =>
  group === '' ? `api/${version}` : `apis/${group}/${version}`

/**
 * The document of one group and version: what `kubectl explain` reads, and the `fieldValidation` parameter by which
 * `kubectl apply` learns that the server validates. Undefined when the group and version do not exist.
 */
export function openApiDocument(registry: ResourceRegistry, group: string, version: string): JsonObject | undefined {
  const definitions = registry.all().filter((one) => one.group === group && one.version === version)
  if (definitions.length === 0) return undefined
  const components = new Components()
  const paths: JsonObject = {}
  for (const definition of definitions) {
    components.add(definition)
    Object.assign(paths, pathItems(definition))
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.36.3' },
    paths,
    components: { schemas: components.schemas },
  }
}

function pathItems(definition: ResourceDefinition): JsonObject {
  const base = `/${pathOf(definition.group, definition.version)}${definition.namespaced ? '/namespaces/{namespace}' : ''}/${definition.plural}`
  const groupVersionKind = { group: definition.group, version: definition.version, kind: definition.kind }
  const operation = (action: string, parameters: string[]): JsonObject => ({
    operationId: `${action}${definition.kind}`,
    responses: { '200': { description: 'OK' } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': groupVersionKind,
    parameters: parameters.map((name) => ({ name, in: 'query', schema: { type: 'string', uniqueItems: true } })),
  })
  const writing = ['dryRun', 'fieldManager', 'fieldValidation']
  return {
    [base]: { get: operation('list', ['labelSelector', 'fieldSelector']), post: operation('post', writing) },
    [`${base}/{name}`]: {
      get: operation('get', []),
      put: operation('put', writing),
      patch: operation('patch', [...writing, 'force']),
      delete: operation('delete', ['dryRun']),
    },
  }
}

/** Collects component schemas; built-in models become references, as in the real documents. */
class Components {
  readonly schemas: JsonObject = {}

  add(definition: ResourceDefinition): void {
    const schema = rootSchema(definition)
    const converted = this.#convert(schema)
    if (isObject(converted)) {
      converted['x-kubernetes-group-version-kind'] = [
        { group: definition.group, version: definition.version, kind: definition.kind },
      ]
      this.schemas[`${reversed(definition.group)}.${definition.version}.${definition.kind}`] = converted
    }
  }

  #convert(schema: Schema): Json {
    const result: JsonObject = {}
    for (const [name, value] of Object.entries(schema)) {
      if (name === 'model' || value === undefined) continue
      if (name === 'properties')
        result[name] = Object.fromEntries(
          Object.entries(schema.properties ?? {}).map(([key, member]) => [key, this.#refer(member)]),
        )
      else if (name === 'items' && schema.items !== undefined) result[name] = this.#refer(schema.items)
      else if (name === 'additionalProperties' && typeof schema.additionalProperties === 'object')
        result[name] = this.#refer(schema.additionalProperties)
      else result[name] = value as Json
    }
    return result
  }

  #refer(schema: Schema): Json {
    if (schema.model === undefined) return this.#convert(schema)
    const name = `io.k8s.api.${schema.model}`
    if (this.schemas[name] === undefined) {
      this.schemas[name] = {}
      this.schemas[name] = this.#convert(builtinSchema(schema.model))
    }
    return { allOf: [{ $ref: `#/components/schemas/${name}` }], default: {} }
  }
}

const reversed = (group: string): string => (group === '' ? 'io.k8s.api.core' : group.split('.').toReversed().join('.'))

/** Names the group version of a document address (`api/v1`, `apis/millrace.dev/v1alpha1`), or undefined. */
export function groupVersionOfPath(path: string): { group: string; version: string } | undefined {
  const parts = path.split('/')
  if (parts.length === 2 && parts[0] === 'api') return { group: '', version: parts[1] ?? '' }
  if (parts.length === 3 && parts[0] === 'apis') return { group: parts[1] ?? '', version: parts[2] ?? '' }
  return undefined
}
