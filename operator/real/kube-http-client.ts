import { request } from 'undici'
import { realClock } from '../../runtime/ports/real/clock.ts'
import { KubeError, retryAfterMs } from '../kube/errors.ts'
import { FIELD_MANAGER } from '../kube/field-manager.ts'
import type {
  DeleteOptions,
  Kube,
  MergePatch,
  ObjectList,
  ObjectRef,
  Scope,
  Watch,
  WatchEvent,
  WatchOptions,
} from '../kube/kube.ts'
import type { KubeObject } from '../kube/objects.ts'
import type { ResourceType } from '../kube/resource-type.ts'
import { apiVersionOf } from '../kube/resource-type.ts'
import { ServerClock } from '../kube/server-clock.ts'
import type { KubeConnection } from './kube-config.ts'
import { startWatch } from './kube-watch.ts'

const TIMEOUT_MS = 15_000
const PAGE = 500

/** The Kube port over HTTPS with undici. No retries: whoever calls decides what is safe to repeat. */
export class KubeHttpClient implements Kube {
  readonly #connection: KubeConnection
  readonly #clock = new ServerClock(() => realClock.now())

  constructor(connection: KubeConnection) {
    this.#connection = connection
  }

  now(): number {
    return this.#clock.now()
  }

  async close(): Promise<void> {
    await this.#connection.agent.destroy()
  }

  get<T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef): Promise<T> {
    return this.#call<T>('GET', objectPath(resource, ref))
  }

  /** Pages are read one after another under one resourceVersion. */
  async list<T extends KubeObject>(resource: ResourceType<T>, scope: Scope): Promise<ObjectList<T>> {
    const items: T[] = []
    let continueAt: string | undefined
    for (;;) {
      const page = await this.#call<{ items: T[]; metadata: { resourceVersion: string; continue?: string } }>(
        'GET',
        collectionPath(resource, scope.namespace) +
          query({ limit: String(PAGE), labelSelector: scope.labelSelector, continue: continueAt }),
      )
      // items of a list carry no kind of their own
      for (const item of page.items) items.push({ ...item, apiVersion: apiVersionOf(resource), kind: resource.kind })
      continueAt = page.metadata.continue === '' ? undefined : page.metadata.continue
      if (continueAt === undefined) return { items, resourceVersion: page.metadata.resourceVersion }
    }
  }

  watch<T extends KubeObject>(
    resource: ResourceType<T>,
    options: WatchOptions,
    onEvent: (event: WatchEvent<T>) => void,
  ): Watch {
    const path = collectionPath(resource, options.namespace)
    return startWatch(
      this.#connection,
      (timeoutSeconds) =>
        path +
        query({
          watch: 'true',
          allowWatchBookmarks: 'true',
          timeoutSeconds: String(timeoutSeconds),
          resourceVersion: options.resourceVersion,
          labelSelector: options.labelSelector,
        }),
      onEvent,
    )
  }

  create<T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<T> {
    return this.#call<T>(
      'POST',
      collectionPath(resource, object.metadata.namespace) + query({ fieldManager: FIELD_MANAGER }),
      object,
    )
  }

  async dryRunCreate<T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<void> {
    const path = collectionPath(resource, object.metadata.namespace)
    await this.#call('POST', path + query({ fieldManager: FIELD_MANAGER, dryRun: 'All' }), object)
  }

  patch<T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef, patch: MergePatch): Promise<T> {
    return this.#call<T>(
      'PATCH',
      objectPath(resource, ref) + query({ fieldManager: FIELD_MANAGER }),
      patch,
      'application/merge-patch+json',
    )
  }

  patchStatus<T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef, patch: MergePatch): Promise<T> {
    return this.#call<T>(
      'PATCH',
      `${objectPath(resource, ref)}/status${query({ fieldManager: FIELD_MANAGER })}`,
      patch,
      'application/merge-patch+json',
    )
  }

  apply<T extends KubeObject>(resource: ResourceType<T>, object: T, fieldManager: string): Promise<T> {
    const { namespace = '', name } = object.metadata
    return this.#call<T>(
      'PATCH',
      objectPath(resource, { namespace, name }) + query({ fieldManager, force: 'true' }),
      object,
      'application/apply-patch+yaml',
    )
  }

  async delete<T extends KubeObject>(
    resource: ResourceType<T>,
    ref: ObjectRef,
    options: DeleteOptions = {},
  ): Promise<void> {
    await this.#call('DELETE', objectPath(resource, ref), {
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      propagationPolicy: 'Background',
      ...options,
    })
  }

  async #call<T>(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    contentType = 'application/json',
  ): Promise<T> {
    const what = `${method} ${path.split('?')[0] ?? path}`
    let status: number
    let text: string
    let retryAfter: string | string[] | undefined
    const sentAt = realClock.now()
    try {
      const answer = await request(this.#connection.server + path, {
        method,
        dispatcher: this.#connection.agent,
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: TIMEOUT_MS,
        headers: {
          accept: 'application/json',
          ...(await this.#connection.headers()),
          ...(body === undefined ? {} : { 'content-type': contentType }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      status = answer.statusCode
      retryAfter = answer.headers['retry-after']
      const { date } = answer.headers
      this.#clock.heard(typeof date === 'string' ? date : undefined, sentAt)
      text = await answer.body.text()
    } catch (cause) {
      throw new KubeError(`${what}: the API server at ${this.#connection.server} did not answer`, {
        status: 0,
        reason: 'Unreachable',
        cause,
      })
    }
    if (status >= 200 && status < 300) return parse<T>(text, what)
    throw errorOf(what, status, text, retryAfterMs(retryAfter))
  }
}

function parse<T>(text: string, what: string): T {
  try {
    return JSON.parse(text) as T
  } catch (cause) {
    throw new KubeError(`${what}: the answer is not JSON`, { status: 502, reason: 'BadAnswer', cause })
  }
}

function errorOf(what: string, status: number, text: string, waits: { retryAfterMs?: number }): KubeError {
  let message = text.slice(0, 500)
  let reason = 'Unknown'
  if (text.startsWith('{')) {
    const answer = parse<{ message?: string; reason?: string }>(text, what)
    message = answer.message ?? message
    reason = answer.reason ?? reason
  }
  return new KubeError(`${what}: ${message} (${status})`, {
    status,
    reason,
    words: message,
    ...waits,
  })
}

function collectionPath(resource: ResourceType<KubeObject>, namespace: string | undefined): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`
  return `${root}${namespace === undefined || namespace === '' ? '' : `/namespaces/${encodeURIComponent(namespace)}`}/${resource.plural}`
}

function objectPath(resource: ResourceType<KubeObject>, ref: ObjectRef): string {
  return `${collectionPath(resource, ref.namespace)}/${encodeURIComponent(ref.name)}`
}

function query(parameters: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, value]],
  )
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`
}
