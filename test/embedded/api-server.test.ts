import { request } from 'node:https'
import { afterEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../embedded/objects.ts'
import { arrayAt, isObject, stringAt } from '../../embedded/objects.ts'
import type { TestCluster } from './embedded-cluster.ts'
import { startTestCluster } from './embedded-cluster.ts'
import { sampleMill } from './sample-crd.ts'

let cluster: TestCluster | undefined

afterEach(async () => {
  await cluster?.close()
  cluster = undefined
})

const mills = '/apis/sample.dev/v1/namespaces/default/mills'

interface Answer {
  code: number
  body: JsonObject
}

function call(
  method: string,
  path: string,
  options: { body?: JsonObject; headers?: Record<string, string>; token?: string } = {},
): Promise<Answer> {
  const { server } = cluster as TestCluster
  const text = options.body === undefined ? '' : JSON.stringify(options.body)
  return new Promise((resolve, reject) => {
    const sent = request(
      new URL(path, server.url),
      {
        method,
        ca: server.certificate,
        agent: false,
        servername: 'localhost',
        headers: {
          authorization: `Bearer ${options.token ?? server.token}`,
          'content-type': 'application/json',
          'content-length': String(Buffer.byteLength(text)),
          ...options.headers,
        },
      },
      (response) => {
        let answer = ''
        response.on('data', (bytes: Buffer) => {
          answer += bytes.toString()
        })
        response.on('error', reject)
        response.on('end', () => {
          const body: unknown = JSON.parse(answer.split('\n')[0] ?? '')
          resolve({ code: response.statusCode ?? 0, body: isObject(body) ? body : {} })
        })
      },
    )
    sent.on('error', reject)
    sent.end(text)
  })
}

describe('the embedded API server', { timeout: 20_000 }, () => {
  test('refuses a wrong token, another Host and an address that is not loopback', async () => {
    cluster = await startTestCluster()
    expect((await call('GET', mills, { token: 'x' })).code).toBe(401)
    expect((await call('GET', mills, { headers: { host: 'evil.example' } })).code).toBe(403)
    await expect(startTestCluster({ host: '0.0.0.0' })).rejects.toThrow(/EMBEDDED_NOT_LOOPBACK|127\.x\.y\.z only/)
  })

  test('refuses a member named __proto__ and a body that is too large', async () => {
    cluster = await startTestCluster()
    const poisoned = JSON.parse(
      '{"metadata":{"name":"p"},"spec":{"wheel":"a","options":{"__proto__":{"x":1}}}}',
    ) as JsonObject
    expect((await call('POST', mills, { body: poisoned })).code).toBe(400)
    expect(
      (await call('POST', mills, { body: sampleMill('big', { options: { text: 'x'.repeat(4 << 20) } }) })).code,
    ).toBe(413)
  })

  test('a write with an old resourceVersion or a wrong uid is a conflict, and one that changes nothing writes nothing', async () => {
    cluster = await startTestCluster()
    const { body: first } = await call('POST', mills, { body: sampleMill('a') })
    const { body: second } = await call('PUT', `${mills}/a`, {
      body: { ...first, spec: { wheel: 'water', replicas: 2 } },
    })
    expect((await call('PUT', `${mills}/a`, { body: { ...first, spec: { wheel: 'water', replicas: 3 } } })).code).toBe(
      409,
    )
    expect((await call('DELETE', `${mills}/a`, { body: { preconditions: { uid: 'other' } } })).code).toBe(409)
    const { body: same } = await call('PUT', `${mills}/a`, { body: second })
    expect(stringAt(same, 'metadata', 'resourceVersion')).toBe(stringAt(second, 'metadata', 'resourceVersion'))
  })

  test('status and spec are written apart and only the spec raises the generation', async () => {
    cluster = await startTestCluster()
    await call('POST', mills, { body: { ...sampleMill('a'), status: { replicas: 9 } } })
    const { body } = await call('GET', `${mills}/a`)
    expect(body['status']).toBeUndefined()
    const { body: after } = await call('PUT', `${mills}/a/status`, {
      body: { ...body, spec: { wheel: 'changed' }, status: { replicas: 1 } },
    })
    expect(after).toMatchObject({ metadata: { generation: 1 }, spec: { wheel: 'water' }, status: { replicas: 1 } })
  })

  test('a dry run answers as the write would, and stores nothing', async () => {
    cluster = await startTestCluster()
    const pods = '/api/v1/namespaces/default/pods'
    const podWith = (labels: JsonObject, cpu: string): JsonObject => ({
      metadata: { name: 'a', labels },
      spec: { containers: [{ name: 'main', image: 'x', resources: { requests: { cpu } } }] },
    })
    const codes: number[] = []
    for (const body of [podWith({ on: 'a b' }, '1'), podWith({ on: 'a' }, 'lots'), podWith({ on: 'a' }, '1')])
      codes.push((await call('POST', `${pods}?dryRun=All`, { body })).code)
    expect(codes).toEqual([422, 400, 201])
    expect((await call('GET', `${pods}/a`)).code).toBe(404)
    expect((await call('POST', pods, { body: podWith({ on: 'a' }, '1') })).code).toBe(201)
    expect((await call('POST', `${pods}?dryRun=All`, { body: podWith({ on: 'a' }, '1') })).code).toBe(409)
  })

  test('a watch gets the events after its version, leaves of the selection as deletions, and a bookmark at its end', async () => {
    cluster = await startTestCluster()
    const { body: list } = await call('GET', mills)
    const version = stringAt(list, 'metadata', 'resourceVersion') ?? ''
    await call('POST', mills, { body: { ...sampleMill('a'), metadata: { name: 'a', labels: { on: 'yes' } } } })
    await call('PATCH', `${mills}/a`, {
      body: { metadata: { labels: { on: 'no' } } },
      headers: { 'content-type': 'application/merge-patch+json' },
    })
    const events = await watchToEnd(
      `${mills}?watch=1&resourceVersion=${version}&labelSelector=on%3Dyes&allowWatchBookmarks=true&timeoutSeconds=1`,
    )
    expect(events.map((event) => event['type'])).toEqual(['ADDED', 'DELETED', 'BOOKMARK'])
  })

  test('a watch from a forgotten version gets 410 on the stream', async () => {
    cluster = await startTestCluster()
    await call('POST', mills, { body: sampleMill('a') })
    cluster.server.compactHistory()
    const { body } = await call('GET', `${mills}?watch=1&resourceVersion=1&timeoutSeconds=1`)
    expect(body).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } })
  })

  test('an interceptor can refuse a call, drop its request, or drop its reply after it was carried out', async () => {
    cluster = await startTestCluster()
    const { server } = cluster
    const token = server.issueToken('operator')
    server.intercept(({ user, index }) => {
      if (user !== 'operator') return undefined
      if (index === 0)
        return { kind: 'refuse', httpCode: 429, reason: 'TooManyRequests', message: 'later', retryAfterSeconds: 1 }
      if (index === 1) return { kind: 'drop-request' }
      return index === 2 ? { kind: 'drop-reply' } : undefined
    })
    expect((await call('POST', mills, { body: sampleMill('a'), token })).code).toBe(429)
    await expect(call('POST', mills, { body: sampleMill('b'), token })).rejects.toThrow()
    await expect(call('POST', mills, { body: sampleMill('c'), token })).rejects.toThrow()
    const { body } = await call('GET', mills, { token })
    expect(arrayAt(body, 'items').map((item) => stringAt(item, 'metadata', 'name'))).toEqual(['c'])
    const written = server.writeLog.entries.filter((entry) => entry.user === 'operator')
    expect(written).toMatchObject([{ verb: 'create', resource: 'mills.sample.dev', namespace: 'default', name: 'c' }])
  })
})

function watchToEnd(path: string): Promise<JsonObject[]> {
  const { server } = cluster as TestCluster
  return new Promise((resolve, reject) => {
    request(
      new URL(path, server.url),
      { ca: server.certificate, agent: false, headers: { authorization: `Bearer ${server.token}` } },
      (response) => {
        let text = ''
        response.on('data', (bytes: Buffer) => {
          text += bytes.toString()
        })
        response.on('end', () =>
          resolve(
            text
              .trim()
              .split('\n')
              .map((line) => JSON.parse(line) as JsonObject),
          ),
        )
      },
    )
      .on('error', reject)
      .end()
  })
}
