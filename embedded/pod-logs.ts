import type { ServerResponse } from 'node:http'
import type { KubeObject } from './objects.ts'
import { arrayAt, stringAt } from './objects.ts'
import { badRequest } from './status-error.ts'

export interface LogOptions {
  container: string
  isFollowing: boolean
  isPrevious: boolean
  hasTimestamps: boolean
  tailLines: number | undefined
  sinceMs: number | undefined
  limitBytes: number | undefined
}

/** Where logs come from: the node. */
export interface LogSource {
  /**
   * Calls `onLine` for what is there, in order, and for what comes while `isFollowing`; then `onEnd` once.
   * Returns what stops it early. Throws 400 when the container has no log yet.
   */
  read(pod: KubeObject, options: LogOptions, onLine: (line: string) => void, onEnd: () => void): () => void
}

/** Answers `pods/NAME/log`. */
export function streamLogs(
  source: LogSource,
  pod: KubeObject,
  query: URLSearchParams,
  response: ServerResponse,
  now: number,
): void {
  const options = logOptionsOf(pod, query, now)
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY
  const begin = (): void => {
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/plain' })
  }
  const stop = source.read(
    pod,
    options,
    (line) => {
      begin()
      if (left <= 0) return
      const bytes = Buffer.from(`${line}\n`).subarray(0, left)
      left -= bytes.length
      response.write(bytes)
    },
    () => {
      begin()
      response.end()
    },
  )
  begin()
  if (options.isFollowing) response.flushHeaders()
  response.on('close', () => stop())
}

function logOptionsOf(pod: KubeObject, query: URLSearchParams, now: number): LogOptions {
  const names = arrayAt(pod, 'spec', 'containers').map((container) => stringAt(container, 'name') ?? '')
  const all = [
    ...names,
    ...arrayAt(pod, 'spec', 'initContainers').map((container) => stringAt(container, 'name') ?? ''),
  ]
  const container = query.get('container') ?? (names.length === 1 ? names[0] : undefined)
  if (container === undefined)
    throw badRequest(
      `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${names.join(' ')}]`,
    )
  if (!all.includes(container)) throw badRequest(`container ${container} is not valid for pod ${pod.metadata.name}`)
  const sinceTime = query.get('sinceTime')
  const sinceSeconds = wholeNumber(query, 'sinceSeconds')
  return {
    container,
    isFollowing: query.get('follow') === 'true',
    isPrevious: query.get('previous') === 'true',
    hasTimestamps: query.get('timestamps') === 'true',
    tailLines: wholeNumber(query, 'tailLines'),
    limitBytes: wholeNumber(query, 'limitBytes'),
    sinceMs:
      sinceSeconds !== undefined ? now - sinceSeconds * 1000 : sinceTime === null ? undefined : Date.parse(sinceTime),
  }
}

function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`${name} must be a whole number, got ${JSON.stringify(text)}`)
  return Number(text)
}
