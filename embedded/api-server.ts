import { mkdir } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { errorReport, MillraceError } from '../runtime/model/errors.ts'
import { makeCertificate, Tokens, writeKubeconfigFile } from './credentials.ts'
import { coreVersions, groupDescription, groupList, resourceList, serverVersion } from './discovery.ts'
import { GarbageCollector } from './garbage-collector.ts'
import { KeptObjects } from './kept-objects.ts'
import { LocalCluster } from './local-cluster.ts'
import type { JsonObject, KubeObject } from './objects.ts'
import type { Reply } from './object-requests.ts'
import { ObjectRequests } from './object-requests.ts'
import { ObjectWriter } from './object-writer.ts'
import { groupVersionOfPath, openApiDocument, openApiIndex, openApiV2 } from './openapi.ts'
import type { LogSource } from './pod-logs.ts'
import { requestInfoOf } from './request-info.ts'
import type { Fault, RequestInterceptor } from './request-interceptor.ts'
import { ResourceRegistry } from './resources.ts'
import { ApiStatusError, forbidden, unknownPath } from './status-error.ts'
import { Storage } from './storage.ts'
import { WriteLog } from './write-log.ts'

export interface ApiServerOptions {
  /** Folder for the kubeconfig; made when it is missing. */
  dir: string
  /** CustomResourceDefinitions, as parsed from their YAML. */
  crds: readonly JsonObject[]
  /** Only loopback addresses are accepted. Default 127.0.0.1. */
  host?: string
  /** 0 (the default) takes a free one. */
  port?: number
  /** Events kept per kind; a watch from before them gets 410. Default 2000. */
  watchHistory?: number
  /** Default 60 s, as in the real server. */
  bookmarkIntervalMs?: number
  /** File that keeps the objects beyond the end of the server. Without it everything is in memory only. */
  keepIn?: string
}

export interface EmbeddedApiServer {
  /** `https://127.0.0.1:PORT` */
  readonly url: string
  readonly kubeconfigPath: string
  /** Token of the administrator, the same as in the kubeconfig. */
  readonly token: string
  /** PEM of the certificate that clients have to trust. */
  readonly certificate: string
  /** Every write in its order. */
  readonly writeLog: WriteLog
  /** The API for callers in this process; the name shows up as user in the write log. */
  local(user: string): LocalCluster
  /** A further token, so that the write log and the interceptor can tell callers apart. */
  issueToken(user: string): string
  writeKubeconfig(path: string, token?: string): Promise<void>
  /** Sets (or with undefined takes away) what may interfere with calls over HTTP. */
  intercept(interceptor: RequestInterceptor | undefined): void
  setLogSource(source: LogSource | undefined): void
  /** Makes every watch from an earlier version fail with 410. */
  compactHistory(): void
  /** Cuts the open watches, as a server that restarts does; clients connect again. */
  dropWatches(): void
  close(): Promise<void>
}

/**
 * Starts a Kubernetes API server in this process, for development and tests only: everything is in memory, and whoever
 * has the token may do everything. It speaks TLS on a loopback address, wants a bearer token and checks the Host
 * header. Throws MillraceError EMBEDDED_NOT_LOOPBACK for any other address, KEPT_OBJECTS_UNREADABLE.
 */
