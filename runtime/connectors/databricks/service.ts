import { clipped } from '../../model/clipped.ts'
import { MillraceError } from '../../model/errors.ts'
import { isFields } from '../../model/fields.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import type { HttpAnswer, OutgoingRequest } from '../../ports/http-client.ts'
import type { Ports } from '../../ports/ports.ts'
import { retryAfterMs } from '../http/refusal.ts'
import { readSecretFor } from '../kit/auth-option.ts'
import { EndpointTokens, type TokenRefusal } from '../kit/client-credentials.ts'
import { retrying, type RetryPolicy } from '../kit/retry.ts'
import { callService } from '../kit/service-call.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import type { SystemReports } from '../system-reports.ts'
import type { Login } from './declared/login-option.ts'

/** A call that is to be answered at once. A statement is waited for WAIT_S at most. */
const ANSWER_MS = 120_000

const TOKEN_REFUSAL: TokenRefusal = {
  code: 'DATABRICKS_LOGIN_REFUSED',
  hint: 'Check auth.clientId and what the file at auth.clientSecretFile holds: they belong to a service principal of this workspace.',
}

/** Where a workspace is, and how the job logs in. */
export interface WorkspaceAddress {
  readonly url: string
  readonly tls: false | TlsFiles
  readonly auth: Login
}

export interface Call {
  readonly method: OutgoingRequest['method']
  /** With the query. */
  readonly path: string
  readonly json?: object
  readonly bytes?: Uint8Array
}

export interface ServiceSurroundings {
  readonly ports: Pick<Ports, 'clock' | 'rng' | 'httpClient' | 'secretFiles'>
  readonly reports: SystemReports
  /** Gives up the calls under way. */
  readonly signal: AbortSignal
}

/**
 * Calls to a workspace. Everything rejects with a MillraceError: DATABRICKS_UNREACHABLE passes by itself,
 * DATABRICKS_REFUSED has the words of the workspace.
 */
export class DatabricksService {
  /** Without a slash at the end. */
  readonly url: string
  readonly #address: WorkspaceAddress
  readonly #surroundings: ServiceSurroundings
  readonly #trouble: TroubleReporter
  readonly #tokens: EndpointTokens | undefined

  constructor(address: WorkspaceAddress, surroundings: ServiceSurroundings) {
    const { url, tls, auth } = address
    this.url = url.replace(/\/+$/, '')
    this.#address = address
    this.#surroundings = surroundings
    this.#trouble = new TroubleReporter(surroundings.ports.clock, surroundings.reports)
    // source: "Authorize service principal access to Databricks with OAuth" (docs.databricks.com/dev-tools/auth/oauth-m2m)
    if (auth.clientId !== undefined && auth.clientSecretFile !== undefined)
      this.#tokens = new EndpointTokens(
        {
          url: `${this.url}/oidc/v1/token`,
          clientId: auth.clientId,
          clientSecretFile: auth.clientSecretFile,
          scope: 'all-apis',
          tls: tls === false ? undefined : tls,
        },
        TOKEN_REFUSAL,
        surroundings.ports,
      )
  }

  get signal(): AbortSignal {
    return this.#surroundings.signal
  }

  get clock(): Ports['clock'] {
    return this.#surroundings.ports.clock
  }

  /** Returns an answer of whatever status. */
  async ask(call: Call): Promise<HttpAnswer> {
    const answer = await this.#send(call)
    if (answer.status !== 401 || this.#tokens === undefined) return answer
    // the token ended before its time
    this.#tokens.forget()
    return this.#send(call)
  }

  /** Returns the body of an answer 2xx; another one is DATABRICKS_REFUSED. */
  async call(call: Call): Promise<string> {
    const answer = await this.ask(call)
    if (answer.status >= 200 && answer.status <= 299) return answer.body
    throw this.refused(answer)
  }

  /** As `call`, and reads the JSON of the answer. Rejects with DATABRICKS_ANSWER, too. */
  async json(call: Call): Promise<unknown> {
    const body = await this.call(call)
    try {
      return JSON.parse(body)
    } catch (cause) {
      throw this.unreadable(call.path, body, cause)
    }
  }

  /**
   * Fetches what an answer of the workspace points to, without the login of the job. Rejects with DATABRICKS_LINK_REFUSED
   * for a link that would be read by others on the way.
   */
  async follow(url: string, headers: Readonly<Record<string, string>>, maxBytes: number): Promise<HttpAnswer> {
    const { ports, signal } = this.#surroundings
    if (!url.startsWith('https:') && new URL(url).origin !== new URL(this.url).origin)
      throw new MillraceError('DATABRICKS_LINK_REFUSED', `a link leads to ${new URL(url).origin}, which is not https`, {
        domain: 'dependency',
      })
    try {
      return await callService(
        ports,
        { headers: {}, auth: undefined, tls: undefined, timeoutMs: ANSWER_MS },
        { method: 'GET', url, headers, maxBytes, signal },
      )
    } catch (cause) {
      throw this.#unreachable(new URL(url).origin, cause)
    }
  }

  /**
   * Repeats what fails for reasons that pass, for at most `patienceMs`, and reports that to the user. Rejects with
   * DATABRICKS_CLOSED once the connector is closed.
   */
  retry<T>(doing: string, patienceMs: number, call: () => Promise<T>): Promise<T> {
    const { ports, signal } = this.#surroundings
    return retrying(
      { clock: ports.clock, rng: ports.rng, trouble: this.#trouble, policy: POLICY, signal },
      `${doing} of the Databricks at ${this.url}`,
      patienceMs,
      call,
    )
  }

  /** An answer that is not the one that was wanted, in the words of the workspace. */
  refused(answer: HttpAnswer): DatabricksRefusal {
    return new DatabricksRefusal(this.url, answer, this.clock.now())
  }

  unreadable(what: string, body: string, cause?: unknown): MillraceError {
    return new MillraceError(
      'DATABRICKS_ANSWER',
      `the Databricks at ${this.url} gave an answer to ${clipped(what)} that is none: ${clipped(body)}`,
      { domain: 'dependency', retriable: true, ...(cause === undefined ? {} : { cause }) },
    )
  }

  async #send({ method, path, json, bytes }: Call): Promise<HttpAnswer> {
    const { ports, signal } = this.#surroundings
    const { tls } = this.#address
    const authorization = `Bearer ${await this.#token()}`
    try {
      return await callService(
        ports,
        {
          headers: { accept: 'application/json', authorization },
          auth: undefined,
          tls: tls === false ? undefined : tls,
          timeoutMs: ANSWER_MS,
        },
        {
          method,
          url: `${this.url}${path}`,
          headers: headersOf({ json, bytes }),
          maxBytes: LARGEST_ANSWER,
          signal,
          ...(json === undefined ? {} : { body: JSON.stringify(json) }),
          ...(bytes === undefined ? {} : { bytes }),
        },
      )
    } catch (cause) {
      throw this.#unreachable(this.url, cause)
    }
  }

  /** What a call without answer ends with; other errors are returned as they are. */
  #unreachable(place: string, cause: unknown): unknown {
    if (this.signal.aborted || !isLostCall(cause)) return cause
    return new MillraceError('DATABRICKS_UNREACHABLE', `the Databricks at ${place} cannot be asked`, {
      domain: 'dependency',
      retriable: true,
      cause,
    })
  }

  async #token(): Promise<string> {
    if (this.#tokens !== undefined) return this.#tokens.token()
    const { tokenFile = '' } = this.#address.auth
    return readSecretFor(tokenFile, new URL(this.url).host, this.#surroundings.ports.secretFiles)
  }
}

