import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { OutgoingRequest } from '../../../runtime/ports/http-client.ts'
import type { FakeDatabricks } from './fake-databricks.ts'

export interface FakeServer {
  readonly url: string
  close(): Promise<void>
}

/** The fake on a port of this machine, for processes that have no other way to it. */
export async function serve(fake: FakeDatabricks): Promise<FakeServer> {
  const server = createServer((request, response) => {
    answer(fake, request, response).catch(() => {
      // an answer that is lost
      request.socket.destroy()
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  fake.url = url
  return {
    url,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => {
          resolve()
        })
      }),
  }
}

async function answer(fake: FakeDatabricks, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk as Uint8Array)
  const bytes = Buffer.concat(chunks)
  const isFile = request.headers['content-type'] === 'application/octet-stream'
  const { status, body, headers } = await fake.send({
    method: request.method as OutgoingRequest['method'],
    url: `${fake.url}${request.url}`,
    headers: Object.fromEntries(
      Object.entries(request.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
    ),
    signal: new AbortController().signal,
    ...(isFile ? { bytes } : { body: bytes.toString('utf8') }),
  })
  response.writeHead(status, headers)
  response.end(body)
}
