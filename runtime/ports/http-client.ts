import type { TlsFiles } from '../model/tls-files.ts'

/** Calls services over HTTP. */
export interface HttpClient {
  /**
   * Resolves with any status that the server answers; redirects are not followed. Rejects with HTTP_FAILED (domain
   * dependency, retriable) without an answer, with HTTP_FORBIDDEN (domain user) where a job has no business, with
   * HTTP_TOO_LARGE beyond `maxBytes`, with HTTP_NOT_UTF8 for a 2xx whose body is not that, and with the reason of `signal`
   * when that aborts.
   */
  send(request: OutgoingRequest): Promise<HttpAnswer>
}

export interface OutgoingRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  url: string
  headers: Readonly<Record<string, string>>
  body?: string
  /** A body that is no text, in the place of `body`. */
  bytes?: Uint8Array
  /** How large an answer may be; 4 MB when it is absent. */
  maxBytes?: number | undefined
  /** For https: read again for each connection. */
  tls?: TlsFiles | undefined
  signal: AbortSignal
}

export interface HttpAnswer {
  status: number
  body: string
  /** By their names in lower case; of several of one name all, with commas between. Absent where nobody asks for them. */
  headers?: Readonly<Record<string, string>>
}
