import type { IncomingMessage, ServerResponse } from 'node:http'
import { applyJsonPatch, applyMergePatch } from './json-patch.ts'
import type { Json, JsonObject, KubeObject } from './objects.ts'
import { isObject, numberAt, objectAt, stringAt } from './objects.ts'
import type { DeleteOptions, ObjectWriter, UpdateScope, WriteOptions, WriteResult } from './object-writer.ts'
import type { LogSource } from './pod-logs.ts'
import { streamLogs } from './pod-logs.ts'
import { mediaTypeOf, readBody } from './request-body.ts'
import type { RequestInfo } from './request-info.ts'
import type { ResourceDefinition, ResourceRegistry } from './resources.ts'
import { apiVersionOf } from './resources.ts'
import { answerReview } from './reviews.ts'
import { scaleOf, withScale } from './scale.ts'
import { selectionOf } from './selectors.ts'
import { ApiStatusError, badRequest, methodNotAllowed, notFound, unknownPath } from './status-error.ts'
import type { Storage } from './storage.ts'
import { applyStrategicMergePatch } from './strategic-merge-patch.ts'
import { rootSchema } from './strategy.ts'
import type { RowObject } from './table.ts'
import { metadataOnly, tableOf } from './table.ts'
import { streamWatch } from './watch.ts'

export interface Reply {
  code: number
  body: JsonObject
  warnings?: readonly string[]
}

/** One request for objects, authenticated and parsed. */
export interface ObjectRequest {
  info: RequestInfo
  url: URL
  user: string
  http: IncomingMessage
}

/** How the client wants objects: as they are, as a table, or only their metadata. */
type Presentation = 'object' | 'table' | 'metadata'

/** Serves everything under /api/v1 and /apis/GROUP/VERSION. Errors are thrown as ApiStatusError. */
export class ObjectRequests {
  readonly #storage: Storage
  readonly #registry: ResourceRegistry
  readonly #writer: ObjectWriter
  readonly #bookmarkIntervalMs: number
  logSource: LogSource | undefined

  constructor(storage: Storage, registry: ResourceRegistry, writer: ObjectWriter, bookmarkIntervalMs: number) {
    this.#storage = storage
    this.#registry = registry
    this.#writer = writer
    this.#bookmarkIntervalMs = bookmarkIntervalMs
  }

  /** Answers with a reply to send, or streams on the response itself and returns undefined. */
  async serve(request: ObjectRequest, response: ServerResponse): Promise<Reply | undefined> {
    const { info } = request
    const isWriting = info.verb !== 'get' && info.verb !== 'list' && info.verb !== 'watch'
    const body = isWriting ? await readBody(request.http) : null
    const review = answerReview(info, body, request.user)
    if (review !== undefined) return { code: 201, body: review }
    const definition = this.#registry.find(info.group, info.version, info.plural)
    if (definition === undefined) throw unknownPath()
    if (info.namespace === '' && definition.namespaced && info.verb === 'create') throw methodNotAllowed()
    switch (info.verb) {
      case 'list':
        return this.#list(definition, request)
      case 'watch':
        return this.#watch(definition, request, response)
      case 'get':
        return this.#get(definition, request, response)
      case 'create':
        return this.#create(definition, request, body)
      case 'update':
        return this.#update(definition, request, body)
      case 'patch':
        return this.#patch(definition, request, body)
      case 'delete':
        return this.#delete(definition, request, body)
      case 'deletecollection':
        return this.#deleteCollection(definition, request, body)
    }
  }

  #list(definition: ResourceDefinition, { info, url, http }: ObjectRequest): Reply {
    const matches = selectionOf(url.searchParams)
    const items = this.#storage.list(definition, info.namespace).filter(matches)
    const metadata = { resourceVersion: String(this.#storage.resourceVersion) }
    switch (presentationOf(http)) {
      case 'table':
        return { code: 200, body: tableOf(items, definition, rowObjectOf(url), metadata, Date.now()) }
      case 'metadata':
        return {
          code: 200,
          body: {
            kind: 'PartialObjectMetadataList',
            apiVersion: 'meta.k8s.io/v1',
            metadata,
            items: items.map(metadataOnly),
          },
        }
      case 'object':
        return { code: 200, body: { kind: definition.listKind, apiVersion: apiVersionOf(definition), metadata, items } }
    }
  }

  #watch(definition: ResourceDefinition, { info, url, http }: ObjectRequest, response: ServerResponse): undefined {
    const query = url.searchParams
    const byName = info.name === '' ? undefined : info.name
    const selected = selectionOf(query)
    const presentation = presentationOf(http)
    const timeoutSeconds = Number(query.get('timeoutSeconds') ?? 0)
    const version = query.get('resourceVersion') ?? ''
    if (!/^\d*$/.test(version))
      throw badRequest(`Invalid value: ${JSON.stringify(version)}: resourceVersion must be a whole number`)
    streamWatch(
      this.#storage,
      {
        definition,
        namespace: info.namespace,
        resourceVersion: version,
        matches: (object) => (byName === undefined || object.metadata.name === byName) && selected(object),
        start: query.get('sendInitialEvents') === 'true' ? 'initial-events' : 'changes',
        bookmarkIntervalMs: query.get('allowWatchBookmarks') === 'true' ? this.#bookmarkIntervalMs : undefined,
        timeoutMs: (timeoutSeconds > 0 ? Math.min(timeoutSeconds, 86_400) : 1800) * 1000,
        present: (object) => this.#present(object, definition, presentation, rowObjectOf(url)),
      },
      response,
    )
    return undefined
  }

