import { clipped } from '../../model/clipped.ts'
import { MillraceError } from '../../model/errors.ts'
import { isFields } from '../../model/fields.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import type { HttpAnswer } from '../../ports/http-client.ts'
import type { Ports } from '../../ports/ports.ts'
import type { Auth } from '../kit/auth-option.ts'
import { callService } from '../kit/service-call.ts'

/** Below what a router waits for its broker (`druid.router.http.readTimeout`, 15 minutes by default). */
export const ANSWER_MS = 120_000

/** Where a Druid is, and how the job logs in. */
export interface DruidAddress {
  /** The router, or the server that answers the calls. */
  readonly url: string
  readonly tls: TlsFiles | undefined
  readonly auth: Auth | undefined
}

/**
 * Calls to a Druid. Everything rejects with a MillraceError: DRUID_UNREACHABLE passes by itself, DRUID_REFUSED has
 * Druid's own words.
 */
export class DruidService {
  /** Without a slash at the end. */
  readonly url: string
  readonly #address: DruidAddress
  readonly #ports: Pick<Ports, 'clock' | 'httpClient' | 'secretFiles'>
  readonly #signal: AbortSignal

  constructor(
    address: DruidAddress,
    ports: Pick<Ports, 'clock' | 'httpClient' | 'secretFiles'>,
    /** Gives up the calls under way. */
    signal: AbortSignal,
  ) {
    this.url = address.url.replace(/\/$/, '')
    this.#address = address
    this.#ports = ports
    this.#signal = signal
  }

  /** Returns the body of an answer 200; another one is DRUID_REFUSED. */
  async call(method: 'GET' | 'POST', path: string, body?: object): Promise<string> {
    const answer = await this.ask(method, path, body)
    if (answer.status === 200) return answer.body
    throw this.refused(answer)
  }

  /** Returns an answer of whatever status. */
  async ask(method: 'GET' | 'POST', path: string, body?: object): Promise<HttpAnswer> {
    const { auth, tls } = this.#address
    try {
      return await callService(
        this.#ports,
        {
          headers: {
            accept: 'application/json',
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          auth,
          tls,
          timeoutMs: ANSWER_MS,
        },
        {
          method,
          url: `${this.url}${path}`,
          headers: {},
          signal: this.#signal,
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        },
      )
    } catch (cause) {
      if (cause instanceof MillraceError && cause.code !== 'HTTP_FAILED' && cause.code !== 'HTTP_TIMEOUT') throw cause
      throw new MillraceError('DRUID_UNREACHABLE', `the Druid at ${this.url} cannot be asked`, {
        domain: 'dependency',
        retriable: true,
        cause,
      })
    }
  }

  /** An answer that is not the one that was wanted, in Druid's words: it has several shapes of errors. */
  refused({ status, body }: HttpAnswer): MillraceError {
    const isForbidden = status === 401 || status === 403
    return new MillraceError('DRUID_REFUSED', `the Druid at ${this.url} answered ${status}: ${wordsOf(body)}`, {
      domain: isForbidden || status === 400 || status === 404 ? 'user' : 'dependency',
      retriable: status === 429 || status >= 500,
      ...(isForbidden ? { hint: 'Give the job a login that may use the datasource.' } : {}),
    })
  }
}

function wordsOf(answer: string): string {
  try {
    const value: unknown = JSON.parse(answer)
    const words = isFields(value) ? (value['errorMessage'] ?? value['error'] ?? value['message']) : undefined
    if (typeof words === 'string') return clipped(words)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  return clipped(answer)
}