/** Results of statements of ours are short, and pages of a folder have 1000 entries. */
const LARGEST_ANSWER = 4 * 1024 * 1024

function headersOf({ json, bytes }: { json: object | undefined; bytes: Uint8Array | undefined }) {
  if (bytes !== undefined) return { 'content-type': 'application/octet-stream' }
  return json === undefined ? {} : { 'content-type': 'application/json' }
}

/** Whether the call may have come to the workspace, without an answer to it. */
function isLostCall(cause: unknown): boolean {
  return !(cause instanceof MillraceError) || cause.code === 'HTTP_FAILED' || cause.code === 'HTTP_TIMEOUT'
}

/** Answers that say "later" (RFC 9110, RFC 6585): nothing was done. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429])

/** An answer that is no success; `waitMs` is how long the workspace asked to wait. */
export class DatabricksRefusal extends MillraceError {
  readonly status: number
  readonly waitMs: number | undefined

  constructor(url: string, { status, body, headers }: HttpAnswer, now: number) {
    const isForbidden = status === 401 || status === 403
    super('DATABRICKS_REFUSED', `the Databricks at ${url} answered ${status}${wordsOf(body, headers)}`, {
      domain: isForbidden || status === 400 || status === 404 ? 'user' : 'dependency',
      retriable: status >= 500 || PASSING.has(status),
      ...(isForbidden ? { hint: 'Give the job a login that may use the warehouse, the volume and the table.' } : {}),
      ...(status >= 300 && status <= 399 ? { hint: 'Write the address of the workspace itself as url.' } : {}),
    })
    this.status = status
    this.waitMs = retryAfterMs(headers?.['retry-after'], now)
  }
}

/** `{"error_code":"…","message":"…"}`, or of a redirect where it points. */
function wordsOf(body: string, headers: HttpAnswer['headers']): string {
  const location = headers?.['location']
  if (location !== undefined) return `, which points to ${clipped(location)}`
  try {
    const value: unknown = JSON.parse(body)
    if (isFields(value)) {
      const words = [value['error_code'], value['message']].filter((word) => typeof word === 'string')
      if (words.length > 0) return `: ${clipped(words.join(': '), 500)}`
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  return body.trim() === '' ? '' : `: ${clipped(body.trim())}`
}

const POLICY: RetryPolicy = {
  isRetriable: (error) => error instanceof MillraceError && error.retriable,
  describe: (what, error) =>
    error instanceof MillraceError
      ? error
      : new MillraceError('DATABRICKS_UNREACHABLE', `${what} failed`, { domain: 'bug', cause: error }),
  waitMs: (error) => (error instanceof DatabricksRefusal ? error.waitMs : undefined),
  closedCode: 'DATABRICKS_CLOSED',
}
