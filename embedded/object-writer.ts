import { randomBytes, randomUUID } from 'node:crypto'
import type { FieldManager } from './managed-fields.ts'
import { applyConfiguration, trackUpdate } from './managed-fields.ts'
import type { Json, JsonObject, KubeObject, ObjectMeta } from './objects.ts'
import { clone, isObject, jsonEqual, numberAt } from './objects.ts'
import type { ResourceDefinition, ResourceRegistry } from './resources.ts'
import { apiVersionOf } from './resources.ts'
import { alreadyExists, badRequest, conflict, forbidden, notFound } from './status-error.ts'
import type { Storage } from './storage.ts'
import { asKind, defaultObject, initialStatus, pruneObject, rootSchema, validateObject } from './strategy.ts'

export interface WriteOptions {
  user: string
  fieldManager: string
  fieldValidation: 'Strict' | 'Warn' | 'Ignore'
  /** `dry-run`: everything is checked and answered, nothing is stored. */
  effect: 'store' | 'dry-run'
}

export interface WriteResult {
  object: KubeObject
  warnings: string[]
  outcome: 'created' | 'updated' | 'unchanged' | 'deleted' | 'deleting'
}

export interface DeleteOptions {
  gracePeriodSeconds?: number
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
  preconditions?: { uid?: string; resourceVersion?: string }
}

/** What an update changes: the whole object without its status, or only the status. */
export type UpdateScope = 'main' | 'status'

/**
 * The rules of writing, for every kind alike: names and uids, defaults, pruning, validation, generation,
 * managed fields, finalizers, graceful deletion. Synchronous from reading to storing, so nothing comes between.
 */
export class ObjectWriter {
  readonly #storage: Storage
  readonly #registry: ResourceRegistry
  readonly #now: () => Date

  constructor(storage: Storage, registry: ResourceRegistry, now: () => Date = () => new Date()) {
    this.#storage = storage
    this.#registry = registry
    this.#now = now
  }

