import { MillraceError } from '../../model/errors.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import type { HttpAnswer, OutgoingRequest } from '../../ports/http-client.ts'
import type { Ports } from '../../ports/ports.ts'
import { authHeaders, type Auth } from './auth-option.ts'

/** The part that all calls of a service have in common. */
export interface ServiceCall {
  readonly headers: Readonly<Record<string, string>>
  readonly auth: Auth | undefined
  readonly tls: TlsFiles | undefined
  readonly timeoutMs: number
}

/** Calls the service once, with its login. Rejects as HttpClient does, and with HTTP_TIMEOUT. */
export async function callService(
  { clock, httpClient, secretFiles }: Pick<Ports, 'clock' | 'httpClient' | 'secretFiles'>,
  { headers, auth, tls, timeoutMs }: ServiceCall,
  request: Pick<OutgoingRequest, 'method' | 'url' | 'headers' | 'body' | 'bytes' | 'maxBytes' | 'signal'>,
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
