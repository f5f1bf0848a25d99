import type { RowClass } from '../../codegen/rows/row.ts'
import { RowBatch } from '../../memory/batch.ts'
import { clipped } from '../../model/clipped.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import { PendingResult } from '../kit/pending-result.ts'
import type { ReaderContext, SourceBatch, SourceReader, Split } from '../source.ts'
import type { DatabricksSourceOptions } from './declaration.ts'
import { Feed } from './feed.ts'
import { encodeFeedPosition, FEED_SPLIT, feedPositionOf, type FeedPosition, type FeedUnit } from './feed-position.ts'
import { textFields } from './feed-query.ts'
import { FeedRows, type FeedRecord } from './feed-rows.ts'
import type { ResultChunks, ResultRow } from './result-chunks.ts'

/** A workspace that stays away makes the reader wait, and says so. */
const PATIENCE_MS = Infinity
/** Versions that one statement reads. */
const MOST_VERSIONS = 100

type Step = { readonly kind: 'rows'; readonly rows: readonly ResultRow[] } | { readonly kind: 'end' } | Found
interface Found {
  readonly kind: 'newest'
  readonly version: number
}

/** Reads a snapshot of a table and the changes behind it, unit by unit, in the background while polls return. */
export class FeedReader implements SourceReader {
  readonly #context: ReaderContext
  readonly #options: DatabricksSourceOptions
  readonly #rowClass: RowClass
  readonly #closing = new AbortController()
  readonly #feed: Feed
  readonly #pending: PendingResult<Step>
  #rows: FeedRows | undefined
  #position: FeedPosition | undefined
  #chunks: ResultChunks | undefined
  #ready: readonly ResultRow[] = []
  #at = 0
  #finished = true
  #nextLookAt = 0

  constructor(context: ReaderContext, options: DatabricksSourceOptions, rows: RowClass) {
    this.#context = context
    this.#options = options
    this.#rowClass = rows
    this.#feed = new Feed(context, options, this.#closing.signal)
    this.#pending = new PendingResult(context.ports.clock)
  }

  async open(splits: readonly Split[]): Promise<void> {
    const [split] = splits
    if (split === undefined) return
    const position = feedPositionOf(split)
    this.#finished = split.finished
    this.#position = this.#checkedQuery(position)
    if (split.finished) return
    const table = await this.#feed.service.retry('looking at a table', PATIENCE_MS, () => this.#feed.look())
    if (table.id !== position.table) throw this.#feed.recreated()
    this.#rows = new FeedRows(this.#context, this.#options, this.#rowClass, textFields(table, this.#feed.schema))
  }

