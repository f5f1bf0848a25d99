import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { Agent, request } from 'undici'
import { MillraceError } from '../../runtime/model/errors.ts'
import { withoutSecrets } from '../../runtime/model/redacted.ts'
import { UNCONTESTED } from '../controller/leadership.ts'
import type { AllowedUse } from './allowed-use.ts'
import { authorizationOf, secretsOf } from './druid-access.ts'
import type { DruidAccess, Login } from './druid-access.ts'
import type { DruidAnswer } from './druid-answers.ts'
import { answerError, objects, parseOverview, parseStatus, parseTasks, parseVersions } from './druid-answers.ts'
import type {
  DruidClient,
  DruidTask,
  JsonObject,
  Outcome,
  SupervisorOverview,
  SupervisorStatus,
  SupervisorVersion,
} from './druid-client.ts'
import { isJsonObject } from './json.ts'
import type { Json } from './json.ts'
import { WriteQueue } from './write-queue.ts'
import { isFields } from '../../runtime/model/fields.ts'

/** One Druid of the operator's configuration. The URL is that of a Router that proxies management calls. */
export interface DruidEndpoint {
  routerUrl: string
  username?: string
  /** Read at every call, so that a rotated secret needs no restart. */
  passwordFile?: string
  /** Who may use it; absent or empty: everybody. */
  allowed?: readonly AllowedUse[]
}

const TIMEOUT_MS = 10_000
const MAX_BODY_BYTES = 8 * 1024 * 1024
/** Of all supervisors, each with its specification, twice. */
const MAX_OVERVIEW_BYTES = 64 * 1024 * 1024
const OVERVIEW_TIMEOUT_MS = 30_000
const SUPERVISORS = '/druid/indexer/v1/supervisor'

/** The port over HTTP with undici. Follows no redirect, so the credentials reach the configured host only. */
export class HttpDruidClient implements DruidClient {
  readonly #endpoint: DruidEndpoint
  readonly #base: string
  readonly #writes: WriteQueue
  readonly #access: DruidAccess | undefined
  readonly #agent: Agent | undefined

