import { compileJsonScanner } from '../../codegen/json/json-scanner.ts'
import type { RowClass } from '../../codegen/rows/row.ts'
import { RowBatch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import type { Split } from '../../model/snapshot.ts'
import type { Timestamp } from '../../model/time.ts'
import { PendingResult } from '../kit/pending-result.ts'
import { RowScan } from '../kit/row-scan.ts'
import type { ReaderContext, SourceBatch, SourceReader } from '../source.ts'
import type { DruidSourceOptions, SegmentsToRead } from './declaration.ts'
import type { DruidQueries, EventPage } from './druid-queries.ts'
import { encodeRangePosition, rangePositionOf, type RangePosition, type SegmentRange } from './segment-range.ts'
import { DruidAccess } from './source-access.ts'
import { publishedRanges, windowEnd } from './window-of-segments.ts'

/** Druid's own patience with a job that is restarted ends nowhere: the reader waits, and says so. */
const PATIENCE_MS = Infinity
const FIRST_PAGE_ROWS = 1000
const MOST_PAGE_ROWS = 20_000
/** A page is kept near this size, well below what an answer may have. */
const PAGE_BYTES = 1024 * 1024

/** One split. `matched` is how many rows of its first range pass the filter, once Druid said so. */
interface Cursor {
  readonly id: string
  position: RangePosition
  matched: number | undefined
}

/** The answer for a cursor: rows of its first range, or the ranges of its next window. */
type Answer =
  | { kind: 'page'; cursor: Cursor; page: EventPage; matched: number; taken: number }
  | { kind: 'end'; cursor: Cursor }
  | { kind: 'window'; cursor: Cursor; ranges: readonly SegmentRange[]; untilMs: number }

/** Reads the segments of its splits one after the other, page by page, in the order of their time. */
export class SegmentReader implements SourceReader {
  readonly #context: ReaderContext
  readonly #reads: SegmentsToRead
  readonly #access: DruidAccess
  readonly #scan: RowScan
  readonly #columns: readonly string[]
  readonly #pending: PendingResult<Answer>
  #cursors: Cursor[] = []
  /** Splits that were finished when this attempt began. */
  #done: readonly Split[] = []
  #paused: ReadonlySet<string> = new Set()
  #page: Extract<Answer, { kind: 'page' }> | undefined
  #pageRows = FIRST_PAGE_ROWS
  #nextLookAt = 0

  constructor(context: ReaderContext, options: DruidSourceOptions, reads: SegmentsToRead, rows: RowClass) {
    this.#context = context
    this.#reads = reads
    this.#access = new DruidAccess(context, options)
    this.#scan = new RowScan(context, compileJsonScanner(context.schema, rows))
    this.#columns = context.schema.fields.map(({ name }) => name)
    this.#pending = new PendingResult(context.ports.clock)
  }

  async open(splits: readonly Split[]): Promise<void> {
    this.#cursors = splits
      .filter(({ finished }) => !finished)
      .map((split) => ({ id: split.id, position: rangePositionOf(split), matched: undefined }))
      .sort((a, b) => startOf(a) - startOf(b))
    this.#done = splits.filter(({ finished }) => finished)
  }

  async poll(maxRows: number): Promise<SourceBatch | undefined> {
    if (this.#page === undefined || this.#paused.has(this.#page.cursor.id)) await this.#advance()
    const page = this.#page
    if (page === undefined || this.#paused.has(page.cursor.id)) return undefined
    const { starts, ends } = page.page.bounds
    const rows: Row[] = []
    const { bytes } = page.page
    for (; rows.length < maxRows && page.taken < starts.length; page.taken++) {
      const index = page.cursor.position.next
      const row = this.#scan.row(bytes, starts[page.taken] ?? 0, ends[page.taken] ?? 0, () =>
        this.#placeOf(page.cursor, index),
      )
      page.cursor.position = { ...page.cursor.position, next: index + 1 }
      if (row !== undefined) rows.push(row)
    }
    if (page.taken === starts.length) this.#page = undefined
    if (page.cursor.position.next === page.matched) this.#endRange(page.cursor)
    return rows.length === 0 ? undefined : { split: page.cursor.id, batch: new RowBatch(rows) }
  }

  snapshot(): Split[] {
    return [
      ...this.#done,
      ...this.#cursors.map((cursor) => ({
        id: cursor.id,
        position: encodeRangePosition(cursor.position),
        finished: isFinished(cursor),
      })),
    ]
  }

  isFinished(): boolean {
    return this.#cursors.every(isFinished)
  }

  pauseSplits(paused: ReadonlySet<string>): void {
    this.#paused = paused
  }

  /** Later rows of a segment are never earlier than its start, nor those of a later window than its own. */
  headTimes(): (readonly [split: string, time: Timestamp])[] {
    if (this.#context.verb.eventTime?.field !== '__time') return []
    return this.#cursors.filter((cursor) => !isFinished(cursor)).map((cursor) => [cursor.id, startOf(cursor)] as const)
  }

  async close(): Promise<void> {
    this.#access.close()
    this.#cursors = []
  }

  /** Asks for the next page or window, or takes what has come of it. Waits for a moment only. */
  async #advance(): Promise<void> {
    const cursor = this.#cursors.find((one) => !this.#paused.has(one.id) && !isFinished(one) && this.#isDue(one))
    if (!this.#pending.isUnderWay) {
      if (cursor === undefined) return
      this.#page = undefined
      this.#pending.start(cursor.position.ranges.length === 0 ? this.#nextWindow(cursor) : this.#nextPage(cursor))
    }
    const answer = await this.#pending.take()
    if (answer === undefined) return
    if (answer.kind === 'page') {
      this.#page = answer
      answer.cursor.matched = answer.matched
    } else if (answer.kind === 'end') this.#endRange(answer.cursor)
    else {
      this.#nextLookAt = this.#context.ports.clock.now() + (this.#reads.continuous?.everyMs ?? 0)
      answer.cursor.position = { ranges: answer.ranges, next: 0, untilMs: answer.untilMs }
    }
  }

  #isDue({ position }: Cursor): boolean {
    return position.ranges.length > 0 || this.#context.ports.clock.now() >= this.#nextLookAt
  }

  #endRange(cursor: Cursor): void {
    cursor.position = { ...cursor.position, ranges: cursor.position.ranges.slice(1), next: 0 }
    cursor.matched = undefined
  }

  async #nextPage(cursor: Cursor): Promise<Answer> {
    const { datasource, filter } = this.#reads
    const [range] = cursor.position.ranges
    const { next } = cursor.position
    if (range === undefined) return { kind: 'end', cursor }
    return this.#access.ask(`reading ${datasource}`, PATIENCE_MS, async (queries) => {
      const matched = cursor.matched ?? (await this.#countOf(queries, range))
      if (next >= matched) return { kind: 'end', cursor }
      const page = await this.#pageOf(
        queries,
        range,
        { offset: next, limit: Math.min(this.#pageRows, matched - next) },
        filter,
      )
      return { kind: 'page', cursor, page, matched, taken: 0 }
    })
  }

  /** A segment that stays away was replaced by compaction or dropped: waiting for it would never end. */
  async #countOf(queries: DruidQueries, range: SegmentRange): Promise<number> {
    const { datasource, filter } = this.#reads
    try {
      return await queries.count(datasource, range, filter)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'DRUID_NOT_SERVED') throw error
      const segments = await queries.segments(datasource, range.fromMs, range.toMs)
      const isThere = segments.some(
        ({ interval, version, partition, isPublished }) =>
          isPublished && interval === range.interval && version === range.version && partition === range.partition,
      )
      if (isThere) throw error
      throw new MillraceError(
        'DRUID_SEGMENT_GONE',
        `the segment ${range.interval}, version ${range.version}, partition ${range.partition} of ${datasource} is gone since the job listed it`,
        {
          domain: 'user',
          cause: error,
          hint: 'Compaction, a reindexing or a retention rule replaced it. Keep them off the time that the job reads, and start it without its old state.',
        },
      )
    }
  }

  async #pageOf(
    queries: DruidQueries,
    range: SegmentRange,
    rows: { offset: number; limit: number },
    filter: SegmentsToRead['filter'],
  ): Promise<EventPage> {
    const what = { datasource: this.#reads.datasource, columns: this.#columns, filter }
    try {
      const page = await queries.page(what, range, rows)
      const rowBytes = page.bytes.length / rows.limit
      this.#pageRows = Math.max(1, Math.min(MOST_PAGE_ROWS, Math.floor(PAGE_BYTES / rowBytes)))
      return page
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'HTTP_TOO_LARGE' || rows.limit === 1) throw error
      this.#pageRows = Math.max(1, Math.floor(rows.limit / 8))
      return this.#pageOf(queries, range, { ...rows, limit: this.#pageRows }, filter)
    }
  }

  /** The next window, up to `lag` ago; an empty one when nothing new is published. */
  async #nextWindow(cursor: Cursor): Promise<Answer> {
    const { datasource, fromMs, continuous } = this.#reads
    const sinceMs = cursor.position.untilMs ?? fromMs
    const toMs = this.#context.ports.clock.now() - (continuous?.lagMs ?? 0)
    if (toMs <= sinceMs) return { kind: 'window', cursor, ranges: [], untilMs: sinceMs }
    return this.#access.ask(`listing segments of ${datasource}`, PATIENCE_MS, async (queries) => {
      const segments = await queries.segments(datasource, sinceMs, toMs)
      const untilMs = windowEnd(segments, sinceMs, toMs)
      return { kind: 'window', cursor, ranges: publishedRanges(segments, sinceMs, untilMs), untilMs }
    })
  }

  #placeOf({ position }: Cursor, row: number): string {
    const [range] = position.ranges
    return `row ${row} of segment ${range?.interval ?? ''}, partition ${range?.partition ?? 0}`
  }
}

function isFinished({ position }: Cursor): boolean {
  return position.ranges.length === 0 && position.untilMs === undefined
}

function startOf({ position }: Cursor): Timestamp {
  return position.ranges[0]?.fromMs ?? position.untilMs ?? 0
}
