import { X509Certificate } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { makeCertificate } from '../../../../embedded/credentials.ts'
import type { TlsFiles } from '../../../../runtime/model/tls-files.ts'
import type { SecretFiles } from '../../../../runtime/ports/files.ts'
import { AddressGuard, type Resolve } from '../../../../runtime/ports/real/guarded-lookup.ts'
import { RealHttpClient } from '../../../../runtime/ports/real/http-client.ts'

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

const client = new RealHttpClient()
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
      await client.send({ method: 'POST', url: `${url}/a?b=c`, headers: { 'x-a': '1' }, body: 'ž', signal }),
    ).toMatchObject({ status: 404, body: 'POST /a?b=c 1 ž', headers: { 'content-type': 'text/plain' } })
  })

  test('follows no redirect: who answers is who was asked', async () => {
    const url = await serving((_request, response) => {
      response.writeHead(302, { location: 'http://169.254.169.254/' }).end()
    })
    expect((await client.send({ method: 'GET', url, headers: {}, signal })).status).toBe(302)
  })

  test('gives up a body beyond 4 MB', async () => {
    const url = await serving((_request, response) => {
      response.end(Buffer.alloc(5 << 20))
    })
    await expect(client.send({ method: 'GET', url, headers: {}, signal })).rejects.toMatchObject({
      code: 'HTTP_TOO_LARGE',
    })
  })

  test('takes a larger answer where the caller says so, and gives up a small one that is larger than that', async () => {
    const url = await serving((request, response) => {
      response.end('x'.repeat(request.url === '/' ? 5 << 20 : 11))
    })
    const large = await client.send({ method: 'GET', url, headers: {}, maxBytes: 6 << 20, signal })
    expect(large.body).toHaveLength(5 << 20)
    await expect(
      client.send({ method: 'GET', url: `${url}/small`, headers: {}, maxBytes: 10, signal }),
    ).rejects.toMatchObject({ code: 'HTTP_TOO_LARGE', message: expect.stringContaining('more than 10 bytes') })
  })

  test('sends bytes that are no text as they are', async () => {
    const url = await serving((request, response) => {
      const chunks: Buffer[] = []
      request
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('end', () => {
          response.end(Buffer.concat(chunks).toString('hex'))
        })
    })
    const bytes = Uint8Array.of(0, 255, 128, 10)
    expect((await client.send({ method: 'PUT', url, headers: {}, bytes, signal })).body).toBe('00ff800a')
  })

  test('gives up an answer that is not UTF-8, but not what is wrong in the words of a server', async () => {
    const url = await serving((request, response) => {
      response.writeHead(request.url === '/' ? 200 : 500).end(Buffer.from('{"name":"Müller"}', 'latin1'))
    })
    await expect(client.send({ method: 'GET', url, headers: {}, signal })).rejects.toMatchObject({
      code: 'HTTP_NOT_UTF8',
      domain: 'dependency',
    })
    expect(await client.send({ method: 'GET', url: `${url}/wrong`, headers: {}, signal })).toMatchObject({
      status: 500,
      body: '{"name":"M\uFFFDller"}',
    })
  })

  test('rejects, to be tried again, when nobody answers, and names the host only', async () => {
    const sent = client.send({ method: 'GET', url: 'http://127.0.0.1:1/secret', headers: {}, signal })
    await expect(sent).rejects.toMatchObject({
      code: 'HTTP_FAILED',
      retriable: true,
      message: 'no answer from 127.0.0.1:1',
    })
  })

  test('ends with the reason of its signal', async () => {
    const url = await serving(() => undefined)
    const controller = new AbortController()
    const sent = client.send({ method: 'GET', url, headers: {}, signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(sent).rejects.toThrow('enough')
  })
})

