import { isFields } from '../../model/fields.ts'
import { clipped } from '../../model/clipped.ts'
import { MillraceError } from '../../model/errors.ts'
import { jsonItems, type ItemBounds } from '../kit/json-items.ts'
import { ANSWER_MS, type DruidService } from './druid-service.ts'
import type { SegmentRange } from './segment-range.ts'

const SEGMENTS_A_PAGE = 5000
/** Where a scan query (`resultFormat: list`) has its rows. */
const EVENTS = ['*', 'events']
/** Segments of granularity ALL, whose end no ISO date can say. */
const END_OF_TIME = '146140482-04-24T15:36:27.903Z'

/** A native filter, as Druid's documentation has it ("Query filters"). */
export type DruidFilter = Readonly<Record<string, unknown>>

export interface DruidSegment {
  readonly interval: string
  readonly version: string
  readonly partition: number
  /** -Infinity and Infinity for segments of granularity ALL. */
  readonly startMs: number
  readonly endMs: number
  /** False for one that a task still fills, or that was handed over and is not in the broker's view of the metadata. */
  readonly isPublished: boolean
}

/** Events of one range, in the order of the segment, which is the same for every query. */
export interface EventPage {
  readonly bytes: Buffer
  readonly bounds: ItemBounds
}

/**
 * The queries of a source, at a router or broker. Everything rejects as DruidService does, and with DRUID_NOT_SERVED,
 * which passes by itself.
 * Sources: docs/api-reference/{sql-api,json-querying-api}.md, docs/querying/{scan-query,sql-metadata-tables}.md of
 * apache/druid 33.
 */
export class DruidQueries {
  readonly #service: DruidService

  constructor(service: DruidService) {
    this.#service = service
  }

