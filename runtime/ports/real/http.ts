import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { MillraceError } from '../../model/errors.ts'
import type { Http, HttpHandler } from '../http.ts'

const MAX_BODY_BYTES = 4 * 1024 * 1024

/** HTTP/1.1 by node:http. */
export const realHttp: Http = {
  async serve(address, handle) {
    const server = createServer((request, response) => {
      void respond(request, response, handle)
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => {
        reject(
          new MillraceError('LISTEN_FAILED', `cannot serve HTTP on ${address.host}:${address.port}`, {
            domain: 'platform',
            cause,
          }),
        )
      })
      server.listen(address.port, address.host, resolve)
    })
    const bound = server.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
    return {
      address: { host: address.host, port },
      close: () =>
        new Promise((resolve) => {
          server.close(() => {
            resolve()
          })
          server.closeAllConnections()
        }),
    }
  },
}

async function respond(request: IncomingMessage, response: ServerResponse, handle: HttpHandler): Promise<void> {
  try {
    const body = await readBody(request)
    const answer = await handle({
      method: request.method ?? 'GET',
      path: (request.url ?? '/').split('?')[0] ?? '/',
      body,
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