  #get(
    definition: ResourceDefinition,
    { info, url, http }: ObjectRequest,
    response: ServerResponse,
  ): Reply | undefined {
    const object = this.#storage.get(definition, info.namespace, info.name)
    if (object === undefined) throw notFound(definition, info.name)
    switch (info.subresource) {
      case '':
        return { code: 200, body: this.#present(object, definition, presentationOf(http), rowObjectOf(url)) }
      case 'status':
        return { code: 200, body: object }
      case 'scale':
        return { code: 200, body: scaleOf(object, scalePaths(definition)) }
      case 'log':
        if (definition.kind !== 'Pod' || this.logSource === undefined) throw unknownPath()
        streamLogs(this.logSource, object, url.searchParams, response, Date.now())
        return undefined
      case 'exec':
      case 'attach':
      case 'portforward':
        throw methodNotAllowed(
          `${info.subresource} is not served here: pods are processes of this machine, reach them at their status.podIP`,
        )
      default:
        throw unknownPath()
    }
  }

  #create(definition: ResourceDefinition, request: ObjectRequest, body: Json): Reply {
    if (request.info.subresource !== '' || request.info.name !== '') throw methodNotAllowed()
    if (!isObject(body)) throw badRequest('the body of the request must be an object')
    const result = this.#writer.create(definition, request.info.namespace, body, writeOptionsOf(request))
    return this.#reply(result, definition, request, 201)
  }

  #update(definition: ResourceDefinition, request: ObjectRequest, body: Json): Reply {
    if (!isObject(body)) throw badRequest('the body of the request must be an object')
    const { namespace, name } = request.info
    if (request.info.subresource === 'scale') return this.#changeScale(definition, request, () => body)
    const result = this.#writer.update(
      definition,
      namespace,
      name,
      scopeOf(request.info, definition),
      () => body,
      writeOptionsOf(request),
    )
    return this.#reply(result, definition, request, 200)
  }

  #patch(definition: ResourceDefinition, request: ObjectRequest, body: Json): Reply {
    const { namespace, name, subresource } = request.info
    const type = mediaTypeOf(request.http)
    const options = writeOptionsOf(request)
    if (type.startsWith('application/apply-patch')) {
      if (subresource === 'scale' || !isObject(body))
        throw badRequest('apply needs an object and is not served for scale')
      if (request.url.searchParams.get('fieldManager') === null) {
        throw badRequest(
          'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
        )
      }
      const conflicts = request.url.searchParams.get('force') === 'true' ? 'force' : 'refuse'
      const result = this.#writer.apply(
        definition,
        namespace,
        name,
        scopeOf(request.info, definition),
        body,
        conflicts,
        options,
      )
      return this.#reply(result, definition, request, result.outcome === 'created' ? 201 : 200)
    }
    const change = (current: JsonObject): Json => applyPatch(type, current, body, definition)
    if (subresource === 'scale') return this.#changeScale(definition, request, change)
    const result = this.#writer.update(
      definition,
      namespace,
      name,
      scopeOf(request.info, definition),
      (current) => requireObject(change(current)),
      options,
    )
    return this.#reply(result, definition, request, 200)
  }

  #changeScale(definition: ResourceDefinition, request: ObjectRequest, change: (scale: JsonObject) => Json): Reply {
    const paths = scalePaths(definition)
    const { namespace, name } = request.info
    const result = this.#writer.update(
      definition,
      namespace,
      name,
      'main',
      (current) => {
        const before = scaleOf(current as KubeObject, paths)
        return withScale(current as KubeObject, requireObject(change(before)), paths)
      },
      writeOptionsOf(request),
    )
    return { code: 200, body: scaleOf(result.object, paths), warnings: result.warnings }
  }

  #delete(definition: ResourceDefinition, request: ObjectRequest, body: Json): Reply {
    if (request.info.subresource !== '') throw methodNotAllowed()
    const result = this.#writer.remove(
      definition,
      request.info.namespace,
      request.info.name,
      deleteOptionsOf(body, request.url),
      writeOptionsOf(request),
    )
    if (result.outcome === 'deleting' || definition.kind === 'Pod') return { code: 200, body: result.object }
    const { name, uid } = result.object.metadata
    return {
      code: 200,
      body: {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Success',
        details: { name, group: definition.group, kind: definition.plural, uid },
      },
    }
  }

  #deleteCollection(definition: ResourceDefinition, request: ObjectRequest, body: Json): Reply {
    const how = deleteOptionsOf(body, request.url)
    const options = writeOptionsOf(request)
    const items = this.#storage.list(definition, request.info.namespace).filter(selectionOf(request.url.searchParams))
    for (const item of items)
      this.#writer.remove(definition, item.metadata.namespace ?? '', item.metadata.name, how, options)
    return {
      code: 200,
      body: {
        kind: definition.listKind,
        apiVersion: apiVersionOf(definition),
        metadata: { resourceVersion: String(this.#storage.resourceVersion) },
        items,
      },
    }
  }

  #reply(result: WriteResult, definition: ResourceDefinition, request: ObjectRequest, code: number): Reply {
    return {
      code,
      body: this.#present(result.object, definition, presentationOf(request.http), rowObjectOf(request.url)),
      warnings: result.warnings,
    }
  }

  #present(
    object: KubeObject,
    definition: ResourceDefinition,
    presentation: Presentation,
    rowObject: RowObject,
  ): JsonObject {
    switch (presentation) {
      case 'object':
        return object
      case 'metadata':
        return metadataOnly(object)
      case 'table':
        return tableOf(
          [object],
          definition,
          rowObject,
          { resourceVersion: object.metadata.resourceVersion },
          Date.now(),
        )
    }
  }
}

