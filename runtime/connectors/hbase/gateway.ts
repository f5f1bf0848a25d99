import type { SystemReports } from '../system-reports.ts'
import { MillraceError } from '../../model/errors.ts'
import type { HttpAnswer, OutgoingRequest } from '../../ports/http-client.ts'
import type { Ports } from '../../ports/ports.ts'
import { CallSlots } from '../kit/call-slots.ts'
import { retrying, type RetryEnvironment, type RetryPolicy } from '../kit/retry.ts'
import { callService, type ServiceCall } from '../kit/service-call.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import {
  cellSetText,
  checkedCellSetText,
  readCellSet,
  readFamilies,
  type ReadCell,
  type SentCell,
  type SentRow,
} from './cell-set.ts'
import type { HbaseTableOptions } from './declaration.ts'
import { familyUnknown, noGateway, refusalOf, UNAVAILABLE } from './refusal.ts'

/** Then the subtask fails, or the call by its own time limit. */
const PATIENCE_MS = 600_000
/**
 * A gateway has 100 threads (hbase.rest.threads.max), and beyond as many connections it answers no more, or cuts requests
 * in two.
 */
const MOST_CALLS = 32
/** All that the gateway says when none of the rows is there. */
const NO_ROWS = 'No rows found.'

/** The gateway's answer when a check fails. */
const NOT_AS_CHECKED = 304

type GatewayPorts = Pick<Ports, 'clock' | 'rng' | 'httpClient' | 'secretFiles'>
type Request = Pick<OutgoingRequest, 'method'> & { readonly path: string; readonly body?: string }

/**
 * A table of HBase behind its REST gateways. Calls are tried again while they cannot be answered, which the user is
 * told; they reject with MillraceErrors that do not pass, the last one after ten minutes, or HBASE_CLOSED. Keys, columns
 * and values are bytes in base64. Source: org/apache/hadoop/hbase/rest/{RowResource,MultiRowResource,SchemaResource}.java
 * of apache/hbase 2.6.
 */
export class HbaseGateway {
  readonly #urls: readonly string[]
  readonly #table: string
  readonly #call: ServiceCall
  readonly #ports: GatewayPorts
  readonly #closing = new AbortController()
  readonly #environment: RetryEnvironment
  readonly #patienceMs: number
  readonly #slots = new CallSlots(MOST_CALLS)
  #asked = 0

  constructor(
    { url, table, auth, tls, timeout }: Pick<HbaseTableOptions, 'url' | 'table' | 'auth' | 'tls' | 'timeout'>,
    context: SystemReports & { ports: GatewayPorts; stopping: AbortSignal },
    patienceMs = PATIENCE_MS,
  ) {
    this.#patienceMs = patienceMs
    this.#urls = url
    this.#table = table
    this.#call = {
      headers: { accept: 'application/json' },
      auth,
      tls: tls === false ? undefined : tls,
      timeoutMs: timeout,
    }
    this.#ports = context.ports
    const { clock, rng } = context.ports
    this.#environment = {
      clock,
      rng,
      trouble: new TroubleReporter(clock, context),
      policy: RETRIES,
      signal: AbortSignal.any([context.stopping, this.#closing.signal]),
    }
  }

  /** Returns the families of the table when it has all of `needed`; waits for what is not there. */
  open(needed: readonly string[]): Promise<readonly string[]> {
    return this.#retrying(`opening ${this.#table}`, () => this.#families(needed))
  }

  async put(rows: readonly SentRow[]): Promise<void> {
    // the address must name a row, which the body then says
    const request = { method: 'PUT', path: 'rows', body: cellSetText(rows) } as const
    await this.#retrying(`writing ${rows.length} rows to ${this.#table}`, (doing) => this.#done(request, doing))
  }

  /** Deletes columns, or whole families, of a row up to a version. */
  async delete(key: string, columns: readonly string[], time: number): Promise<void> {
    const names = columns.map(urlSafe).join(',')
    const request = { method: 'DELETE', path: `${urlSafe(key)}/${names}/${time}?e=b64` } as const
    await this.#retrying(`deleting cells of ${this.#table}`, (doing) => this.#done(request, doing))
  }

