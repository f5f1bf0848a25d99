/** Calls services over HTTP. */
export interface HttpClient {
  /**
   * Resolves with whatever status the server answers; redirects are not followed. Rejects with HTTP_FAILED (domain
   * dependency, retriable) when there is no answer, with HTTP_TOO_LARGE beyond 4 MB, and as `signal` says when it
   * aborts.
   */
  send(request: OutgoingRequest): Promise<HttpAnswer>
}

export interface OutgoingRequest {
  method: 'GET' | 'POST'
  url: string
  headers: Readonly<Record<string, string>>
  body?: string
  signal: AbortSignal
}

export interface HttpAnswer {
  status: number
  body: string
}