describe('the HTTP client of a job on a cluster', () => {
  const get = (guarded: RealHttpClient, url: string): Promise<unknown> =>
    guarded.send({ method: 'GET', url, headers: {}, signal })
  const resolvesTo =
    (...answers: string[][]): Resolve =>
    (_host, _options, done) => {
      const addresses = (answers.length > 1 ? answers.shift() : answers[0]) ?? []
      done(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      )
    }

  test.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://127.0.0.1:1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://127.0.0.1./',
    'http://0.0.0.0/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[fe80::1]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://\uff11\uff12\uff17.0.0.1/',
    'http://localhost/',
  ])('refuses %s, however it is spelt', async (url) => {
    await expect(get(new RealHttpClient({ guard: new AddressGuard([]) }), url)).rejects.toMatchObject({
      code: 'HTTP_FORBIDDEN',
      retriable: false,
      hint: expect.stringContaining('jobs.httpAddresses') as string,
    })
  })

  test('refuses a name by the address that it has when the connection is made', async () => {
    const url = await serving((_request, response) => {
      response.end('secret')
    })
    const { port } = new URL(url)
    const bad = new RealHttpClient({ guard: new AddressGuard([], resolvesTo(['127.0.0.1'])) })
    await expect(get(bad, `http://harmless.example:${port}/`)).rejects.toMatchObject({
      code: 'HTTP_FORBIDDEN',
      message: expect.stringContaining('harmless.example, which is 127.0.0.1,') as string,
    })
    const mixed = new RealHttpClient({ guard: new AddressGuard([], resolvesTo(['192.0.2.1', '169.254.169.254'])) })
    await expect(get(mixed, 'http://mixed.example/')).rejects.toMatchObject({ code: 'HTTP_FORBIDDEN' })
  })

  test('when a name changes its address between two calls, looks again', async () => {
    const url = await serving((_request, response) => {
      response.writeHead(200, { connection: 'close' }).end('ok')
    })
    const { port } = new URL(url)
    const resolve = resolvesTo(['127.0.0.2'], ['127.0.0.1'])
    const rebound = new RealHttpClient({ guard: new AddressGuard(['127.0.0.2/32'], resolve) })
    await expect(get(rebound, `http://rebound.example:${port}/`)).rejects.toMatchObject({ code: 'HTTP_FAILED' })
    await expect(get(rebound, `http://rebound.example:${port}/`)).rejects.toMatchObject({ code: 'HTTP_FORBIDDEN' })
  })

  test('calls a guarded address that the chart allows', async () => {
    const url = await serving((_request, response) => {
      response.end('ok')
    })
    const allowed = new RealHttpClient({ guard: new AddressGuard(['127.0.0.1/32']) })
    expect(await get(allowed, url)).toMatchObject({ status: 200, body: 'ok' })
    await expect(get(allowed, url.replace('127.0.0.1', '[::1]'))).rejects.toMatchObject({ code: 'HTTP_FORBIDDEN' })
  })
})

describe('the HTTP client over TLS', () => {
  test('trusts the authority and shows the certificate of its files, and reads them again for the next connection', async () => {
    const [server, first, second] = await Promise.all(Array.from({ length: 3 }, () => makeCertificate('127.0.0.1')))
    if (server === undefined || first === undefined || second === undefined) throw new Error('no certificates')
    const shown: string[] = []
    const url = await servingTls(
      createTlsServer(
        { key: server.key, cert: server.certificate, requestCert: true, rejectUnauthorized: false },
        (request, response) => {
          shown.push((request.socket as TLSSocket).getPeerCertificate().fingerprint256)
          response.writeHead(200, { connection: 'close' }).end('ok')
        },
      ),
    )
    const keys: Record<string, string> = {
      '/s/ca': second.certificate,
      '/s/cert': first.certificate,
      '/s/key': first.key,
    }
    const secrets: SecretFiles = {
      read: (path) => {
        const text = keys[path]
        return text === undefined ? Promise.reject(new Error(`no ${path}`)) : Promise.resolve(text)
      },
    }
    const tls = { caFile: '/s/ca', certificateFile: '/s/cert', keyFile: '/s/key' }
    const trusting = new RealHttpClient({ secrets })
    const get = (files: TlsFiles): Promise<unknown> =>
      trusting.send({ method: 'GET', url, headers: {}, signal, tls: files })
    await expect(get(tls)).rejects.toMatchObject({ code: 'HTTP_FAILED' })
    expect(shown).toEqual([])
    keys['/s/ca'] = server.certificate
    expect(await get(tls)).toMatchObject({ status: 200, body: 'ok' })
    keys['/s/cert'] = second.certificate
    keys['/s/key'] = second.key
    expect(await get(tls)).toMatchObject({ status: 200, body: 'ok' })
    expect(shown).toEqual([first, second].map(({ certificate }) => new X509Certificate(certificate).fingerprint256))
    await expect(get({ caFile: '/s/none' })).rejects.toMatchObject({ code: 'CERTIFICATE_UNREADABLE', domain: 'user' })
  })
})

async function servingTls(server: TlsServer): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  cleanups.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
}