  /** Returns the names of the columns; none when there is no such datasource, or it has no segment yet. */
  async columns(datasource: string): Promise<readonly string[]> {
    const rows = await this.#sqlRows(
      `SELECT COLUMN_NAME AS "name" FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'druid' AND TABLE_NAME = ?`,
      [datasource],
    )
    return rows.map(({ name }) => String(name))
  }

  /** Returns the segments that hold rows from `fromMs` to before `toMs`, and that no newer version overshadows. */
  async segments(datasource: string, fromMs: number, toMs: number): Promise<DruidSegment[]> {
    const found: DruidSegment[] = []
    for (let after = ''; ; ) {
      const rows = await this.#sqlRows(
        `SELECT segment_id AS "id", "start", "end", version, partition_num AS "partition", is_published AS "published"
         FROM sys.segments
         WHERE datasource = ? AND segment_id > ? AND is_overshadowed = 0 AND (is_published = 1 OR is_available = 1)
           AND ("end" > ? OR "end" = '${END_OF_TIME}')
         ORDER BY segment_id LIMIT ${SEGMENTS_A_PAGE}`,
        [datasource, after, isoText(fromMs)],
      )
      found.push(...rows.map(segmentOf))
      const last = rows.at(-1)
      if (rows.length < SEGMENTS_A_PAGE || last === undefined) break
      after = String(last['id'])
    }
    return found.filter(({ startMs, endMs }) => startMs < toMs && endMs > fromMs)
  }

  /**
   * Counts the rows of a range that pass the filter. A segment that no server has loaded is not an error of Druid: it
   * answers as if the segment had no rows. A published segment has rows, so that one query can tell: DRUID_NOT_SERVED.
   */
  async count(datasource: string, range: SegmentRange, filter: DruidFilter | undefined): Promise<number> {
    const answer = await this.#query({
      queryType: 'timeseries',
      dataSource: datasource,
      intervals: descriptorOf(range),
      granularity: 'all',
      aggregations: [
        { type: 'count', name: 'total' },
        {
          type: 'filtered',
          filter: filterOf(range, filter),
          aggregator: { type: 'count', name: 'matched' },
        },
      ],
    })
    const [first] = this.#listOf(answer)
    const result = isFields(first) && isFields(first['result']) ? first['result'] : {}
    const { total, matched } = result
    if (typeof total !== 'number' || typeof matched !== 'number' || total === 0) throw this.#notServed(range)
    return matched
  }

  /**
   * Reads `limit` rows of a range, `offset` rows behind its first one. Called for rows that `count` promised: fewer are
   * DRUID_NOT_SERVED, since the segment moved to another server in between.
   */
  async page(
    what: { datasource: string; columns: readonly string[]; filter: DruidFilter | undefined },
    range: SegmentRange,
    { offset, limit }: { offset: number; limit: number },
  ): Promise<EventPage> {
    const answer = await this.#query({
      queryType: 'scan',
      dataSource: what.datasource,
      intervals: descriptorOf(range),
      filter: filterOf(range, what.filter),
      columns: what.columns,
      resultFormat: 'list',
      order: 'none',
      offset,
      limit,
    })
    this.#listOf(answer)
    const bytes = Buffer.from(answer)
    const bounds = jsonItems(bytes, EVENTS)
    if (bounds.starts.length < limit) throw this.#notServed(range)
    return { bytes, bounds }
  }

  /** Returns the rows of an SQL query as JSON lines. */
  async sql(query: string): Promise<Buffer> {
    const answer = await this.#service.call('POST', '/druid/v2/sql', { query, resultFormat: 'objectLines' })
    // a complete answer ends with an empty line; an error behind the first row could not change the status any more
    if (answer !== '\n' && !answer.endsWith('\n\n'))
      throw new MillraceError('DRUID_ANSWER', `the Druid at ${this.#service.url} ended its answer early`, {
        domain: 'dependency',
        retriable: true,
      })
    return Buffer.from(answer)
  }

  async #sqlRows(query: string, texts: readonly string[]): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const parameters = texts.map((value) => ({ type: 'VARCHAR', value }))
    const answer = await this.#service.call('POST', '/druid/v2/sql', { query, parameters, resultFormat: 'object' })
    return this.#listOf(answer).filter(isFields)
  }

  #query(query: Readonly<Record<string, unknown>>): Promise<string> {
    return this.#service.call('POST', '/druid/v2', { ...query, context: { timeout: ANSWER_MS } })
  }

  #listOf(answer: string): readonly unknown[] {
    try {
      const value: unknown = JSON.parse(answer)
      if (Array.isArray(value)) return value
    } catch (cause) {
      throw new MillraceError(
        'DRUID_ANSWER',
        `the Druid at ${this.#service.url} answered what is not JSON: ${clipped(answer)}`,
        {
          domain: 'dependency',
          retriable: true,
          cause,
        },
      )
    }
    throw new MillraceError('DRUID_ANSWER', `the Druid at ${this.#service.url} answered no list: ${clipped(answer)}`, {
      domain: 'dependency',
    })
  }

  #notServed({ interval, version, partition }: SegmentRange): MillraceError {
    return new MillraceError(
      'DRUID_NOT_SERVED',
      `no server of the Druid at ${this.#service.url} has the published segment ${interval}, version ${version}, partition ${partition}`,
      {
        domain: 'dependency',
        retriable: true,
        hint: 'It is being loaded or moved, or retention rules keep it from being loaded.',
      },
    )
  }
}

function descriptorOf({ interval, version, partition }: SegmentRange): object {
  return { type: 'segments', segments: [{ itvl: interval, ver: version, part: partition }] }
}

function filterOf({ fromMs, toMs }: SegmentRange, filter: DruidFilter | undefined): object {
  const interval = { type: 'interval', dimension: '__time', intervals: [`${isoText(fromMs)}/${isoText(toMs)}`] }
  return filter === undefined ? interval : { type: 'and', fields: [interval, filter] }
}

function segmentOf(row: Readonly<Record<string, unknown>>): DruidSegment {
  const start = String(row['start'])
  const end = String(row['end'])
  return {
    interval: `${start}/${end}`,
    version: String(row['version']),
    partition: Number(row['partition']),
    startMs: timeOf(start, -Infinity),
    endMs: timeOf(end, Infinity),
    isPublished: row['published'] === 1,
  }
}

/** A time that JavaScript's dates cannot hold is an end of Druid's eternity. */
function timeOf(text: string, otherwise: number): number {
  const time = Date.parse(text)
  return Number.isNaN(time) ? otherwise : time
}

function isoText(ms: number): string {
  return new Date(ms).toISOString()
}