export async function startApiServer(options: ApiServerOptions): Promise<EmbeddedApiServer> {
  const host = options.host ?? '127.0.0.1'
  if (!/^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)) {
    throw new MillraceError(
      'EMBEDDED_NOT_LOOPBACK',
      `the embedded API server starts processes for whoever reaches it, so it listens on 127.x.y.z only, not on ${host}`,
      { domain: 'user', hint: 'leave the host out; to reach it from elsewhere, use a real cluster' },
    )
  }
  await mkdir(options.dir, { recursive: true })
  const certificate = await makeCertificate(host)
  const server = new Server(options)
  const http = createServer({ key: certificate.key, cert: certificate.certificate }, (request, response) => {
    void server.handle(request, response)
  })
  http.on('clientError', (_error, socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen(options.port ?? 0, host, resolve)
  })
  const { port } = http.address() as AddressInfo
  server.hosts = new Set([`${host}:${port}`, `localhost:${port}`])
  const url = `https://${host}:${port}`
  const token = server.tokens.issue('admin')
  const kubeconfigPath = join(options.dir, 'kubeconfig')
  const writeKubeconfig = (path: string, own = token): Promise<void> =>
    writeKubeconfigFile(path, url, certificate.certificate, own)
  await writeKubeconfig(kubeconfigPath)
  return {
    url,
    kubeconfigPath,
    token,
    certificate: certificate.certificate,
    writeLog: server.writeLog,
    writeKubeconfig,
    local: (user) => server.local(user),
    issueToken: (user) => server.tokens.issue(user),
    intercept: (interceptor) => {
      server.interceptor = interceptor
    },
    setLogSource: (source) => {
      server.requests.logSource = source
    },
    compactHistory: () => server.storage.compact(),
    dropWatches: () => server.dropStreams(),
    close: async () => {
      server.close()
      const closed = new Promise<void>((resolve) => {
        http.close(() => resolve())
      })
      http.closeAllConnections()
      await closed
    },
  }
}

class Server {
  readonly writeLog = new WriteLog()
  readonly tokens = new Tokens()
  readonly registry = new ResourceRegistry()
  readonly storage: Storage
  readonly writer: ObjectWriter
  readonly requests: ObjectRequests
  hosts: ReadonlySet<string> = new Set()
  interceptor: RequestInterceptor | undefined
  readonly #collector: GarbageCollector
  readonly #kept: KeptObjects | undefined
  readonly #callCounts = new Map<string, number>()
  readonly #streams = new Set<ServerResponse>()