  create(definition: ResourceDefinition, namespace: string, body: JsonObject, options: WriteOptions): WriteResult {
    const object = clone(asKind(body, definition))
    this.#checkNamespace(definition, namespace, object)
    const warnings = unknownFields(object, definition, options)
    this.#newMetadata(object, definition, namespace)
    if (this.#storage.get(definition, object.metadata.namespace ?? '', object.metadata.name) !== undefined) {
      throw alreadyExists(definition, object.metadata.name)
    }
    if (definition.hasStatus) {
      const status = initialStatus(definition)
      if (status === undefined) delete object['status']
      else object['status'] = status
    }
    defaultObject(object, definition)
    validateObject(object, undefined, definition)
    // An apply that creates brings its own list; what the body of a plain create says about managers is not taken.
    object.metadata.managedFields = trackUpdate(
      undefined,
      { ...object, metadata: { ...object.metadata, managedFields: [] } },
      rootSchema(definition),
      this.#manager(definition, options),
    )
    return { object: this.#store(definition, object, options), warnings, outcome: 'created' }
  }

  /**
   * Reads the object, lets `change` make the new one from a copy, checks and stores that.
   * Throws 404, 409 when the new one carries another resourceVersion or uid, 422. An update that changes nothing
   * stores nothing.
   */
  update(
    definition: ResourceDefinition,
    namespace: string,
    name: string,
    scope: UpdateScope,
    change: (current: KubeObject) => JsonObject,
    options: WriteOptions,
  ): WriteResult {
    const current = this.#require(definition, namespace, name)
    const candidate = asKind(change(clone(current)), definition)
    checkIdentity(candidate, current, definition)
    const warnings = unknownFields(candidate, definition, options)
    const next = inScope(candidate, current, definition, scope)
    defaultObject(next, definition)
    validateObject(next, current, definition)
    bumpGeneration(next, current, definition)
    const schema = rootSchema(definition)
    const manager = this.#manager(definition, options, scope === 'status' ? 'status' : undefined)
    next.metadata.managedFields = trackUpdate(current, next, schema, manager)
    return this.#finishUpdate(definition, current, next, warnings, options, scope)
  }

  /** Server-side apply: creates or merges, by the rules of managed fields. Throws 409 on conflicts unless forced. */
  apply(
    definition: ResourceDefinition,
    namespace: string,
    name: string,
    scope: UpdateScope,
    config: JsonObject,
    conflicts: 'refuse' | 'force',
    options: WriteOptions,
  ): WriteResult {
    const wanted = clone(asKind(config, definition))
    wanted.metadata.name = name
    const current = this.#storage.get(definition, namespace, name)
    const manager = this.#manager(definition, options, scope === 'status' ? 'status' : undefined)
    const schema = rootSchema(definition)
    const warnings = unknownFields(wanted, definition, options)
    if (current === undefined) {
      if (scope === 'status') throw notFound(definition, name)
      const merged = applyConfiguration(undefined, wanted, schema, manager, conflicts)
      const created = this.create(definition, namespace, merged, { ...options, effect: 'dry-run' }).object
      created.metadata.managedFields = merged.metadata.managedFields ?? []
      return { object: this.#store(definition, created, options), warnings, outcome: 'created' }
    }
    const merged = applyConfiguration(current, wanted, schema, manager, conflicts)
    checkIdentity(merged, current, definition)
    const next = inScope(merged, current, definition, scope)
    defaultObject(next, definition)
    validateObject(next, current, definition)
    bumpGeneration(next, current, definition)
    return this.#finishUpdate(definition, current, next, warnings, options, scope)
  }

  /** Deletes at once, or marks as being deleted when finalizers or a running pod stand in the way. Throws 404, 409. */
  remove(
    definition: ResourceDefinition,
    namespace: string,
    name: string,
    how: DeleteOptions,
    options: WriteOptions,
  ): WriteResult {
    const current = this.#require(definition, namespace, name)
    checkPreconditions(current, how, definition)
    const grace = gracePeriodOf(current, how, definition)
    const finalizers = withPropagation(current.metadata.finalizers ?? [], how)
    if (definition.kind === 'Namespace' && current.metadata.deletionTimestamp === undefined)
      finalizers.push('kubernetes')
    if (finalizers.length === 0 && grace === 0) {
      const last = options.effect === 'dry-run' ? current : this.#storage.remove(definition, current, originOf(options))
      return { object: last, warnings: [], outcome: 'deleted' }
    }
    const marked = this.#markDeleted(current, finalizers, grace, definition)
    if (jsonEqual(marked, current)) return { object: current, warnings: [], outcome: 'deleting' }
    return { object: this.#store(definition, marked, options), warnings: [], outcome: 'deleting' }
  }

  #markDeleted(current: KubeObject, finalizers: string[], grace: number, definition: ResourceDefinition): KubeObject {
    const isRepeated = current.metadata.deletionTimestamp !== undefined
    const earlier = current.metadata.deletionGracePeriodSeconds ?? 0
    const deadline = new Date(this.#now().getTime() + grace * 1000)
    const metadata: ObjectMeta = { ...current.metadata, finalizers: [...new Set(finalizers)] }
    if (!isRepeated || grace < earlier) {
      metadata.deletionTimestamp = timestamp(deadline)
      metadata.deletionGracePeriodSeconds = grace
      if (!isRepeated) metadata.generation = (current.metadata.generation ?? 0) + 1
    }
    if (metadata.finalizers?.length === 0) delete metadata.finalizers
    const status = definition.kind === 'Namespace' ? { status: { phase: 'Terminating' } } : {}
    return { ...current, ...status, metadata }
  }

  #finishUpdate(
    definition: ResourceDefinition,
    current: KubeObject,
    next: KubeObject,
    warnings: string[],
    options: WriteOptions,
    scope: UpdateScope,
  ): WriteResult {
    const isEnding = next.metadata.deletionTimestamp !== undefined && (next.metadata.finalizers ?? []).length === 0
    if (isEnding && (next.metadata.deletionGracePeriodSeconds ?? 0) === 0) {
      if (options.effect === 'dry-run') return { object: next, warnings, outcome: 'deleted' }
      return { object: this.#storage.remove(definition, next, originOf(options)), warnings, outcome: 'deleted' }
    }
    if (jsonEqual(ignoringManagers(next), ignoringManagers(current)) && sameManagers(next, current)) {
      return { object: current, warnings, outcome: 'unchanged' }
    }
    return {
      object: this.#store(definition, next, options, scope === 'status' ? 'status' : undefined),
      warnings,
      outcome: 'updated',
    }
  }

  #require(definition: ResourceDefinition, namespace: string, name: string): KubeObject {
    const current = this.#storage.get(definition, namespace, name)
    if (current === undefined) throw notFound(definition, name)
    return current
  }

  #store(definition: ResourceDefinition, object: KubeObject, options: WriteOptions, subresource?: string): KubeObject {
    if (options.effect === 'dry-run') return object
    return this.#storage.put(definition, inKeyOrder(object), {
      ...originOf(options),
      ...(subresource === undefined ? {} : { subresource }),
    })
  }

  #manager(definition: ResourceDefinition, options: WriteOptions, subresource?: string): FieldManager {
    return {
      name: options.fieldManager,
      apiVersion: apiVersionOf(definition),
      now: timestamp(this.#now()),
      ...(subresource === undefined ? {} : { subresource }),
    }
  }

  #checkNamespace(definition: ResourceDefinition, namespace: string, object: KubeObject): void {
    const own = object.metadata.namespace
    if (own !== undefined && own !== '' && own !== namespace) {
      throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`)
    }
    if (!definition.namespaced) return
    const namespaces = this.#registry.find('', 'v1', 'namespaces')
    if (namespaces === undefined) return
    const found = this.#storage.get(namespaces, '', namespace)
    if (found === undefined) throw notFound(namespaces, namespace)
    if (found.metadata.deletionTimestamp !== undefined) {
      throw forbidden(
        `${definition.plural} "${object.metadata.name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
      )
    }
  }

  #newMetadata(object: KubeObject, definition: ResourceDefinition, namespace: string): void {
    const { generateName, name } = object.metadata
    const {
      uid: _uid,
      resourceVersion,
      deletionTimestamp: _deleted,
      deletionGracePeriodSeconds: _grace,
      ...given
    } = object.metadata
    if (resourceVersion !== undefined && resourceVersion !== '')
      throw badRequest('resourceVersion should not be set on objects to be created')
    const metadata: ObjectMeta = {
      ...given,
      name:
        name === '' && generateName !== undefined
          ? `${generateName}${randomBytes(3).toString('hex').slice(0, 5)}`
          : name,
      uid: randomUUID(),
      creationTimestamp: timestamp(this.#now()),
      ...(hasGeneration(object) ? { generation: 1 } : {}),
    }
    if (definition.namespaced) metadata.namespace = namespace
    else delete metadata.namespace
    if (metadata.name === '') throw badRequest('name or generateName is required')
    object.metadata = metadata
  }
}