  /**
   * `access` goes before the login of the endpoint. Throws MillraceError DRUID_ENDPOINT_INVALID when the URL cannot be
   * used, and DRUID_SECRET_INVALID when the certificates cannot.
   */
  constructor(endpoint: DruidEndpoint, writes = new WriteQueue(UNCONTESTED), access?: DruidAccess) {
    this.#writes = writes
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

  async overview(): Promise<ReadonlyMap<string, SupervisorOverview>> {
    const limits = { timeoutMs: OVERVIEW_TIMEOUT_MS, maxBytes: MAX_OVERVIEW_BYTES }
    return parseOverview(
      expectOk('GET supervisors', await this.#call('GET', `${SUPERVISORS}?full`, undefined, limits)).json,
    )
  }

  async supervisor(id: string): Promise<JsonObject | undefined> {
    const answer = await this.#call('GET', supervisorPath(id))
    if (isAbsent(answer, id)) return undefined
    const { json } = expectOk(`GET supervisor '${id}'`, answer)
    if (isFields(json)) return json
    throw new MillraceError('DRUID_FAILED', `Druid answered no object to GET supervisor '${id}'`, {
      domain: 'dependency',
      retriable: true,
    })
  }

  async history(id: string): Promise<SupervisorVersion[]> {
    const answer = await this.#call('GET', `${supervisorPath(id)}/history`)
    return isAbsent(answer, id) ? [] : parseVersions(expectOk(`GET history of supervisor '${id}'`, answer).json)
  }

  async status(id: string): Promise<SupervisorStatus | undefined> {
    const answer = await this.#call('GET', `${supervisorPath(id)}/status`)
    if (isAbsent(answer, id)) return undefined
    const status = parseStatus(expectOk(`GET status of supervisor '${id}'`, answer).json)
    if (status === undefined) return undefined
    const secrets = secretsOf(await this.#login())
    return {
      ...status,
      recentErrors: status.recentErrors.map(({ time, message }) => ({
        time,
        message: withoutSecrets(message, secrets),
      })),
    }
  }

  async applySupervisor(spec: JsonObject): Promise<void> {
    const answer = await this.#write('POST', `${SUPERVISORS}?skipRestartIfUnmodified=true`, spec)
    expectOk('POST supervisor', answer)
  }

  suspend(id: string): Promise<Outcome> {
    return this.#command(id, 'suspend')
  }

  resume(id: string): Promise<Outcome> {
    return this.#command(id, 'resume')
  }

  terminate(id: string): Promise<Outcome> {
    return this.#command(id, 'terminate')
  }

  async handOff(id: string, groups: readonly number[]): Promise<void> {
    expectOk(
      `hand-off of supervisor '${id}'`,
      await this.#write('POST', `${supervisorPath(id)}/taskGroups/handoff`, { taskGroupIds: [...groups] }),
    )
  }

  async tasks(dataSource: string, state: 'running' | 'complete', max: number): Promise<DruidTask[]> {
    const query = new URLSearchParams({
      state,
      datasource: dataSource,
      ...(state === 'complete' ? { max: String(max) } : {}),
    })
    const answer = await this.#call('GET', `/druid/indexer/v1/tasks?${query.toString()}`)
    return parseTasks(expectOk(`GET tasks of '${dataSource}'`, answer)).slice(0, max)
  }

  async rules(dataSource: string): Promise<JsonObject[]> {
    return objects(expectOk(`GET rules of '${dataSource}'`, await this.#call('GET', rulesPath(dataSource))).json)
  }

  async setRules(dataSource: string, rules: readonly JsonObject[]): Promise<void> {
    expectOk(`POST rules of '${dataSource}'`, await this.#write('POST', rulesPath(dataSource), rules))
  }

  async compaction(dataSource: string): Promise<JsonObject | undefined> {
    const answer = await this.#call('GET', compactionPath(dataSource))
    if (hasNoCompaction(answer)) return undefined
    const { json } = expectOk(`GET compaction of '${dataSource}'`, answer)
    return isJsonObject(json) ? json : undefined
  }

  async setCompaction(dataSource: string, config: JsonObject): Promise<void> {
    const answer = await this.#write('POST', compactionPath(dataSource), { ...config, dataSource })
    expectOk(`POST compaction of '${dataSource}'`, answer)
  }

  async removeCompaction(dataSource: string): Promise<void> {
    const answer = await this.#write('DELETE', compactionPath(dataSource))
    if (!hasNoCompaction(answer)) expectOk(`DELETE compaction of '${dataSource}'`, answer)
  }

  async query(sql: string): Promise<JsonObject[]> {
    const answer = await this.#call('POST', '/druid/v2/sql', { query: sql, resultFormat: 'object' })
    return objects(expectOk('SQL query', answer).json)
  }

  async #command(id: string, verb: 'suspend' | 'resume' | 'terminate'): Promise<Outcome> {
    const answer = await this.#write('POST', `${supervisorPath(id)}/${verb}`)
    if (isAbsent(answer, id)) return 'absent'
    if (answer.status === 400 && /is already (suspended|running)/.test(answer.text)) return 'already'
    expectOk(`${verb} supervisor '${id}'`, answer)
    return 'done'
  }

  #write(method: 'POST' | 'DELETE', path: string, body?: Json): Promise<DruidAnswer> {
    return this.#writes.add(`${method} ${path}`, () => this.#call(method, path, body))
  }

  async #call(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: Json,
    { timeoutMs, maxBytes } = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BODY_BYTES },
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

function supervisorPath(id: string): string {
  return `${SUPERVISORS}/${encodeURIComponent(id)}`
}

function rulesPath(dataSource: string): string {
  return `/druid/coordinator/v1/rules/${encodeURIComponent(dataSource)}`
}

/** Of the Overlord: it works whether compaction is run by supervisors or by the Coordinator. */
function compactionPath(dataSource: string): string {
  return `/druid/indexer/v1/compaction/config/datasources/${encodeURIComponent(dataSource)}`
}

/** Any other 404 means that this Druid has no such call. */
function hasNoCompaction({ status, json }: DruidAnswer): boolean {
  return status === 404 && isJsonObject(json) && json['category'] === 'NOT_FOUND'
}

/** A 404 that names the supervisor; any other 404 means that this is not a Druid management API. */
function isAbsent(answer: DruidAnswer, id: string): boolean {
  return answer.status === 404 && answer.text.includes(`[${id}]`)
}

function expectOk(call: string, answer: DruidAnswer): DruidAnswer {
  if (answer.status >= 200 && answer.status < 300) return answer
  throw answerError(call, answer)
}

/** Of a Router. Throws MillraceError DRUID_ENDPOINT_INVALID. */
export function checkedUrl(routerUrl: string): URL {
  const url = URL.canParse(routerUrl) ? new URL(routerUrl) : undefined
  if (url && (url.protocol === 'http:' || url.protocol === 'https:') && url.username === '' && url.password === '') {
    return url
  }
  throw new MillraceError(
    'DRUID_ENDPOINT_INVALID',
    'the routerUrl of a Druid must be an http or https URL without credentials',
    {
      domain: 'platform',
      hint: 'Put the credentials into username and passwordFile.',
    },
  )
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
