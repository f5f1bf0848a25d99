import { afterEach, describe, expect, test } from 'vitest'
import { request } from 'undici'
import type { JobEndpoint } from '../../../operator/job-client.ts'
import { JobHttpClient } from '../../../operator/real/job-http-client.ts'
import type { HttpHandler } from '../../../runtime/ports/http.ts'
import { encryptedHttp } from '../../../runtime/ports/real/http.ts'
import { runningReport } from '../../harness/running-report.ts'

const SECRET = { jobUid: 'job', token: 'token' }
const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

async function coordinator(): Promise<{ at: JobEndpoint; url: string; asked: string[] }> {
  const asked: string[] = []
  const handle: HttpHandler = ({ method, path, token }) => {
    asked.push(`${method} ${path} ${token ?? 'without token'}`)
    return Promise.resolve({ status: 200, contentType: 'application/json', body: JSON.stringify(runningReport()) })
  }
  const server = await encryptedHttp(SECRET).serve({ host: '127.0.0.1', port: 0 }, handle)
  cleanups.push(() => server.close())
  const { host, port } = server.address
  return { at: { host, port, ...SECRET, encryption: 'on' }, url: `http://${host}:${port}`, asked }
}

function client(): JobHttpClient {
  const made = new JobHttpClient()
  cleanups.push(() => made.close())
  return made
}

describe('a coordinator whose job encrypts', () => {
  test('answers the operator, which shows the key of the job, once and again', async () => {
    const { at, asked } = await coordinator()
    const operator = client()
    await operator.report(at)
    await operator.putTarget(at, { revision: '1', spec: {}, desiredState: 'running' })
    expect(asked).toEqual(['GET /v1/job token', 'PUT /v1/target token'])
  })

  test.each([
    ['token', { token: 'other' }],
    ['job', { jobUid: 'other' }],
  ])('does not hear who has the key of another %s', async (_, other) => {
    const { at, asked } = await coordinator()
    await expect(client().report({ ...at, ...other })).rejects.toMatchObject({ code: 'COORDINATOR_UNREACHABLE' })
    expect(asked).toEqual([])
  })

  test('answers plain reads, as probes and Prometheus send them', async () => {
    const { url, asked } = await coordinator()
    expect((await request(`${url}/metrics`)).statusCode).toBe(200)
    expect(asked).toEqual(['GET /metrics without token'])
  })

  test.each([
    ['a change', 'PUT', {}],
    ['a read that shows a token', 'GET', { authorization: 'Bearer token' }],
  ] as const)('refuses %s that comes without encryption', async (_, method, headers) => {
    const { url, asked } = await coordinator()
    const answer = await request(`${url}/v1/target`, { method, headers, ...(method === 'PUT' ? { body: '{}' } : {}) })
    expect(answer.statusCode).toBe(403)
    expect(await answer.body.json()).toMatchObject({ error: { code: 'ENCRYPTION_NEEDED' } })
    expect(asked).toEqual([])
  })
})