/** A real API server writes the keys of every map in order; whoever reads an object back must not see another. */
function inKeyOrder(object: KubeObject): KubeObject {
  return sortedKeys(object) as KubeObject
}

function sortedKeys(value: Json | undefined): Json | undefined {
  if (Array.isArray(value)) return value.map((item) => sortedKeys(item) as Json)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sortedKeys(item)]),
  )
}

/** Times of the API have no fractions of a second. */
export function timestamp(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z')
}

const originOf = (options: WriteOptions): { user: string; fieldManager: string } => ({
  user: options.user,
  fieldManager: options.fieldManager,
})

const hasGeneration = (object: KubeObject): boolean => isObject(object['spec'])

function unknownFields(object: KubeObject, definition: ResourceDefinition, options: WriteOptions): string[] {
  const texts = pruneObject(object, definition)
  if (options.fieldValidation === 'Strict' && texts.length > 0) {
    throw badRequest(
      `${definition.kind} in version "${definition.version}" cannot be handled as a ${definition.kind}: ` +
        `strict decoding error: ${texts.join(', ')}`,
    )
  }
  return options.fieldValidation === 'Warn' ? texts : []
}

function checkIdentity(candidate: KubeObject, current: KubeObject, definition: ResourceDefinition): void {
  const { name, namespace, uid, resourceVersion } = candidate.metadata
  if (name !== '' && name !== current.metadata.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${current.metadata.name})`)
  }
  if (namespace !== undefined && namespace !== '' && namespace !== current.metadata.namespace) {
    throw badRequest('the namespace of the object does not match the namespace on the request')
  }
  if (uid !== undefined && uid !== current.metadata.uid) {
    throw conflict(
      definition,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`,
    )
  }
  if (resourceVersion !== undefined && resourceVersion !== '' && resourceVersion !== current.metadata.resourceVersion)
    throw conflict(definition, current.metadata.name)
}

