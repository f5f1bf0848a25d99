import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { Agent, request } from 'undici'
import { MillraceError } from '../../runtime/model/errors.ts'
import { withoutSecrets } from '../../runtime/model/redacted.ts'
import { authorizationOf, secretsOf } from '../druid/druid-access.ts'
import type { DruidAccess, Login } from '../druid/druid-access.ts'
import type { DruidAnswer } from '../druid/druid-answers.ts'
import { checkedUrl } from '../druid/druid-endpoint.ts'
import type { DruidEndpoint } from '../druid/druid-endpoint.ts'
import type { Json } from '../druid/json.ts'

export interface CallLimits {
  timeoutMs: number
  maxBytes: number
}

const CALL_LIMITS: CallLimits = { timeoutMs: 10_000, maxBytes: 8 * 1024 * 1024 }

/**
 * Calls of one Druid over HTTP with undici: address, login, certificates, limits. Follows no redirect, so the
 * credentials reach the configured host only.
 */
export class DruidTransport {
  readonly #endpoint: DruidEndpoint
  readonly #base: string
  readonly #access: DruidAccess | undefined
  readonly #agent: Agent | undefined

  /**
   * `access` goes before the login of the endpoint. Throws MillraceError DRUID_ENDPOINT_INVALID when the URL cannot be
   * used, and DRUID_SECRET_INVALID when the certificates cannot.
   */
  constructor(endpoint: DruidEndpoint, access: DruidAccess | undefined) {
    this.#endpoint = endpoint
    const url = checkedUrl(endpoint.routerUrl)
    this.#base = url.origin + url.pathname.replace(/\/+$/, '')
    this.#access = access
    this.#agent = access?.tls === undefined ? undefined : agentOf(access.tls, url)
  }

  /** Calls under way are carried out. */
  close(): void {
    // Nobody waits for it, and sockets that do not close are the system's.
    void this.#agent?.close().catch(() => undefined)
  }

  /** The texts of the login that Druid may repeat and that must not be shown. */
  async secrets(): Promise<readonly string[]> {
    return secretsOf(await this.#login())
  }

  /** Throws MillraceError DRUID_UNREACHABLE, DRUID_UNAUTHORIZED when its own login cannot be read, and DRUID_FAILED. */
  async call(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: Json,
    { timeoutMs, maxBytes }: CallLimits = CALL_LIMITS,
  ): Promise<DruidAnswer> {
    const login = await this.#login()
    const headers: Record<string, string> = { accept: 'application/json', ...authorizationOf(login) }
    if (body !== undefined) headers['content-type'] = 'application/json'
    try {
      const response = await request(this.#base + path, {
        method,
        headers,
        signal: AbortSignal.timeout(timeoutMs),
        ...(this.#agent === undefined ? {} : { dispatcher: this.#agent }),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      // A Router adds its own to that of the Overlord.
      const date = [response.headers['date']].flat().at(-1)
      const text = await readCapped(response.body, maxBytes)
      const shown = response.statusCode >= 300 ? withoutSecrets(text, secretsOf(login)) : text
      return toAnswer(response.statusCode, shown, Date.parse(date ?? ''))
    } catch (error) {
      if (error instanceof MillraceError) throw error
      throw new MillraceError('DRUID_UNREACHABLE', `cannot reach Druid at ${this.#base} for ${method} ${path}`, {
        domain: 'dependency',
        retriable: true,
        cause: error,
      })
    }
  }

  /** Read again for each call: passwords are changed. */
  async #login(): Promise<Login | undefined> {
    if (this.#access?.login !== undefined) return this.#access.login
    // An authority that a resource trusts is no reason to trust whoever it vouches for with the operator's login.
    if (this.#access?.tls?.ca !== undefined) return undefined
    const { username, passwordFile } = this.#endpoint
    if (username === undefined) return undefined
    try {
      const password = passwordFile === undefined ? '' : (await readFile(passwordFile, 'utf8')).trimEnd()
      return { username, password }
    } catch (error) {
      throw new MillraceError('DRUID_UNAUTHORIZED', `cannot read the password for Druid user '${username}'`, {
        domain: 'platform',
        retriable: true,
        cause: error,
      })
    }
  }
}

/** Throws MillraceError DRUID_SECRET_INVALID, without anything of the certificates. */
function agentOf({ ca, certificate, key }: NonNullable<DruidAccess['tls']>, url: URL): Agent {
  const connect = {
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
  }
  if (url.protocol !== 'https:') {
    throw new MillraceError('DRUID_SECRET_INVALID', `spec.tls is given, and ${url.origin} is reached without TLS`, {
      domain: 'user',
      retriable: true,
      hint: "Leave spec.tls out, or ask for an https URL in the operator's configuration.",
    })
  }
  try {
    if (ca !== undefined) new X509Certificate(ca)
    createSecureContext(connect)
  } catch (cause) {
    throw new MillraceError('DRUID_SECRET_INVALID', 'the certificates or the key that spec.tls names cannot be used', {
      domain: 'user',
      retriable: true,
      hint: 'They must be PEM, and the key must be that of the certificate.',
      cause,
    })
  }
  return new Agent({ connect })
}

async function readCapped(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxBytes) {
      throw new MillraceError('DRUID_FAILED', `an answer of Druid is larger than ${maxBytes} bytes`, {
        domain: 'dependency',
      })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function toAnswer(status: number, text: string, at: number): DruidAnswer {
  try {
    return { status, text, at, json: JSON.parse(text) as Json }
  } catch (error) {
    if (error instanceof SyntaxError) return { status, text, at, json: undefined }
    throw error
  }
}
