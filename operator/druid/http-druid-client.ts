import { leadershipLost, UNCONTESTED } from '../controller/leadership.ts'
import type { Leadership } from '../controller/leadership.ts'
import { readFile } from 'node:fs/promises'
import { request } from 'undici'
import { MillraceError } from '../../runtime/model/errors.ts'
import { withoutSecrets } from '../../runtime/model/redacted.ts'
import type { AllowedUse } from './allowed-use.ts'
import type { DruidAnswer } from './druid-answers.ts'
import { answerError, objects, parseStatus, parseTasks, parseVersions } from './druid-answers.ts'
import type {
  DruidClient,
  DruidTask,
  JsonObject,
  Outcome,
  SupervisorStatus,
  SupervisorVersion,
} from './druid-client.ts'
import type { Json } from './json.ts'
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
const SUPERVISORS = '/druid/indexer/v1/supervisor'

/** The port over HTTP with undici. Follows no redirect, so the credentials reach the configured host only. */
export class HttpDruidClient implements DruidClient {
  readonly #endpoint: DruidEndpoint
  readonly #base: string
  readonly #leadership: Leadership
  #lastWrite: Promise<unknown> = Promise.resolve()

  /** Throws MillraceError DRUID_ENDPOINT_INVALID when the URL cannot be used. */
  constructor(endpoint: DruidEndpoint, leadership: Leadership = UNCONTESTED) {
    this.#leadership = leadership
    this.#endpoint = endpoint
    this.#base = checkedBase(endpoint.routerUrl)
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
    return isAbsent(answer, id) ? undefined : parseStatus(expectOk(`GET status of supervisor '${id}'`, answer).json)
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

  /**
   * One write at a time: a failed one does not hold up the next. Druid compares nothing, so whether we still lead is asked
   * when the turn has come.
   */
  #write(method: 'POST', path: string, body?: JsonObject): Promise<DruidAnswer> {
    const call = async (): Promise<DruidAnswer> => {
      if (!this.#leadership.isHeld()) throw leadershipLost(`${method} ${path}`)
      return this.#call(method, path, body)
    }
    const answer = this.#lastWrite.then(call, call)
    this.#lastWrite = answer
    return answer
  }

  async #call(method: 'GET' | 'POST', path: string, body?: JsonObject): Promise<DruidAnswer> {
    const login = await this.#login()
    const headers: Record<string, string> = { accept: 'application/json', ...authorizationOf(login) }
    if (body !== undefined) headers['content-type'] = 'application/json'
    try {
      const response = await request(this.#base + path, {
        method,
        headers,
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      // A Router adds its own to that of the Overlord.
      const date = [response.headers['date']].flat().at(-1)
      const text = await readCapped(response.body)
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

interface Login {
  username: string
  password: string
}

function authorizationOf(login: Login | undefined): Record<string, string> {
  if (login === undefined) return {}
  return { authorization: `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}` }
}

function secretsOf(login: Login | undefined): readonly string[] {
  return login === undefined ? [] : [login.password, `${login.username}:${login.password}`]
}

function supervisorPath(id: string): string {
  return `${SUPERVISORS}/${encodeURIComponent(id)}`
}

/** A 404 that names the supervisor; any other 404 means that this is not a Druid management API. */
function isAbsent(answer: DruidAnswer, id: string): boolean {
  return answer.status === 404 && answer.text.includes(`[${id}]`)
}

function expectOk(call: string, answer: DruidAnswer): DruidAnswer {
  if (answer.status >= 200 && answer.status < 300) return answer
  throw answerError(call, answer)
}

function checkedBase(routerUrl: string): string {
  const url = URL.canParse(routerUrl) ? new URL(routerUrl) : undefined
  if (url && (url.protocol === 'http:' || url.protocol === 'https:') && url.username === '' && url.password === '') {
    return url.origin + url.pathname.replace(/\/+$/, '')
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

async function readCapped(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) {
      throw new MillraceError('DRUID_FAILED', `an answer of Druid is larger than ${MAX_BODY_BYTES} bytes`, {
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