/** Takes over only what this subresource may change, and never what the system keeps in metadata. */
function inScope(
  candidate: KubeObject,
  current: KubeObject,
  definition: ResourceDefinition,
  scope: UpdateScope,
): KubeObject {
  if (scope === 'status') {
    const metadata = {
      ...current.metadata,
      managedFields: candidate.metadata.managedFields ?? current.metadata.managedFields ?? [],
    }
    const next: KubeObject = { ...clone(current), metadata: clone(metadata) }
    if (candidate['status'] === undefined) delete next['status']
    else next['status'] = clone(candidate['status'])
    return next
  }
  const next = clone(candidate)
  const {
    uid,
    creationTimestamp,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    generation,
    resourceVersion,
    name,
    namespace,
  } = current.metadata
  const kept = {
    uid,
    creationTimestamp,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    generation,
    resourceVersion,
    namespace,
  }
  next.metadata = { ...next.metadata, name }
  for (const [field, value] of Object.entries(kept)) {
    if (value === undefined) delete next.metadata[field]
    else next.metadata[field] = value
  }
  if (next.metadata.managedFields === undefined)
    next.metadata.managedFields = clone(current.metadata.managedFields ?? [])
  if (definition.hasStatus) {
    if (current['status'] === undefined) delete next['status']
    else next['status'] = clone(current['status'])
  }
  return next
}

/**
 * The generation counts changes of what the user wants; status (where it is a subresource) and metadata do not
 * count.
 */
function bumpGeneration(next: KubeObject, current: KubeObject, definition: ResourceDefinition): void {
  const { generation } = current.metadata
  if (generation === undefined) return
  const content = ({ metadata: _metadata, status, ...rest }: KubeObject): JsonObject =>
    definition.hasStatus ? rest : { ...rest, status }
  next.metadata.generation = jsonEqual(content(next), content(current)) ? generation : generation + 1
}

function ignoringManagers(object: KubeObject): JsonObject {
  const { managedFields: _, generation: _generation, ...metadata } = object.metadata
  return { ...object, metadata }
}

/** Whether the same managers own the same fields; the time of the entry alone is no change. */
function sameManagers(a: KubeObject, b: KubeObject): boolean {
  const strip = (object: KubeObject): JsonObject[] =>
    (object.metadata.managedFields ?? []).map(({ time: _, ...entry }) => entry)
  return jsonEqual(strip(a), strip(b))
}

function checkPreconditions(current: KubeObject, how: DeleteOptions, definition: ResourceDefinition): void {
  const { uid, resourceVersion } = how.preconditions ?? {}
  if (uid !== undefined && uid !== current.metadata.uid) {
    throw conflict(
      definition,
      current.metadata.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`,
    )
  }
  if (resourceVersion !== undefined && resourceVersion !== current.metadata.resourceVersion) {
    throw conflict(
      definition,
      current.metadata.name,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${current.metadata.resourceVersion}`,
    )
  }
}

/** Only pods end gracefully: the node stops the processes and then deletes with a grace period of 0. */
function gracePeriodOf(current: KubeObject, how: DeleteOptions, definition: ResourceDefinition): number {
  if (definition.kind !== 'Pod') return 0
  const phase = isObject(current['status']) ? current['status']['phase'] : undefined
  const isBound =
    isObject(current['spec']) && typeof current['spec']['nodeName'] === 'string' && current['spec']['nodeName'] !== ''
  if (!isBound || phase === 'Succeeded' || phase === 'Failed') return 0
  return (
    how.gracePeriodSeconds ??
    current.metadata.deletionGracePeriodSeconds ??
    numberAt(current, 'spec', 'terminationGracePeriodSeconds') ??
    30
  )
}

function withPropagation(finalizers: readonly string[], how: DeleteOptions): string[] {
  const rest = finalizers.filter((name) => name !== 'foregroundDeletion' && name !== 'orphan')
  if (how.propagationPolicy === 'Foreground') return [...rest, 'foregroundDeletion']
  if (how.propagationPolicy === 'Orphan') return [...rest, 'orphan']
  return [...finalizers]
}