  /**
   * Writes cells of a row if the newest value of one of their columns is this one, or, where it is empty, if there is
   * none. False when it is another one; that may be what this very call has written.
   */
  async checkAndPut(key: string, cells: readonly SentCell[], check: SentCell): Promise<boolean> {
    const request = {
      method: 'PUT',
      path: `${urlSafe(key)}?check=put`,
      body: checkedCellSetText(key, cells, check),
    } as const
    return this.#retrying(`writing a row of ${this.#table}`, async (doing) => {
      const { url, answer } = await this.#send(request)
      if (answer.status === NOT_AS_CHECKED) return false
      if (answer.status < 200 || answer.status > 299) throw refusalOf(url, doing, answer)
      return true
    })
  }

  /**
   * Returns the keys of rows that have this column, from one key up to before another one, in their order and at most
   * `limit`. Keys and the column are texts.
   */
  scan({
    from,
    to,
    column,
    limit,
  }: {
    from: string
    to: string
    column: string
    limit: number
  }): Promise<readonly string[]> {
    const query = new URLSearchParams({ startrow: from, endrow: to, column, limit: String(limit) })
    const request = { method: 'GET', path: `*?${query.toString()}` } as const
    return this.#retrying(`listing rows of ${this.#table}`, async (doing) => {
      const { url, answer } = await this.#send(request)
      // the gateway does not say why it cannot read; its schema does
      if (answer.status >= 500) await this.#families([familyOf(column)])
      if (answer.status !== 200) throw refusalOf(url, doing, answer)
      const found = readCellSet(answer.body)
      if (found === undefined) throw noGateway(url, answer.status)
      return [...found.keys()].map((key) => Buffer.from(key, 'base64').toString())
    })
  }

  /**
   * Returns the rows of the keys that have a cell in one of the columns, by their keys. `columns` are texts. Rejects
   * with HTTP_TOO_LARGE when the rows are more than an answer may hold.
   */
  get(
    keys: readonly string[],
    columns: readonly string[],
  ): Promise<ReadonlyMap<string, ReadonlyMap<string, ReadCell>>> {
    const rows = keys.map((key) => `row=${urlSafe(key)}`).join('&')
    const names = columns.map(encodeURIComponent).join(',')
    const request = { method: 'GET', path: `multiget/${names}?e=b64&${rows}` } as const
    return this.#retrying(`looking up rows of ${this.#table}`, async (doing) => {
      const { url, answer } = await this.#send(request)
      if (answer.status === 404 && answer.body.trim() === NO_ROWS) return new Map<string, Map<string, ReadCell>>()
      // the gateway does not say why it cannot read; its schema does
      if (answer.status >= 500) await this.#families(columns.map(familyOf))
      if (answer.status !== 200) throw refusalOf(url, doing, answer)
      const found = readCellSet(answer.body)
      if (found === undefined) throw noGateway(url, answer.status)
      return found
    })
  }

  close(): void {
    this.#closing.abort()
  }

  async #families(needed: readonly string[]): Promise<readonly string[]> {
    const { url, answer } = await this.#send({ method: 'GET', path: 'schema' })
    if (answer.status !== 200) throw refusalOf(url, `opening ${this.#table}`, answer)
    const families = readFamilies(answer.body)
    if (families === undefined) throw noGateway(url, answer.status)
    const missing = needed.find((family) => !families.includes(family))
    if (missing === undefined) return families
    throw familyUnknown(
      `the HBase table ${this.#table} at ${url} has no column family ${missing}; it has ${families.join(', ')}`,
    )
  }

  async #done(request: Request, doing: string): Promise<void> {
    const { url, answer } = await this.#send(request)
    if (answer.status < 200 || answer.status > 299) throw refusalOf(url, doing, answer)
  }

  async #send({ method, path, body }: Request): Promise<{ url: string; answer: HttpAnswer }> {
    const url = this.#urls[this.#asked % this.#urls.length] ?? ''
    const answer = await this.#slots.take(() =>
      callService(this.#ports, this.#call, {
        method,
        url: `${url}/${encodeURIComponent(this.#table)}/${path}`,
        headers: body === undefined ? {} : { 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body }),
        signal: this.#environment.signal,
      }),
    )
    return { url, answer }
  }

  #retrying<T>(doing: string, call: (doing: string) => Promise<T>): Promise<T> {
    return retrying(this.#environment, doing, this.#patienceMs, async () => {
      const asked = this.#asked
      try {
        return await call(doing)
      } catch (error) {
        // calls side by side move on once
        if (isAway(error) && this.#asked === asked) this.#asked++
        throw error
      }
    })
  }
}

export function familyOf(column: string): string {
  return column.slice(0, column.indexOf(':'))
}

/** Without the characters that mean something in addresses. */
function urlSafe(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** A call is repeated after these errors of a gateway. */
export const RETRIES: RetryPolicy = {
  isRetriable: (error) => error instanceof MillraceError && error.retriable,
  describe: (what, error) =>
    error instanceof MillraceError
      ? error
      : new MillraceError('HBASE_FAILED', `${what} failed`, { domain: 'bug', cause: error }),
  closedCode: 'HBASE_CLOSED',
}

/** Another gateway may answer. */
function isAway(error: unknown): boolean {
  return error instanceof MillraceError && ['HTTP_FAILED', 'HTTP_TIMEOUT', UNAVAILABLE].includes(error.code)
}
