import type { NetAddress } from './net.ts'

/**
 * A small HTTP server: whole requests in, whole responses out. Where the processes of a job encrypt, it answers plain
 * reads only that show no token, as probes and Prometheus send them. A connection is a stranger's (`Strangers`) until
 * it is encrypted or the body of its request is asked for; one that is not encrypted carries one request.
 */
export interface Http {
  serve(address: NetAddress, handle: HttpHandler): Promise<HttpServer>
}

export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>

export interface HttpRequest {
  method: string
  /** Without the query. */
  path: string
  /** The host that the client asked for, as in its Host header without the port; undefined when it names none. */
  host?: string | undefined
  /** The bearer token of the Authorization header. */
  token: string | undefined
  /** At most 4 MB. To be asked for once it is known who sent it, whether there is one or not. */
  body(): Promise<string>
}

export interface HttpResponse {
  status: number
  contentType: string
  body: string
}

export interface HttpServer {
  readonly address: NetAddress
  close(): Promise<void>
}
