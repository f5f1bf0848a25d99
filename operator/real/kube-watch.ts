import { request } from 'undici'
import { KubeError, retryAfterMs } from '../kube/errors.ts'
import type { Watch, WatchEnd, WatchEvent } from '../kube/kube.ts'
import type { KubeObject } from '../kube/objects.ts'
import type { KubeConnection } from './kube-config.ts'

/** The server is asked to end the watch itself after this time; a real one sends a bookmark every minute. */
const WATCH_SECONDS = 240
const STALL_MS = 90_000
const LINE_LIMIT = 32 * 1024 * 1024

/** One watch request: lines of JSON until it ends. A stream that is silent for long is closed: `closed`. */
export function startWatch<T extends KubeObject>(
  connection: KubeConnection,
  pathFor: (timeoutSeconds: number) => string,
  onEvent: (event: WatchEvent<T>) => void,
): Watch {
  const abort = new AbortController()
  const ended = readEvents<T>(connection, pathFor(WATCH_SECONDS), abort.signal, onEvent).catch(
    (error: unknown): WatchEnd => {
      if (abort.signal.aborted || isStall(error)) return { kind: 'closed' }
      return { kind: 'failed', error }
    },
  )
  return {
    ended,
    stop: () => {
      abort.abort()
    },
  }
}

async function readEvents<T extends KubeObject>(
  connection: KubeConnection,
  path: string,
  signal: AbortSignal,
  onEvent: (event: WatchEvent<T>) => void,
): Promise<WatchEnd> {
  const answer = await request(connection.server + path, {
    method: 'GET',
    dispatcher: connection.agent,
    headers: { accept: 'application/json', ...(await connection.headers()) },
    signal,
    headersTimeout: 30_000,
    bodyTimeout: STALL_MS,
  })
  if (answer.statusCode === 410) {
    await answer.body.dump()
    return { kind: 'gone' }
  }
  if (answer.statusCode !== 200) {
    const text = await answer.body.text()
    throw new KubeError(`watch ${path.split('?')[0] ?? path}: ${text.slice(0, 300)} (${answer.statusCode})`, {
      status: answer.statusCode,
      reason: 'WatchRefused',
      ...retryAfterMs(answer.headers['retry-after']),
    })
  }
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of answer.body) {
    rest += decoder.decode(chunk as Uint8Array, { stream: true })
    if (rest.length > LINE_LIMIT) throw new KubeError('watch: a line is too long', { status: 502, reason: 'BadAnswer' })
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const end = line === '' ? undefined : handle<T>(line, onEvent)
      if (end !== undefined) {
        answer.body.destroy()
        return end
      }
    }
  }
  return { kind: 'closed' }
}

/** Reports one line; returns how the watch ends when it says so. */
function handle<T extends KubeObject>(line: string, onEvent: (event: WatchEvent<T>) => void): WatchEnd | undefined {
  const event = JSON.parse(line) as {
    type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
    object: T & { code?: number; message?: string }
  }
  if (event.type === 'ERROR') {
    const { code = 500, message = 'unknown' } = event.object
    return code === 410
      ? { kind: 'gone' }
      : { kind: 'failed', error: new KubeError(`watch: ${message} (${code})`, { status: code, reason: 'WatchFailed' }) }
  }
  if (event.type === 'BOOKMARK')
    onEvent({ type: 'BOOKMARK', resourceVersion: event.object.metadata.resourceVersion ?? '0' })
  else onEvent({ type: event.type, object: event.object })
  return undefined
}

function isStall(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'UND_ERR_BODY_TIMEOUT'
}
