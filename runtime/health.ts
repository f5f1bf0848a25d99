import type { Http, HttpServer } from './ports/http.ts'
import type { NetAddress } from './ports/net.ts'

/**
 * Answers `/healthz` from the loop of this process. A process that is stopped or hangs does not, while the kernel still
 * opens TCP connections for it.
 */
export function serveHealth(http: Http, address: NetAddress): Promise<HttpServer> {
  return http.serve(address, async ({ path }) => ({
    status: path === '/healthz' ? 200 : 404,
    contentType: 'text/plain',
    body: path === '/healthz' ? 'ok\n' : 'not found\n',
  }))
}
