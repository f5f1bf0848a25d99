import { Agent, Client, request } from 'undici'
import type { Dispatcher } from 'undici'
import type {
  AutoscalerPolicy,
  JobReport,
  JobTarget,
  ReportWatch,
  SavepointReport,
  SavepointRequest,
} from '../../runtime/control/job-report.ts'
import { MillraceError } from '../../runtime/model/errors.ts'
import { isFields, membersOf } from '../../runtime/model/fields.ts'
import type { Fields } from '../../runtime/model/fields.ts'
import { clientTls } from '../../runtime/ports/real/job-tls.ts'
import { checkedReport, checkedSavepoint, invalidAnswer } from '../checked-report.ts'
import { CoordinatorRefusal } from '../job-client.ts'
import type { JobClient, JobEndpoint } from '../job-client.ts'

/** For the beginning of an answer, and as much again for the rest: a byte now and then holds up no pass. */
const TIMEOUT_MS = 5_000
const LONGEST_REFUSAL = 500
/** A coordinator runs its user's image: what it answers is not trusted to be small. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024

export interface JobRequest {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  path: string
  body?: string
  /** How long the other end may take on purpose before it answers. */
  waitMs?: number
}

/** How requests travel: over undici, or under virtual time. Rejects with whatever kept the answer away. */
export interface JobTransport {
  send(at: JobEndpoint, request: JobRequest): Promise<{ status: number; text: string }>
  close(): Promise<void>
}

/** Coordinators over HTTP, addressed by pod IP. */
export class JobHttpClient implements JobClient {
  readonly #transport: JobTransport

  constructor(transport: JobTransport = undiciTransport()) {
    this.#transport = transport
  }

  async close(): Promise<void> {
    await this.#transport.close()
  }

