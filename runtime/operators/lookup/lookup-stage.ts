import { MillraceError } from '../../model/errors.ts'
import { parseWithDigits } from '../../model/json-digits.ts'
import type { LookupVerb } from '../../graph/verbs/join/lookup.ts'
import type { Clock } from '../../ports/clock.ts'
import type { HttpAnswer, HttpClient, OutgoingRequest } from '../../ports/http-client.ts'
import { createAsyncMapStage } from '../async-map/async-map-stage.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage } from '../stage.ts'

const NOT_FOUND = 404
/** A query that is answered so has asked at the wrong place: no match is another thing. */
const ASKED_WRONGLY = 400

/**
 * Flink's lookup join (AsyncLookupJoinRunner): asyncMap's calls, with answers cached for a while and 404 meaning that
 * there is no match. The cache is not state: after a restore the service is asked again.
 */
export function createLookupStage(verb: LookupVerb, context: OperatorContext): OperatorStage {
  const service = new NotFoundIsAnswer(
    verb,
    verb.answer === 'rows' ? new RowIsAnswer(context.httpClient) : context.httpClient,
  )
  return createAsyncMapStage(verb.call, {
    ...context,
    httpClient: verb.cache === undefined ? service : new CachedAnswers(service, verb.cache, context.clock),
    onError: (error, row, operator) => {
      if (!(error instanceof MillraceError && error.code === 'LOOKUP_MISSING')) context.onError(error, row, operator)
    },
  })
}

/**
 * The answer of a query: the one row of its result, 404 when it has none. Several rows are an error of the record,
 * since nothing says which of them is meant.
 */
class RowIsAnswer implements HttpClient {
  readonly #client: HttpClient

  constructor(client: HttpClient) {
    this.#client = client
  }

  async send(request: OutgoingRequest): Promise<HttpAnswer> {
    const answer = await this.#client.send(request)
    if (answer.status !== 200) return answer.status === NOT_FOUND ? { ...answer, status: ASKED_WRONGLY } : answer
    const rows = rowsOf(answer.body)
    const [row, second] = rows
    if (second !== undefined)
      throw new MillraceError('LOOKUP_AMBIGUOUS', `the query gave ${rows.length} rows for one`, {
        domain: 'user',
        hint: 'let it give one at most: LIMIT 1, or an aggregate',
      })
    return row === undefined ? { ...answer, status: NOT_FOUND, body: '' } : { ...answer, body: JSON.stringify(row) }
  }
}

function rowsOf(body: string): readonly unknown[] {
  try {
    const rows: unknown = parseWithDigits(body)
    if (Array.isArray(rows)) return rows
  } catch (cause) {
    throw new MillraceError('HTTP_ANSWER', `the service answered no JSON: ${body.slice(0, 200)}`, {
      domain: 'dependency',
      cause,
    })
  }
  throw new MillraceError('HTTP_ANSWER', `the service answered no list of rows: ${body.slice(0, 200)}`, {
    domain: 'dependency',
  })
}

/** A row the service does not know: no answer, whose fields are all null, or, of an inner join, no row. */
class NotFoundIsAnswer implements HttpClient {
  readonly #type: LookupVerb['type']
  readonly #client: HttpClient

  constructor({ type }: LookupVerb, client: HttpClient) {
    this.#type = type
    this.#client = client
  }

  async send(request: OutgoingRequest): Promise<HttpAnswer> {
    const answer = await this.#client.send(request)
    return answer.status === NOT_FOUND && this.#type === 'left'
      ? { ...answer, status: 200, body: '{}' }
      : missing(answer)
  }
}

/** Kept, a missing row is an answer too; it becomes an error only where it is handed out. */
function missing(answer: HttpAnswer): HttpAnswer {
  if (answer.status !== NOT_FOUND) return answer
  throw new MillraceError('LOOKUP_MISSING', 'the service knows no such row', { domain: 'user' })
}

interface Kept {
  answer: HttpAnswer | undefined
  until: number
}

/**
 * Answers by request; the one used longest ago is evicted first. Answers that may differ the next time are not kept.
 */
class CachedAnswers implements HttpClient {
  readonly #client: HttpClient
  readonly #rows: number
  readonly #ttlMs: number
  readonly #clock: Clock
  /** In the order of their last use; undefined: the service has no such row. */
  readonly #kept = new Map<string, Kept>()

  constructor(client: HttpClient, { rows, ttlMs }: NonNullable<LookupVerb['cache']>, clock: Clock) {
    this.#client = client
    this.#rows = rows
    this.#ttlMs = ttlMs
    this.#clock = clock
  }

  async send(request: OutgoingRequest): Promise<HttpAnswer> {
    const key = JSON.stringify([request.method, request.url, request.headers, request.body ?? null])
    const kept = this.#kept.get(key)
    if (kept !== undefined) this.#kept.delete(key)
    if (kept !== undefined && kept.until > this.#clock.now()) {
      this.#kept.set(key, kept)
      return kept.answer ?? missing({ status: NOT_FOUND, body: '' })
    }
    const answer = await this.#ask(request)
    if (answer === undefined || (answer.status >= 200 && answer.status <= 299)) this.#keep(key, answer)
    return answer ?? missing({ status: NOT_FOUND, body: '' })
  }

  async #ask(request: OutgoingRequest): Promise<HttpAnswer | undefined> {
    try {
      return await this.#client.send(request)
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'LOOKUP_MISSING') return undefined
      throw error
    }
  }

  #keep(key: string, answer: HttpAnswer | undefined): void {
    this.#kept.set(key, { answer, until: this.#clock.now() + this.#ttlMs })
    if (this.#kept.size > this.#rows)
      for (const oldest of this.#kept.keys()) {
        this.#kept.delete(oldest)
        break
      }
  }
}