  constructor(options: ApiServerOptions) {
    this.storage = new Storage(this.writeLog, options.watchHistory)
    this.writer = new ObjectWriter(this.storage, this.registry)
    this.requests = new ObjectRequests(this.storage, this.registry, this.writer, options.bookmarkIntervalMs ?? 60_000)
    this.#collector = new GarbageCollector(this.storage, this.registry, this.writer)
    this.storage.watchAll((key, event) => this.#followCrds(key, event.type, event.object))
    this.#populate(options.crds)
    this.#kept = options.keepIn === undefined ? undefined : new KeptObjects(options.keepIn, this.storage, this.registry)
    this.#kept?.start()
  }

  local(user: string): LocalCluster {
    return new LocalCluster(this.storage, this.registry, this.writer, user)
  }

  close(): void {
    this.#collector.close()
    this.#kept?.close()
    this.dropStreams()
  }

  dropStreams(): void {
    for (const response of this.#streams) response.destroy()
  }

  #populate(crds: readonly JsonObject[]): void {
    const system = this.local('system:apiserver')
    for (const name of ['default', 'kube-system']) {
      system.create('namespaces', '', {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
      })
    }
    for (const crd of crds) system.create('customresourcedefinitions.apiextensions.k8s.io', '', crd)
  }

  #followCrds(key: string, type: string, object: KubeObject): void {
    if (key === '/namespaces' && type === 'ADDED') {
      this.local('system:apiserver').create('serviceaccounts', object.metadata.name, {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'default' },
      })
    }
    if (key !== 'apiextensions.k8s.io/customresourcedefinitions') return
    if (type === 'DELETED') {
      this.registry.removeCustom(object)
      return
    }
    this.registry.addCustom(object)
    // Conditions that `kubectl wait --for=condition=Established crd/x` looks for; written once, then unchanged.
    const now = object.metadata.creationTimestamp ?? ''
    const condition = (name: string): JsonObject => ({
      type: name,
      status: 'True',
      lastTransitionTime: now,
      reason: 'InitialNamesAccepted',
      message: '',
    })
    if (type === 'ADDED') {
      this.local('system:apiserver').update(
        'customresourcedefinitions.apiextensions.k8s.io',
        '',
        object.metadata.name,
        'status',
        (current) => ({ ...current, status: { conditions: [condition('NamesAccepted'), condition('Established')] } }),
      )
    }
  }

  /** Serves one request; never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#handle(request, response)
    } catch (error) {
      const status =
        error instanceof ApiStatusError
          ? error
          : new ApiStatusError(500, 'InternalError', `Internal error occurred: ${errorReport(error).message}`)
      if (response.headersSent) response.destroy()
      else send(response, { code: status.httpCode, body: status.toStatus() })
    }
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.hosts.has(request.headers.host ?? '')) throw forbidden('the Host header names another server')
    const user = this.tokens.userOf(request.headers.authorization)
    if (user === undefined) throw new ApiStatusError(401, 'Unauthorized', 'Unauthorized')
    const url = new URL(request.url ?? '/', 'https://embedded.invalid')
    const fixed = url.pathname === '/openapi/v2' ? openApiV2(request.headers.accept) : this.#fixedPath(url.pathname)
    if (typeof fixed === 'string') {
      response.writeHead(200, { 'content-type': 'text/plain' }).end(fixed)
      return
    }
    if (fixed !== undefined) return send(response, { code: 200, body: fixed })
    const info = requestInfoOf(request.method ?? 'GET', url)
    if (info === undefined) throw unknownPath()
    const index = this.#callCounts.get(user) ?? 0
    this.#callCounts.set(user, index + 1)
    const fault = await this.interceptor?.({ ...info, index, user })
    if (isRefused(fault, response)) return
    this.#streams.add(response)
    response.on('close', () => this.#streams.delete(response))
    const reply = await this.requests.serve({ info, url, user, http: request }, response)
    if (fault?.kind === 'drop-reply') {
      fault.after?.()
      response.destroy()
    } else if (reply !== undefined) send(response, reply)
  }

  /** Answers of paths that hold no objects: discovery, versions, health, OpenAPI. */
  #fixedPath(path: string): JsonObject | string | undefined {
    const [, first = '', second = '', third = '', ...rest] = path.replace(/\/$/, '').split('/')
    switch (first) {
      case 'version':
        return serverVersion
      case 'healthz':
      case 'readyz':
      case 'livez':
        return 'ok'
      case 'api':
        if (second === '') return coreVersions()
        return third === '' ? required(resourceList(this.registry, '', second)) : undefined
      case 'apis':
        if (second === '') return groupList(this.registry)
        if (third === '') return required(groupDescription(this.registry, second))
        return rest.length === 0 ? required(resourceList(this.registry, second, third)) : undefined
      case 'openapi':
        return second === 'v3' ? this.#openApi([third, ...rest].filter((part) => part !== '').join('/')) : undefined
      default:
        return undefined
    }
  }

  #openApi(path: string): JsonObject {
    if (path === '') return openApiIndex(this.registry)
    const groupVersion = groupVersionOfPath(path)
    return required(
      groupVersion === undefined ? undefined : openApiDocument(this.registry, groupVersion.group, groupVersion.version),
    )
  }
}

function required(value: JsonObject | undefined): JsonObject {
  if (value === undefined) throw unknownPath()
  return value
}

/** Carries out a fault that comes before the call; true when nothing is left to do. */
function isRefused(fault: Fault | undefined, response: ServerResponse): boolean {
  if (fault?.kind === 'drop-request') {
    response.destroy()
    return true
  }
  if (fault?.kind !== 'refuse') return false
  if (fault.retryAfterSeconds !== undefined) response.setHeader('retry-after', String(fault.retryAfterSeconds))
  send(response, {
    code: fault.httpCode,
    body: new ApiStatusError(fault.httpCode, fault.reason, fault.message).toStatus(),
  })
  return true
}

function send(response: ServerResponse, reply: Reply): void {
  const text = JSON.stringify(reply.body)
  const warnings = (reply.warnings ?? []).map((warning) => `299 - ${JSON.stringify(warning)}`)
  if (warnings.length > 0) response.setHeader('warning', warnings)
  response.writeHead(reply.code, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-cache, private',
  })
  response.end(text)
}
