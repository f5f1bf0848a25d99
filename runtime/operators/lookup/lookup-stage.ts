import { MillraceError } from '../../model/errors.ts'
import { parseWithDigits } from '../../model/json-digits.ts'
import type { LookupVerb } from '../../graph/verbs/join/lookup.ts'
import type { Row } from '../../model/schema.ts'
import type { Clock } from '../../ports/clock.ts'
import type { HttpAnswer, HttpClient, OutgoingRequest } from '../../ports/http-client.ts'
import { createAsyncMapStage } from '../async-map/async-map-stage.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage } from '../stage.ts'
import { AnswerCache, type CacheSettings } from './answer-cache.ts'
import { ambiguous, isMissing, noRow } from './lookup-errors.ts'
import { TableLookupStage } from './table-lookup-stage.ts'

const NOT_FOUND = 404
/** A query that is answered so has asked at the wrong place: no match is another thing. */
const ASKED_WRONGLY = 400

/**
 * Flink's lookup join (AsyncLookupJoinRunner): asyncMap's calls, with answers cached for a while and 404 meaning that
 * there is no match. The cache is not state: after a restore the service is asked again.
 */
export function createLookupStage(verb: LookupVerb, context: OperatorContext): OperatorStage {
  const around = {
    ...context,
    onError: (error: unknown, row: Row, operator: string) => {
      if (!isMissing(error)) context.onError(error, row, operator)
    },
  }
  const { call } = verb
  return call.kind === 'table'
    ? new TableLookupStage({ ...verb, call }, around)
    : createAsyncMapStage(call, { ...around, httpClient: serviceOf(verb, context) })
}

function serviceOf(verb: LookupVerb, context: OperatorContext): HttpClient {
  const service = new NotFoundIsAnswer(
    verb,
    verb.answer === 'rows' ? new RowIsAnswer(context.httpClient) : context.httpClient,
  )
  return verb.cache === undefined ? service : new CachedAnswers(service, verb.cache, context.clock)
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
      throw ambiguous(`the query gave ${rows.length} rows for one`, 'let it give one at most: LIMIT 1, or an aggregate')
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
  throw noRow('the service knows no such row')
}

/** Kept answers of a service, by request. Answers that may differ the next time are not kept. */
class CachedAnswers implements HttpClient {
  readonly #client: HttpClient
  readonly #kept: AnswerCache<HttpAnswer>

  constructor(client: HttpClient, settings: CacheSettings, clock: Clock) {
    this.#client = client
    this.#kept = new AnswerCache(settings, clock, ({ status }) => status >= 200 && status <= 299)
  }

  async send(request: OutgoingRequest): Promise<HttpAnswer> {
    const key = JSON.stringify([request.method, request.url, request.headers, request.body ?? null])
    return (await this.#kept.get(key, () => this.#ask(request))) ?? missing({ status: NOT_FOUND, body: '' })
  }

  async #ask(request: OutgoingRequest): Promise<HttpAnswer | undefined> {
    try {
      return await this.#client.send(request)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }
}