  async report(at: JobEndpoint): Promise<JobReport> {
    return checkedReport(this.#expect(await this.#call(at, 'GET', '/v1/job')))
  }

  async reportUnlike(at: JobEndpoint, known: ReportWatch): Promise<JobReport | undefined> {
    const answer = await this.#call(at, 'POST', '/v1/changes', known, known.waitMs)
    return answer.status === 204 ? undefined : checkedReport(this.#expect(answer))
  }

  async putTarget(at: JobEndpoint, target: JobTarget): Promise<JobReport> {
    return checkedReport(this.#expect(await this.#call(at, 'PUT', '/v1/target', target)))
  }

  async putAutoscaler(at: JobEndpoint, policy: AutoscalerPolicy | null): Promise<JobReport> {
    return checkedReport(this.#expect(await this.#call(at, 'PUT', '/v1/autoscaler', policy)))
  }

  async requestSavepoint(at: JobEndpoint, savepoint: SavepointRequest): Promise<SavepointReport> {
    return checkedSavepoint(this.#expect(await this.#call(at, 'POST', '/v1/savepoints', savepoint)))
  }

  async savepoint(at: JobEndpoint, id: string): Promise<SavepointReport | undefined> {
    const answer = await this.#call(at, 'GET', `/v1/savepoints/${encodeURIComponent(id)}`)
    return answer.status === 404 ? undefined : checkedSavepoint(this.#expect(answer))
  }

  async deleteSavepoint(at: JobEndpoint, id: string): Promise<void> {
    const answer = await this.#call(at, 'DELETE', `/v1/savepoints/${encodeURIComponent(id)}`)
    if (answer.status !== 204) this.#expect(answer)
  }

  #expect(answer: Answer): Fields {
    if (answer.status >= 200 && answer.status < 300) return fieldsOf(answer)
    const text = answer.text.slice(0, LONGEST_REFUSAL)
    throw new CoordinatorRefusal(
      `${answer.what} was refused (${answer.status}): ${text}`,
      answer.status,
      toldIn(answer.text) ?? { code: 'COORDINATOR_REFUSED', message: text },
    )
  }

  async #call(
    at: JobEndpoint,
    method: JobRequest['method'],
    path: string,
    body?: unknown,
    waitMs = 0,
  ): Promise<Answer> {
    const what = `${method} ${urlOf(at, path)}`
    try {
      return {
        what,
        ...(await this.#transport.send(at, {
          method,
          path,
          waitMs,
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        })),
      }
    } catch (cause) {
      throw new MillraceError('COORDINATOR_UNREACHABLE', `${what} got no answer`, {
        domain: 'platform',
        retriable: true,
        cause,
      })
    }
  }
}

function fieldsOf({ what, text }: Answer): Fields {
  const answer = parsed(text)
  if (isFields(answer)) return answer
  throw invalidAnswer(`${what} was answered with no JSON object`)
}

/** Undefined when it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** The error in an answer of coordinator/http-api.ts; undefined when something else has answered. */
function toldIn(text: string): CoordinatorRefusal['told'] | undefined {
  const { error } = membersOf(parsed(text))
  const { code, message } = membersOf(error)
  if (typeof code !== 'string' || typeof message !== 'string') return undefined
  return { code, message: message.slice(0, LONGEST_REFUSAL) }
}

interface Answer {
  what: string
  status: number
  text: string
}

/** Connections of a job that nothing was sent to for so long are closed: there may be thousands of jobs. */
const FORGET_MS = 15_000
const OPTIONS = { keepAliveTimeout: 5_000, maxResponseSize: MAX_ANSWER_BYTES }

function undiciTransport(): JobTransport {
  const plain = new Agent({ ...OPTIONS, connect: { timeout: 2_000 } })
  const agents = new Kept<Agent>()
  const waiting = new Kept<Client>()
  const dispatcherFor = (at: JobEndpoint, waitMs: number): Dispatcher => {
    const { jobUid, token } = at
    if (at.encryption !== 'on') return plain
    const options = { ...OPTIONS, connect: { ...clientTls({ jobUid, token }), timeout: 2_000 } }
    // A question whose answer is waited for has a connection of its own; that of a Client takes half the memory.
    return waitMs > 0
      ? waiting.get(`${jobUid} ${token} ${urlOf(at, '')}`, waitMs, () => new Client(urlOf(at, ''), options))
      : agents.get(`${jobUid} ${token}`, 0, () => new Agent(options))
  }
  return {
    async send(at, { method, path, body, waitMs = 0 }) {
      const answer = await request(urlOf(at, path), {
        method,
        dispatcher: dispatcherFor(at, waitMs),
        headersTimeout: waitMs + TIMEOUT_MS,
        bodyTimeout: TIMEOUT_MS,
        signal: AbortSignal.timeout(waitMs + 2 * TIMEOUT_MS),
        headers: {
          authorization: `Bearer ${at.token}`,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body }),
      })
      return { status: answer.statusCode, text: await answer.body.text() }
    },
    close: async () => {
      await Promise.all([plain, ...agents.all(), ...waiting.all()].map((dispatcher) => dispatcher.destroy()))
    },
  }
}

/** Connections by what they are to, until nothing was asked of them for a while. */
class Kept<T extends Dispatcher> {
  /** In the order in which they were asked for last. */
  readonly #kept = new Map<string, { dispatcher: T; until: number }>()

  /** `busyMs`: so long it may take until the answer comes. */
  get(key: string, busyMs: number, make: () => T): T {
    const now = performance.now()
    for (const [other, { dispatcher, until }] of this.#kept) {
      if (now < until) break
      this.#kept.delete(other)
      void dispatcher.close()
    }
    const dispatcher = this.#kept.get(key)?.dispatcher ?? make()
    // at the end: the first is the one that was not used for longest
    this.#kept.delete(key)
    this.#kept.set(key, { dispatcher, until: now + busyMs + FORGET_MS })
    return dispatcher
  }

  all(): T[] {
    return [...this.#kept.values()].map(({ dispatcher }) => dispatcher)
  }
}

function urlOf({ host, port, encryption }: JobEndpoint, path: string): string {
  const scheme = encryption === 'on' ? 'https' : 'http'
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`
}
