import { connect as connectTcp, type Socket } from 'node:net'
import { request } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Http, HttpServer } from '../../../../runtime/ports/http.ts'
import { encryptedHttp, realHttp } from '../../../../runtime/ports/real/http.ts'
import { MOST_STRANGERS } from '../../../../runtime/ports/strangers.ts'
import { until } from '../../../harness/until.ts'

const BODY_BYTES = 1 << 20
const SERVERS: readonly (readonly [string, Http])[] = [
  ['plain', realHttp],
  ['encrypted', encryptedHttp({ jobUid: 'job', token: 'token' })],
]

/** Answers everybody, and reads the body of who shows a token. */
async function serving(http: Http): Promise<{ server: HttpServer; bodies: string[] }> {
  const bodies: string[] = []
  const server = await http.serve({ host: '127.0.0.1', port: 0 }, async ({ token, body }) => {
    if (token === 'token') bodies.push(await body())
    return { status: 200, contentType: 'text/plain', body: 'ok\n' }
  })
  onTestFinished(() => server.close())
  return { server, bodies }
}

interface Fate {
  isClosed: boolean
  received: string
}

/** Peers that all send the same at once; what becomes of each. */
async function peers({ address }: HttpServer, count: number, text: string): Promise<Fate[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const fate = { isClosed: false, received: '' }
      const socket: Socket = connectTcp(address)
      socket
        .on('error', () => undefined)
        .on('close', () => {
          fate.isClosed = true
        })
        .on('data', (bytes) => {
          fate.received += bytes.toString('latin1')
        })
      onTestFinished(() => {
        socket.destroy()
      })
      await new Promise<void>((resolve) => {
        socket.once('connect', () => resolve()).once('close', () => resolve())
      })
      socket.write(text)
      return fate
    }),
  )
}

describe.each(SERVERS)('an HTTP port, %s', (kind, http) => {
  test('holds 64 of a flood of peers that say nothing, and answers a probe meanwhile', async () => {
    const { server } = await serving(http)
    const fates = await peers(server, 3 * MOST_STRANGERS, '')
    await until('the others are closed', () =>
      fates.filter(({ isClosed }) => isClosed).length >= 2 * MOST_STRANGERS ? true : undefined,
    )
    const { host, port } = server.address
    expect((await request(`http://${host}:${port}/healthz`)).statusCode).toBe(200)
    expect(fates.filter(({ isClosed }) => !isClosed).length).toBeGreaterThan(MOST_STRANGERS / 2)
  })

  test('answers a peer without the token before it has sent its body, and reads none of it', async () => {
    const { server, bodies } = await serving(http)
    const head = `GET /v1/job HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: ${BODY_BYTES}\r\n\r\n`
    const [fate] = await peers(server, 1, `${head}half of it`)
    await until('it is closed', () => (fate?.isClosed === true ? true : undefined))
    expect(fate?.received).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(bodies).toEqual([])
  })

  test('answers one request of a plain connection, and ends it when more are sent behind it', async () => {
    const { server } = await serving(http)
    const [fate] = await peers(server, 1, 'GET /v1/job HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'.repeat(1000))
    await until('it is closed', () => (fate?.isClosed === true ? true : undefined))
    expect(fate?.received.match(/200 OK/g)?.length ?? 0).toBeLessThan(2)
  })

  if (kind === 'plain')
    test('reads the body of a peer that shows the token', async () => {
      const { server, bodies } = await serving(http)
      const { host, port } = server.address
      const body = 'x'.repeat(BODY_BYTES)
      await request(`http://${host}:${port}/`, { method: 'PUT', headers: { authorization: 'Bearer token' }, body })
      expect(bodies).toEqual([body])
    })
})
