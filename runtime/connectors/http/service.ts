import type { TlsFiles } from '../../model/tls-files.ts'
import { MillraceError } from '../../model/errors.ts'
import type { HttpAnswer, OutgoingRequest } from '../../ports/http-client.ts'
import type { Ports } from '../../ports/ports.ts'
import { authHeaders, type Auth } from '../kit/auth-option.ts'
import type { RetryPolicy } from '../kit/retry.ts'
import { HttpRefusal } from './refusal.ts'

/** How a service is called, of sources and sinks alike. */
export interface ServiceOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly auth: Auth | undefined
  readonly tls: TlsFiles | undefined
  readonly timeoutMs: number
}

export const servicePolicy: RetryPolicy = {
  isRetriable: (error) => error instanceof MillraceError && error.retriable,
  describe: (what, error) =>
    error instanceof MillraceError
      ? error
      : new MillraceError('HTTP_FAILED', `${what} failed`, { domain: 'bug', cause: error }),
  waitMs: (error) => (error instanceof HttpRefusal ? error.waitMs : undefined),
  closedCode: 'HTTP_CLOSED',
}

/** Calls the service once, with its login. Rejects as HttpClient does, and with HTTP_TIMEOUT. */
export async function callService(
  { clock, httpClient, secretFiles }: Pick<Ports, 'clock' | 'httpClient' | 'secretFiles'>,
  { headers, auth, tls, timeoutMs }: ServiceOptions,
  request: Pick<OutgoingRequest, 'method' | 'url' | 'headers' | 'signal'> & { body?: string },
): Promise<HttpAnswer> {
  const { url, signal } = request
  const impatient = new AbortController()
  const cancel = clock.after(timeoutMs, () => {
    impatient.abort(
      new MillraceError('HTTP_TIMEOUT', `${new URL(url).host} did not answer within ${timeoutMs} ms`, {
        domain: 'dependency',
        retriable: true,
      }),
    )
  })
  try {
    return await httpClient.send({
      ...request,
      headers: { ...headers, ...request.headers, ...(await authHeaders(auth, url, secretFiles)) },
      tls,
      signal: AbortSignal.any([signal, impatient.signal]),
    })
  } finally {
    cancel()
  }
}
