import { clipped } from '../../model/clipped.ts'
import { MillraceError } from '../../model/errors.ts'
import { isFields } from '../../model/fields.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import type { HttpAnswer } from '../../ports/http-client.ts'
import type { Ports } from '../../ports/ports.ts'
import { callService } from './service-call.ts'

/** An authorization server that gives tokens to clients (RFC 6749, 4.4). */
export interface TokenEndpoint {
  readonly url: string
  readonly clientId: string
  readonly clientSecretFile: string
  readonly scope: string | undefined
  readonly tls: TlsFiles | undefined
}

/** How the user reads of an endpoint that gives no token. */
export interface TokenRefusal {
  readonly code: string
  readonly hint: string
}

const TIMEOUT_MS = 10_000
/** A token is asked for anew after this share of its life. */
const RENEW_AFTER = 0.8
/** RFC 6749 lets a server leave the life of a token out. */
const LIFE_S = 300
const LONGEST_TOKEN = 64 * 1024

/** The tokens of one client; callers that come at once share a request. */
export class EndpointTokens {
  readonly #endpoint: TokenEndpoint
  readonly #refusal: TokenRefusal
  readonly #ports: Pick<Ports, 'clock' | 'httpClient' | 'secretFiles'>
  #known: { token: string; renewAt: number } | undefined
  #asking: Promise<string> | undefined

  constructor(
    endpoint: TokenEndpoint,
    refusal: TokenRefusal,
    ports: Pick<Ports, 'clock' | 'httpClient' | 'secretFiles'>,
  ) {
    this.#endpoint = endpoint
    this.#refusal = refusal
    this.#ports = ports
  }

  /** Rejects with the code of the refusal, in the words of the server, and as callService does. */
  token(): Promise<string> {
    if (this.#known !== undefined && this.#ports.clock.now() < this.#known.renewAt)
      return Promise.resolve(this.#known.token)
    return (this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    }))
  }

  /** Called when a server has refused the token before its time: the next call asks for another one. */
  forget(): void {
    this.#known = undefined
  }

  async #ask(): Promise<string> {
    const { url, clientId, clientSecretFile, scope, tls } = this.#endpoint
    const answer = await callService(
      this.#ports,
      {
        headers: { accept: 'application/json' },
        auth: { username: clientId, passwordFile: clientSecretFile, tokenFile: undefined, insecure: false },
        tls,
        timeoutMs: TIMEOUT_MS,
      },
      {
        method: 'POST',
        url,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          ...(scope === undefined ? {} : { scope }),
        }).toString(),
        signal: new AbortController().signal,
      },
    )
    const { token, lifeS } = tokenOf(answer, url, this.#refusal)
    this.#known = { token, renewAt: this.#ports.clock.now() + lifeS * 1000 * RENEW_AFTER }
    return token
  }
}

function tokenOf(
  { status, body }: HttpAnswer,
  url: string,
  { code, hint }: TokenRefusal,
): { token: string; lifeS: number } {
  const answer = parsed(body)
  const { access_token: token, expires_in: life, error, error_description: description } = answer
  const isToken = typeof token === 'string' && /^[\x21-\x7e]+$/.test(token) && token.length <= LONGEST_TOKEN
  if (status === 200 && isToken) return { token, lifeS: typeof life === 'number' && life > 0 ? life : LIFE_S }
  const words = [error, description].filter((word) => typeof word === 'string').join(': ')
  throw new MillraceError(
    code,
    `${new URL(url).host} gave no token: status ${status}${words === '' ? '' : `, ${clipped(words)}`}`,
    {
      domain: 'dependency',
      retriable: status >= 500,
      hint,
    },
  )
}

function parsed(body: string): Readonly<Record<string, unknown>> {
  try {
    const answer: unknown = JSON.parse(body)
    return isFields(answer) ? answer : {}
  } catch {
    return {}
  }
}
