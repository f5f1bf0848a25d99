import { MillraceError } from '../../model/errors.ts'
import type { SourceContext, Split, SplitEnumerator } from '../source.ts'
import type { DruidSourceOptions, SegmentsToRead } from './declaration.ts'
import type { DruidQueries } from './druid-queries.ts'
import { encodeRangePosition, rangeSplitId } from './segment-range.ts'
import { publishedRanges } from './window-of-segments.ts'
import { DruidAccess } from './source-access.ts'

/** Below the 15 s within which a user hears of a wrong address. */
const PATIENCE_MS = 8000
/** The only split of a source that reads continuously. */
const WINDOWS_SPLIT = 'windows'

/**
 * Bounded: a split for each published segment, fixed when the job first starts, so that every restore reads the same
 * rows. Continuous: one split, whose reader lists the segments of window after window.
 */
export class SegmentEnumerator implements SplitEnumerator {
  readonly #context: SourceContext
  readonly #reads: SegmentsToRead
  readonly #access: DruidAccess

  constructor(context: SourceContext, options: DruidSourceOptions, reads: SegmentsToRead) {
    this.#context = context
    this.#reads = reads
    this.#access = new DruidAccess(context, options)
  }

  discover(known: readonly Split[]): Promise<Split[]> {
    return this.#access.ask('listing segments', PATIENCE_MS, (queries) => this.#look(queries, known))
  }

  async close(): Promise<void> {
    this.#access.close()
  }

  async #look(queries: DruidQueries, known: readonly Split[]): Promise<Split[]> {
    const { datasource, fromMs, toMs, continuous } = this.#reads
    await this.#checkColumns(queries)
    if (known.length > 0) return [...known]
    if (continuous !== undefined)
      return [
        {
          id: WINDOWS_SPLIT,
          position: encodeRangePosition({ ranges: [], next: 0, untilMs: fromMs }),
          finished: false,
        },
      ]
    return publishedRanges(await queries.segments(datasource, fromMs, toMs), fromMs, toMs).map((range) => ({
      id: rangeSplitId(range),
      position: encodeRangePosition({ ranges: [range], next: 0 }),
      finished: false,
    }))
  }

  /** A scan answers null for a column that does not exist, which nobody would notice. */
  async #checkColumns(queries: DruidQueries): Promise<void> {
    const { datasource, continuous } = this.#reads
    const columns = await queries.columns(datasource)
    if (columns.length === 0) {
      // data may come yet
      if (continuous !== undefined) return
      throw new MillraceError(
        'DRUID_DATASOURCE_UNKNOWN',
        `Druid has no datasource ${JSON.stringify(datasource)} with published segments`,
        {
          domain: 'user',
          retriable: true,
          hint: 'A datasource is there once a segment of it was published and loaded.',
        },
      )
    }
    const missing = this.#context.schema.fields.filter(({ name }) => !columns.includes(name))
    if (missing.length > 0)
      throw new MillraceError(
        'COLUMN_MISSING',
        `the datasource ${JSON.stringify(datasource)} has no column ${missing.map(({ name }) => name).join(', ')}`,
        {
          domain: 'user',
          hint: `It has: ${columns.join(', ')}.`,
        },
      )
  }
}
