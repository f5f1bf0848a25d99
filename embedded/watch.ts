import type { ServerResponse } from 'node:http'
import type { JsonObject, KubeObject } from './objects.ts'
import type { ResourceDefinition } from './resources.ts'
import { apiVersionOf } from './resources.ts'
import type { ObjectFilter } from './selectors.ts'
import { ApiStatusError } from './status-error.ts'
import type { Storage, StorageEvent } from './storage.ts'

export interface WatchRequest {
  definition: ResourceDefinition
  namespace: string
  matches: ObjectFilter
  resourceVersion: string
  /** A watch that is sent the present objects first and then a bookmark that ends them (`sendInitialEvents`). */
  start: 'changes' | 'initial-events'
  bookmarkIntervalMs: number | undefined
  timeoutMs: number
  /** How an object travels: itself, its metadata, or a table of one row. */
  present: (object: KubeObject) => JsonObject
}

/**
 * Streams events, one JSON document per line, until the client goes, the time is over or the server closes.
 * A version that is no longer kept is answered on the stream by an ERROR event with status 410, as the real server
 * does.
 */
export function streamWatch(storage: Storage, request: WatchRequest, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' })
  response.flushHeaders()
  const send = (type: string, object: JsonObject): void => {
    response.write(`${JSON.stringify({ type, object })}\n`)
  }
  const timers: NodeJS.Timeout[] = []
  let stop = (): void => undefined
  const release = (): void => {
    for (const timer of timers) clearTimeout(timer)
    stop()
  }
  response.on('close', release)
  try {
    const from = startingVersion(storage, request, send)
    stop = storage.watch(request.definition, from, (event) => deliver(event, request, send))
  } catch (error) {
    if (!(error instanceof ApiStatusError)) throw error
    send('ERROR', error.toStatus())
    response.end()
    return
  }
  const { bookmarkIntervalMs } = request
  if (bookmarkIntervalMs !== undefined)
    timers.push(setInterval(() => send('BOOKMARK', bookmark(storage, request, {})), bookmarkIntervalMs))
  timers.push(
    setTimeout(() => {
      if (bookmarkIntervalMs !== undefined) send('BOOKMARK', bookmark(storage, request, {}))
      release() // now, not on close: an event or a bookmark due in between would be written after the end
      response.end()
    }, request.timeoutMs),
  )
}

type Send = (type: string, object: JsonObject) => void

/** Sends the present objects where the request wants them; returns the version to go on from. */
function startingVersion(storage: Storage, request: WatchRequest, send: Send): number {
  const { resourceVersion, start } = request
  const isFromNow = resourceVersion === '' || resourceVersion === '0'
  if (!isFromNow && start === 'changes') return Number(resourceVersion)
  for (const object of storage.list(request.definition, request.namespace)) {
    if (request.matches(object)) send('ADDED', request.present(object))
  }
  if (start === 'initial-events') send('BOOKMARK', bookmark(storage, request, { 'k8s.io/initial-events-end': 'true' }))
  return storage.resourceVersion
}

function bookmark(storage: Storage, { definition }: WatchRequest, annotations: Record<string, string>): JsonObject {
  return {
    kind: definition.kind,
    apiVersion: apiVersionOf(definition),
    metadata: { resourceVersion: String(storage.resourceVersion), creationTimestamp: null, annotations },
  }
}

/** An object that enters the selection is ADDED to this watcher, one that leaves it DELETED. */
function deliver(event: StorageEvent, request: WatchRequest, send: Send): void {
  if (request.namespace !== '' && event.object.metadata.namespace !== request.namespace) return
  const matched = event.previous !== undefined && request.matches(event.previous)
  const matches = event.type !== 'DELETED' && request.matches(event.object)
  if (matches) send(matched ? 'MODIFIED' : 'ADDED', request.present(event.object))
  else if (matched) send('DELETED', request.present(event.object))
}
