import { compileJsonScanner } from '../../codegen/json/json-scanner.ts'
import type { RowClass } from '../../codegen/rows/row.ts'
import { RowBatch } from '../../memory/batch.ts'
import type { Row } from '../../model/schema.ts'
import { PendingResult } from '../kit/pending-result.ts'
import { retrying } from '../kit/retry.ts'
import { RowScan } from '../kit/row-scan.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import type { ReaderContext, SourceBatch, SourceReader, Split } from '../source.ts'
import type { HttpSourceOptions } from './declaration.ts'
import { pageOf, type Page } from './page.ts'
import { encodePollPosition, POLL_SPLIT, pollPositionOf, type PollPosition } from './poll-position.ts'
import { HttpRefusal } from './refusal.ts'
import { callService } from '../kit/service-call.ts'
import { servicePolicy } from './service.ts'

const NOT_MODIFIED = 304

/**
 * Asks an address again and again. A restore asks for the page that was being read once more and leaves out the rows of
 * it that were emitted: each row comes once if the service gives the rows behind a cursor in the same order each time.
 */
export class PollReader implements SourceReader {
  readonly #context: ReaderContext
  readonly #options: HttpSourceOptions
  readonly #scan: RowScan
  readonly #trouble: TroubleReporter
  readonly #closing = new AbortController()
  readonly #pending: PendingResult<Page | 'unchanged'>
  #position: PollPosition | undefined
  #page: Page | undefined
  #nextAskAt = 0
  #finished = false

  constructor(context: ReaderContext, options: HttpSourceOptions, rows: RowClass) {
    this.#context = context
    this.#options = options
    this.#scan = new RowScan(context, compileJsonScanner(context.schema, rows))
    this.#pending = new PendingResult(context.ports.clock)
    this.#trouble = new TroubleReporter(context.ports.clock, context)
  }

  async open(splits: readonly Split[]): Promise<void> {
    const [split] = splits
    this.#position = split === undefined ? undefined : pollPositionOf(split, this.#options.url)
    this.#finished = split?.finished ?? this.#options.bounded
  }

  async poll(maxRows: number): Promise<SourceBatch | undefined> {
    if (this.#position === undefined || this.#finished) return undefined
    if (this.#page === undefined) await this.#ask(this.#position)
    const page = this.#page
    if (page === undefined) return undefined
    const { starts, ends } = page.rows
    const rows: Row[] = []
    let { skip } = this.#position
    for (; rows.length < maxRows && skip < starts.length; skip++) {
      const index = skip
      const row = this.#scan.row(page.bytes, starts[index] ?? 0, ends[index] ?? 0, () => `row ${index} of an answer`)
      if (row !== undefined) rows.push(row)
    }
    this.#position = { ...this.#position, skip }
    if (skip >= starts.length) this.#endPage(page, this.#position)
    return rows.length === 0 ? undefined : { split: POLL_SPLIT, batch: new RowBatch(rows) }
  }

  snapshot(): Split[] {
    if (this.#position === undefined) return []
    return [{ id: POLL_SPLIT, position: encodePollPosition(this.#position), finished: this.#finished }]
  }

  isFinished(): boolean {
    return this.#finished
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#page = undefined
  }

  async #ask(position: PollPosition): Promise<void> {
    const { clock, rng } = this.#context.ports
    if (!this.#pending.isUnderWay) {
      if (clock.now() < this.#nextAskAt) return
      const environment = {
        clock,
        rng,
        trouble: this.#trouble,
        signal: this.#closing.signal,
        policy: servicePolicy,
      }
      this.#pending.start(retrying(environment, `asking ${this.#options.url}`, Infinity, () => this.#request(position)))
    }
    const answer = await this.#pending.take()
    if (answer === undefined) return
    if (answer === 'unchanged') this.#wait()
    else this.#page = answer
  }

  async #request({ cursor, next, tag, skip }: PollPosition): Promise<Page | 'unchanged'> {
    const { ports } = this.#context
    const url = next ?? this.#addressOf(cursor)
    const answer = await callService(ports, this.#options, {
      method: 'GET',
      url,
      headers: {
        accept: 'application/json',
        // a page that is read in part is needed again, whatever its tag
        ...(tag === null || skip > 0 ? {} : { 'if-none-match': tag }),
      },
      signal: this.#closing.signal,
    })
    if (answer.status === NOT_MODIFIED) return 'unchanged'
    if (answer.status !== 200) throw new HttpRefusal(url, answer, ports.clock.now())
    // some services have tags and do not look at them
    if (tag !== null && skip === 0 && answer.headers?.['etag'] === tag) return 'unchanged'
    return pageOf(answer.body, answer.headers?.['etag'], url, this.#options)
  }

  #addressOf(cursor: string | null): string {
    const { url, cursor: option } = this.#options
    if (cursor === null || option === undefined) return url
    const address = new URL(url)
    address.searchParams.set(option.parameter, cursor)
    return address.href
  }

  /** Without a cursor every answer is the whole: the rows of one that has not changed (by its tag) are not read again. */
  #endPage({ cursor, next, tag, rows }: Page, position: PollPosition): void {
    this.#page = undefined
    const moved = cursor !== undefined && cursor !== position.cursor
    this.#position = {
      cursor: cursor ?? position.cursor,
      next: next ?? null,
      skip: 0,
      tag: next === undefined && !moved ? tag : null,
    }
    const isEnd = next === undefined && (!moved || rows.starts.length === 0)
    if (isEnd) this.#wait()
  }

  #wait(): void {
    if (this.#options.bounded) this.#finished = true
    this.#nextAskAt = this.#context.ports.clock.now() + this.#options.everyMs
  }
}
