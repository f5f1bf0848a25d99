import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createEncryptedServer } from 'node:https'
import { createServer as createTcpServer, type Server as TcpServer, type Socket } from 'node:net'
import { MillraceError } from '../../model/errors.ts'
import type { Http, HttpHandler, HttpServer } from '../http.ts'
import type { NetAddress } from '../net.ts'
import { serverTls, type JobSecret } from './job-tls.ts'
import { StrangerSockets } from './stranger-sockets.ts'

const MAX_BODY_BYTES = 4 * 1024 * 1024

/** The first byte of a TLS handshake (RFC 5246, 6.2.1); no method of HTTP begins with it. */
const HANDSHAKE = 22

/** HTTP/1.1 by node:http. */
export const realHttp: Http = { serve: (address, handle) => serve(plainServer(handle), address) }

/** The same with TLS on the same port: the operator speaks it, probes and Prometheus do not. */
export function encryptedHttp(secret: JobSecret): Http {
  return { serve: (address, handle) => serve(eitherServer(secret, handle), address) }
}

interface Serving {
  listener: TcpServer
  /** Those that have the connections. */
  servers: readonly Pick<Server, 'closeAllConnections'>[]
}

function plainServer(handle: HttpHandler): Serving {
  const strangers = new StrangerSockets()
  const server = oneRequestServer((request, response) => {
    void respond(request, response, handle, strangers)
  })
  server.on('connection', (socket: Socket) => {
    strangers.admit(socket)
  })
  return { listener: server, servers: [server] }
}

function eitherServer(secret: JobSecret, handle: HttpHandler): Serving {
  const strangers = new StrangerSockets()
  const encrypted = createEncryptedServer(serverTls(secret), (request, response) => {
    void respond(request, response, handle, strangers)
  })
  encrypted.on('secureConnection', (socket: Socket) => {
    strangers.forget(socket)
  })
  const plain = oneRequestServer((request, response) => {
    if (request.method === 'GET' && request.headers.authorization === undefined)
      void respond(request, response, handle, strangers)
    else refuse(response)
  })
  const listener = createTcpServer((socket) => {
    strangers.admit(socket)
    socket.once('data', (first: Buffer) => {
      socket.pause()
      socket.unshift(first)
      if (first[0] === HANDSHAKE) {
        // takes what was read from the paused socket by itself
        encrypted.emit('connection', socket)
        return
      }
      plain.emit('connection', socket)
      socket.resume()
    })
  })
  return { listener, servers: [encrypted, plain] }
}

/** What is sent behind the first request is not answered: it would cost as much memory as the sender likes. */
function oneRequestServer(answer: (request: IncomingMessage, response: ServerResponse) => void): Server {
  const asked = new WeakSet<Socket>()
  return createServer((request, response) => {
    if (asked.has(request.socket)) {
      request.socket.destroy()
      return
    }
    asked.add(request.socket)
    response.shouldKeepAlive = false
    answer(request, response)
  })
}

/** The token of a request that came here may have been read on its way. */
function refuse(response: ServerResponse): void {
  const error = { code: 'ENCRYPTION_NEEDED', message: 'what changes a job, or shows its token, has to be encrypted' }
  response
    .writeHead(403, { 'content-type': 'application/json', connection: 'close' })
    .end(`${JSON.stringify({ error })}\n`)
}

async function serve({ listener, servers }: Serving, address: NetAddress): Promise<HttpServer> {
  await new Promise<void>((resolve, reject) => {
    listener.once('error', (cause) => {
      reject(
        new MillraceError('LISTEN_FAILED', `cannot serve HTTP on ${address.host}:${address.port}`, {
          domain: 'platform',
          cause,
        }),
      )
    })
    listener.listen(address.port, address.host, resolve)
  })
  const bound = listener.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
  return {
    address: { host: address.host, port },
    close: () =>
      new Promise((resolve) => {
        listener.close(() => {
          resolve()
        })
        for (const server of servers) server.closeAllConnections()
      }),
  }
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  handle: HttpHandler,
  strangers: StrangerSockets,
): Promise<void> {
  try {
    const answer = await handle({
      method: request.method ?? 'GET',
      path: (request.url ?? '/').split('?')[0] ?? '/',
      body: () => {
        strangers.forget(request.socket)
        return readBody(request)
      },
      host: request.headers.host?.replace(/:\d*$/, ''),
      token: /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1],
    })
    response
      .writeHead(answer.status, { 'content-type': answer.contentType, 'x-content-type-options': 'nosniff' })
      .end(answer.body)
  } catch (error) {
    const tooLarge = error instanceof MillraceError && error.code === 'BODY_TOO_LARGE'
    response
      .writeHead(tooLarge ? 413 : 500, { 'content-type': 'text/plain', connection: 'close' })
      .end(error instanceof Error ? error.message : 'failed')
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    const bytes = chunk as Buffer
    size += bytes.length
    if (size > MAX_BODY_BYTES)
      throw new MillraceError('BODY_TOO_LARGE', `the body is larger than ${MAX_BODY_BYTES} bytes`, { domain: 'user' })
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}