function presentationOf(http: IncomingMessage): Presentation {
  const accepted = http.headers.accept ?? ''
  if (/as=Table;.*v=v1\b|as=Table/.test(accepted)) return 'table'
  return accepted.includes('as=PartialObjectMetadata') ? 'metadata' : 'object'
}

function rowObjectOf(url: URL): RowObject {
  const wanted = url.searchParams.get('includeObject')
  return wanted === 'None' || wanted === 'Object' ? wanted : 'Metadata'
}

function scopeOf(info: RequestInfo, definition: ResourceDefinition): UpdateScope {
  if (info.subresource === '' || info.subresource === 'finalize') return 'main'
  if (info.subresource === 'status' && definition.hasStatus) return 'status'
  throw unknownPath()
}

function scalePaths(definition: ResourceDefinition): NonNullable<ResourceDefinition['scale']> {
  if (definition.scale === undefined) throw unknownPath()
  return definition.scale
}

function requireObject(value: Json): JsonObject {
  if (!isObject(value)) throw badRequest('the patched value is not an object')
  return value
}

function applyPatch(type: string, current: JsonObject, patch: Json, definition: ResourceDefinition): Json {
  switch (type) {
    case 'application/merge-patch+json':
      return applyMergePatch(current, patch)
    case 'application/json-patch+json':
      return applyJsonPatch(current, patch)
    case 'application/strategic-merge-patch+json':
      // Scale is always merged plainly; custom kinds refuse strategic patches, which is how kubectl learns not to
      // send them.
      if (current['kind'] === 'Scale') return applyMergePatch(current, patch)
      if (!definition.custom) return applyStrategicMergePatch(current, patch, rootSchema(definition))
      throw unsupportedPatch(type)
    default:
      throw unsupportedPatch(type)
  }
}

function unsupportedPatch(type: string): ApiStatusError {
  return new ApiStatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format (${type}) - accepted media types include: ` +
      'application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
  )
}

function writeOptionsOf({ url, user, http, info }: ObjectRequest): WriteOptions {
  const query = url.searchParams
  const validation = query.get('fieldValidation')
  const dryRun = query.getAll('dryRun')
  if (dryRun.some((value) => value !== 'All'))
    throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(dryRun)}: supported values: "All"`)
  const agent = (http.headers['user-agent'] ?? 'unknown').split('/')[0] ?? 'unknown'
  return {
    user,
    fieldManager: query.get('fieldManager') ?? agent,
    effect: dryRun.length > 0 ? 'dry-run' : 'store',
    // Status is written by controllers, which rely on pruning without a word; the real default is Warn everywhere.
    fieldValidation:
      validation === 'Strict' || validation === 'Ignore'
        ? validation
        : info.subresource === 'status' && validation === null
          ? 'Ignore'
          : 'Warn',
  }
}

function deleteOptionsOf(body: Json, url: URL): DeleteOptions {
  const options = isObject(body) ? body : {}
  const fromQuery = url.searchParams.get('gracePeriodSeconds')
  const grace = numberAt(options, 'gracePeriodSeconds') ?? (fromQuery === null ? undefined : Number(fromQuery))
  const policy = stringAt(options, 'propagationPolicy') ?? url.searchParams.get('propagationPolicy')
  const { uid, resourceVersion } = objectAt(options, 'preconditions')
  return {
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(policy === 'Background' || policy === 'Foreground' || policy === 'Orphan' ? { propagationPolicy: policy } : {}),
    preconditions: {
      ...(typeof uid === 'string' ? { uid } : {}),
      ...(typeof resourceVersion === 'string' ? { resourceVersion } : {}),
    },
  }
}