  async poll(maxRows: number): Promise<SourceBatch | undefined> {
    if (this.#finished || this.#position === undefined) return undefined
    if (this.#at >= this.#ready.length) await this.#advance(this.#position)
    const rows: Row[] = []
    while (rows.length < maxRows && this.#at < this.#ready.length) {
      const row = this.#take(this.#ready[this.#at++] ?? [])
      if (row !== undefined) rows.push(row)
    }
    return rows.length === 0 ? undefined : { split: FEED_SPLIT, batch: new RowBatch(rows) }
  }

  snapshot(): Split[] {
    if (this.#position === undefined) return []
    return [{ id: FEED_SPLIT, position: encodeFeedPosition(this.#position), finished: this.#finished }]
  }

  isFinished(): boolean {
    return this.#finished
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#ready = []
  }

  #take(cells: ResultRow): Row | undefined {
    const position = this.#known()
    const { unit, skip } = position
    const record = recordOf(unit, cells)
    if (record.changeType !== 'insert' && this.#options.metadata?.changeType === undefined) throw this.#removed(record)
    const row = this.#rows?.row(cells, record)
    this.#position = { ...position, skip: skip + 1 }
    return row
  }

  async #advance(position: FeedPosition): Promise<void> {
    if (!this.#pending.isUnderWay) {
      const isLook = position.unit.kind === 'changes' && position.unit.to === null
      if (isLook && this.#context.ports.clock.now() < this.#nextLookAt) return
      this.#pending.start(
        this.#feed.service.retry('reading a table', PATIENCE_MS, () =>
          isLook ? this.#look(position.table) : this.#fetch(position),
        ),
      )
    }
    const step = await this.#pending.take()
    if (step === undefined) return
    switch (step.kind) {
      case 'rows':
        this.#ready = step.rows
        this.#at = 0
        return
      case 'newest':
        this.#follow(position, step.version)
        return
      case 'end':
        this.#endUnit(position)
    }
  }

  async #look(table: string): Promise<Found> {
    return { kind: 'newest', version: await this.#feed.newest(table) }
  }

  async #fetch({ table, unit, skip }: FeedPosition): Promise<Step> {
    if (this.#chunks === undefined) {
      // the statement would read whatever has the name now
      await this.#feed.checkSame(table)
      this.#chunks = await this.#feed.read(unit, skip)
    }
    const chunks = this.#chunks
    try {
      const rows = await chunks.next()
      if (rows !== undefined) return { kind: 'rows', rows }
    } catch (error) {
      // where the chunk may not be had again, the next try runs the statement again, behind the rows that were read
      if (!isOnTheWay(error)) this.#chunks = undefined
      throw error
    }
    this.#chunks = undefined
    // a result that was cut off goes on in another one
    return chunks.isTruncated ? { kind: 'rows', rows: [] } : { kind: 'end' }
  }

  #follow(position: FeedPosition, newest: number): void {
    const { unit } = position
    if (unit.kind !== 'changes') return
    if (newest < unit.from - 1) throw this.#feed.recreated()
    if (newest < unit.from) this.#nextLookAt = this.#context.ports.clock.now() + (this.#options.continuous?.every ?? 0)
    else
      this.#position = {
        ...position,
        unit: { ...unit, to: Math.min(newest, unit.from + MOST_VERSIONS - 1) },
        skip: 0,
      }
  }

  #endUnit(position: FeedPosition): void {
    const { unit } = position
    this.#ready = []
    this.#at = 0
    const from = unit.kind === 'snapshot' ? unit.version + 1 : (unit.to ?? unit.from) + 1
    if (this.#options.continuous === undefined) this.#finished = true
    else this.#position = { ...position, unit: { kind: 'changes', from, to: null }, skip: 0 }
  }

  /** In the middle of a unit, other rows or another order would make the count of rows mean something else. */
  #checkedQuery(position: FeedPosition): FeedPosition {
    const { fingerprint: query } = this.#feed.query
    if (position.query === query || position.skip === 0) return { ...position, query }
    throw new MillraceError(
      'DATABRICKS_QUERY_CHANGED',
      `the source ${this.#context.operatorId} has read ${position.skip} rows of a unit with other fields or another filter`,
      {
        domain: 'user',
        hint: 'put fields and filter back until the source has read what is there, or start it without its state',
      },
    )
  }

  #known(): FeedPosition {
    if (this.#position !== undefined) return this.#position
    throw new MillraceError('SOURCE_NOT_OPEN', `the source ${this.#context.operatorId} was used before open`)
  }

  #removed({ changeType, version }: FeedRecord): MillraceError {
    return new MillraceError(
      'DATABRICKS_ROWS_REMOVED',
      `version ${version} of the table ${this.#options.table} has a row of ${clipped(changeType)}`,
      {
        domain: 'user',
        hint: 'metadata.changeType takes all changes as rows; with onRemove: ignore the source reads only what is inserted',
      },
    )
  }
}

/** A call that failed, of a result that is whole. */
function isOnTheWay(error: unknown): boolean {
  return error instanceof MillraceError && ['DATABRICKS_UNREACHABLE', 'DATABRICKS_REFUSED'].includes(error.code)
}

/** Throws DATABRICKS_ANSWER for a row of a version that was not asked for. */
function recordOf(unit: FeedUnit, [, changeType, version, timeMs]: ResultRow): FeedRecord {
  if (unit.kind === 'snapshot') return { changeType: 'insert', version: unit.version, timeMs: null }
  const record = { changeType: String(changeType), version: Number(version), timeMs: Number(timeMs) }
  const isAsked = record.version >= unit.from && record.version <= (unit.to ?? -1)
  if (isAsked && Number.isSafeInteger(record.version) && Number.isSafeInteger(record.timeMs)) return record
  throw new MillraceError(
    'DATABRICKS_ANSWER',
    `a row of version ${clipped(String(version))} at ${clipped(String(timeMs))} is no answer to a question for versions ${unit.from} to ${unit.to}`,
    { domain: 'dependency', retriable: true },
  )
}
