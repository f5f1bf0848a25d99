import type { Http, HttpServer } from '../runtime/ports/http.ts'
import { isLocalHost } from '../runtime/ports/local-host.ts'
import type { NetAddress } from '../runtime/ports/net.ts'
import type { RunningOperator } from './operator.ts'

/** `/healthz` (this process turns), `/readyz` (its caches are filled), `/metrics`. */
export function serveHealth(http: Http, address: NetAddress, operator: RunningOperator): Promise<HttpServer> {
  return http.serve(address, async ({ method, path, host }) => {
    const text = (status: number, body: string): { status: number; contentType: string; body: string } => ({
      status,
      contentType: 'text/plain; charset=utf-8',
      body,
    })
    if (method !== 'GET') return text(405, 'only GET\n')
    if (path === '/healthz') return text(200, 'ok\n')
    if (path === '/readyz') return operator.isReady() ? text(200, 'ok\n') : text(503, 'caches are not filled yet\n')
    if (!isLocalHost(host)) return text(421, 'ask by an address, by localhost or by the name of a Service\n')
    if (path === '/metrics')
      return {
        status: 200,
        contentType: operator.metrics.registry.contentType,
        body: await operator.metrics.registry.metrics(),
      }
    return text(404, 'not found\n')
  })
}
