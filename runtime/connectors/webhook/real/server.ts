import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate } from 'node:zlib'
import { MillraceError } from '../../../model/errors.ts'
import { memberOf } from '../../../model/fields.ts'
import { certificateOptions, renewCertificate } from '../../../ports/real/server-certificate.ts'
import type { ListenWebhook, WebhookAnswer, WebhookRequest, WebhookServer, WebhookServerOptions } from '../server.ts'

const KEEP_ALIVE_MS = 60_000
/** Slow and half-open connections are looked for so often. */
const CHECK_MS = 1_000
const MAX_HEADER_BYTES = 16 * 1024

type Handle = (request: WebhookRequest) => Promise<WebhookAnswer>

const UNPACK: ReadonlyMap<string, (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>> = new Map([
  ['gzip', promisify(gunzip)],
  ['deflate', promisify(inflate)],
  ['br', promisify(brotliDecompress)],
])

export const listenWebhook: ListenWebhook = async (options, handle) => {
  const limits = {
    maxHeaderSize: MAX_HEADER_BYTES,
    requestTimeout: options.timeoutMs,
    headersTimeout: options.timeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_MS,
    noDelay: true,
  }
  const answer = (request: IncomingMessage, response: ServerResponse): void => void respond(request, response, handle)
  const { tls } = options
  const server =
    tls === undefined
      ? createServer(limits, answer)
      : createTlsServer({ ...limits, ...(await certificateOptions(tls)) }, answer)
  server.maxConnections = options.maxConnections
  // a connection that is no HTTP is closed by node:http with 400; a failed handshake just ends
  server.on('tlsClientError', () => undefined)
  await listening(server, options)
  if (tls !== undefined) renewCertificate(server as TlsServer, tls)
  return serving(server)
}

function serving(server: Server | TlsServer): WebhookServer {
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
        server.closeIdleConnections()
        // what is being answered has the time of one look; a sender that hears nothing sends again
        setTimeout(() => {
          server.closeAllConnections()
        }, CHECK_MS).unref()
      }),
  }
}

function listening(server: Server | TlsServer, { host, port, shared }: WebhookServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new MillraceError('LISTEN_FAILED', `cannot listen on ${host}:${port}`, {
          domain: 'platform',
          retriable: true,
          cause,
          hint: 'another process may use the port, or the address is not of this machine',
        }),
      )
    })
    server.listen({ host, port, reusePort: shared }, resolve)
  })
}

async function respond(request: IncomingMessage, response: ServerResponse, handle: Handle): Promise<void> {
  const { status, body, retryAfter } = await handle({
    method: request.method ?? 'GET',
    path: (request.url ?? '/').split('?')[0] ?? '/',
    header: (name) => {
      const value = memberOf(request.headers, name)
      return Array.isArray(value) ? value.join(', ') : value
    },
    sender: request.socket.remoteAddress ?? 'unknown',
    bodyBytes: declaredBytes(request),
    body: (maxBytes) => readBody(request, maxBytes),
  })
  if (response.destroyed) return
  const text = `${JSON.stringify(body)}\n`
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    // the rest of a body that nobody reads would be taken for the next request
    ...(request.complete ? {} : { connection: 'close' }),
  })
  response.end(text)
}

function declaredBytes({ headers }: IncomingMessage): number | undefined {
  const length = Number(headers['content-length'] ?? NaN)
  return headers['content-encoding'] === undefined && Number.isSafeInteger(length) ? length : undefined
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const packing = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  const unpack = UNPACK.get(packing)
  if (unpack === undefined && packing !== 'identity') throw unreadable(`content-encoding ${packing} is not known`)
  const bytes = await collect(request, maxBytes)
  if (unpack === undefined) return bytes
  try {
    return await unpack(bytes, { maxOutputLength: maxBytes })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes)
    throw unreadable(`the body is no ${packing}`)
  }
}

function collect(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  return new Promise((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= maxBytes) {
        chunks.push(chunk)
        return
      }
      request.pause()
      reject(tooLarge(maxBytes))
    })
    request.on('end', () => {
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks))
    })
    // every request closes: an error is made for those only that end before their body
    request.on('close', () => {
      if (!request.complete) reject(new MillraceError('BODY_CUT', 'the sender went away', { domain: 'user' }))
    })
    request.on('error', (cause) => {
      reject(new MillraceError('BODY_CUT', 'the sender went away', { domain: 'user', cause }))
    })
  })
}

function tooLarge(maxBytes: number): MillraceError {
  return new MillraceError('BODY_TOO_LARGE', `the body is longer than ${maxBytes} bytes`, { domain: 'user' })
}

function unreadable(message: string): MillraceError {
  return new MillraceError('BODY_UNREADABLE', message, { domain: 'user' })
}
