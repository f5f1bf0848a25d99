import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { realHttpClient } from '../../../../runtime/ports/real/http-client.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

async function serving(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  cleanups.push(
    () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
        server.closeAllConnections()
      }),
  )
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const signal = new AbortController().signal

describe('the HTTP client', () => {
  test('sends method, headers and body, and resolves with whatever status comes', async () => {
    const url = await serving((request, response) => {
      let body = ''
      request
        .on('data', (chunk: Buffer) => {
          body += chunk.toString()
        })
        .on('end', () => {
          response
            .writeHead(404, { 'content-type': 'text/plain' })
            .end(`${request.method} ${request.url} ${request.headers['x-a']} ${body}`)
        })
    })
    expect(
      await realHttpClient.send({ method: 'POST', url: `${url}/a?b=c`, headers: { 'x-a': '1' }, body: 'ž', signal }),
    ).toEqual({ status: 404, body: 'POST /a?b=c 1 ž' })
  })

  test('follows no redirect: who answers is who was asked', async () => {
    const url = await serving((_request, response) => {
      response.writeHead(302, { location: 'http://169.254.169.254/' }).end()
    })
    expect((await realHttpClient.send({ method: 'GET', url, headers: {}, signal })).status).toBe(302)
  })

  test('gives up a body beyond 4 MB', async () => {
    const url = await serving((_request, response) => {
      response.end(Buffer.alloc(5 << 20))
    })
    await expect(realHttpClient.send({ method: 'GET', url, headers: {}, signal })).rejects.toMatchObject({
      code: 'HTTP_TOO_LARGE',
    })
  })

  test('rejects, to be tried again, when nobody answers, and names the host only', async () => {
    const sent = realHttpClient.send({ method: 'GET', url: 'http://127.0.0.1:1/secret', headers: {}, signal })
    await expect(sent).rejects.toMatchObject({
      code: 'HTTP_FAILED',
      retriable: true,
      message: 'no answer from 127.0.0.1:1',
    })
  })

  test('ends with the reason of its signal', async () => {
    const url = await serving(() => undefined)
    const controller = new AbortController()
    const sent = realHttpClient.send({ method: 'GET', url, headers: {}, signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(sent).rejects.toThrow('enough')
  })
})
