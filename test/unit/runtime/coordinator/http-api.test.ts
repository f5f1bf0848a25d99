import { expect, test } from 'vitest'
import type { Coordinator } from '../../../../runtime/coordinator/coordinator.ts'
import { httpApi } from '../../../../runtime/coordinator/http-api.ts'
import { MillraceError } from '../../../../runtime/model/errors.ts'

const TARGET = JSON.stringify({ revision: '1', spec: {}, desiredState: 'running' })

/** A coordinator that knows the savepoint `sp-1`, restores from `used`, and breaks when `broken` is deleted. */
function api(
  method: string,
  path: string,
  { token, body = '', host }: { token?: string; body?: string; host?: string } = {},
) {
  const coordinator = {
    report: () => ({ job: 'job', lastPauseMs: null, checkpoint: null }),
    listeners: {
      unlike: (digest: string) => Promise.resolve(digest === 'known' ? undefined : { job: 'changed' }),
    },
    series: () => [],
    setTarget: () => undefined,
    savepoint: ({ id }: { id: string }) => ({ id }),
    findSavepoint: (id: string) => (id === 'sp-1' ? { id } : undefined),
    deleteSavepoint: (id: string) =>
      id === 'used'
        ? Promise.reject(new MillraceError('SAVEPOINT_IN_USE', 'the job would restore from it', { domain: 'platform' }))
        : id === 'broken'
          ? Promise.reject(new Error('disk'))
          : Promise.resolve(),
  } as unknown as Coordinator
  return httpApi(coordinator, 'secret')({ method, path, host, token, body: () => Promise.resolve(body) })
}

test.each([
  ['GET', '/healthz', 200, 'ok\n'],
  ['GET', '/v1/job', 200, '"job":"job"'],
  ['GET', '/metrics', 200, 'millrace_job_running 0'],
  ['GET', '/v1/savepoints/sp-1', 200, '"id":"sp-1"'],
  ['GET', '/v1/savepoints/sp-2', 404, 'SAVEPOINT_UNKNOWN'],
])('%s %s is answered without a token', async (method, path, status, text) => {
  const answer = await api(method, path)
  expect(answer.status).toBe(status)
  expect(answer.body).toContain(text)
})

test.each([
  ['PUT', '/v1/target'],
  ['POST', '/v1/savepoints'],
  ['POST', '/v1/changes'],
  ['DELETE', '/v1/savepoints/sp-1'],
  ['GET', '/v1/other'],
  ['PATCH', '/v1/job'],
])('%s %s without the token, or with a wrong one, is refused', async (method, path) => {
  for (const request of [{}, { token: 'wrong' }]) {
    const answer = await api(method, path, { ...request, body: TARGET })
    expect(answer.status).toBe(401)
    expect(answer.body).toContain('TOKEN_NEEDED')
  }
})

test.each([
  ['PUT', '/v1/target', TARGET, 200, '"job":"job"'],
  ['POST', '/v1/savepoints', '{"id":"sp-2"}', 202, '"id":"sp-2"'],
  ['POST', '/v1/changes', '{"digest":"known","waitMs":20}', 204, ''],
  ['POST', '/v1/changes', '{"digest":"old","waitMs":20}', 200, '"job":"changed"'],
  ['POST', '/v1/changes', '{"digest":"old","waitMs":-1}', 422, 'WATCH_INVALID'],
  ['POST', '/v1/changes', '{"waitMs":20}', 422, 'WATCH_INVALID'],
  ['DELETE', '/v1/savepoints/sp-1', '', 204, ''],
  ['DELETE', '/v1/savepoints/used', '', 409, 'SAVEPOINT_IN_USE'],
  ['DELETE', '/v1/savepoints/broken', '', 500, 'disk'],
  ['PUT', '/v1/target', '{}', 422, 'TARGET_INVALID'],
  ['PUT', '/v1/target', '{', 422, 'BODY_INVALID'],
  ['POST', '/v1/savepoints', '{"id":"a/b"}', 422, 'SAVEPOINT_INVALID'],
  ['GET', '/v1/savepoints/a%2Fb', '', 404, 'PATH_UNKNOWN'],
  ['POST', '/v1/job', '', 404, 'PATH_UNKNOWN'],
])('%s %s with the token and the body %j is answered %i', async (method, path, body, status, text) => {
  const answer = await api(method, path, { token: 'secret', body })
  expect(answer.status).toBe(status)
  expect(answer.body).toContain(text)
})

const READ = ['/v1/job', '/v1/savepoints/sp-1', '/metrics']

test.each(['10.1.2.3', '[fd00::1]', 'localhost', 'counts-coordinator', 'c.shop.svc', 'C.shop.svc.cluster.local'])(
  'a client that asks %s is answered: nobody else can own that name',
  async (host) => {
    for (const path of READ) expect((await api('GET', path, { host })).status).toBe(200)
  },
)

test.each([
  'evil.example',
  'counts-coordinator.dev',
  'c.shop.svc.evil.example',
  'localhost.evil.example',
  '1.2.3.4.nip.io',
  '',
])('a client that asks %j may be a page in a browser and learns nothing without the token', async (host) => {
  for (const path of READ) {
    const answer = await api('GET', path, { host })
    expect(answer).toMatchObject({ status: 421, body: expect.stringContaining('HOST_UNKNOWN') as string })
    expect((await api('GET', path, { host, token: 'secret' })).status).toBe(200)
  }
})
