import { expect, test } from 'vitest'
import { serveHealth } from '../../../operator/health-server.ts'
import type { RunningOperator } from '../../../operator/operator.ts'
import type { Http, HttpHandler } from '../../../runtime/ports/http.ts'

/** The status of an answer of an operator whose caches are filled. */
async function statusOf(path: string, host: string): Promise<number> {
  let handle: HttpHandler | undefined
  const address = { host: '0.0.0.0', port: 8080 }
  const http: Http = {
    serve: (_address, given) => {
      handle = given
      return Promise.resolve({ address, close: () => Promise.resolve() })
    },
  }
  const operator = {
    isReady: () => true,
    metrics: { registry: { contentType: 'text/plain', metrics: () => Promise.resolve('millrace_x 1') } },
  } as unknown as RunningOperator
  await serveHealth(http, address, operator)
  const answer = await handle?.({ method: 'GET', path, host, token: undefined, body: () => Promise.resolve('') })
  return answer?.status ?? 0
}

test('the operator serves its metrics to Prometheus, and not to a page that reaches it by a name of its own', async () => {
  for (const host of ['10.0.0.7', 'millrace-metrics.streams.svc', 'localhost'])
    expect(await statusOf('/metrics', host)).toBe(200)
  expect(await statusOf('/metrics', 'evil.example')).toBe(421)
})

test('the operator answers probes whatever host they ask for', async () => {
  for (const path of ['/healthz', '/readyz']) expect(await statusOf(path, 'node.example')).toBe(200)
})
