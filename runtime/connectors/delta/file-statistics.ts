import type { ColumnSummary } from '../../formats/parquet/column-chunk.ts'
import type { ParquetSummary } from '../../formats/parquet/parquet-writer.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { isoDate } from '../../model/timestamp-text.ts'

const DAY_MS = 86_400_000
/** Longer texts are no bounds: what is cut would have to be rounded. */
const MAX_TEXT_BYTES = 64
/** As Delta's own writers: for the first columns only, so that the log stays small. */
const MAX_COLUMNS = 32

/**
 * `stats` of an `add` ("Per-file Statistics", PROTOCOL.md), by which readers leave out files. The bounds of
 * columns in `times` are microseconds.
 */
export function fileStatistics(
  schema: Schema,
  summary: ParquetSummary,
  times: ReadonlySet<string> = new Set(),
): string {
  const minValues: [string, string | number][] = []
  const maxValues: [string, string | number][] = []
  const nullCount: [string, number][] = []
  for (const [place, field] of schema.fields.slice(0, MAX_COLUMNS).entries()) {
    const column = summary.columns[place]
    if (column === undefined) continue
    nullCount.push([field.name, column.nulls])
    const [min, max] = times.has(field.name) ? timesOf(column) : boundsOf(field, column)
    if (min === undefined || max === undefined) continue
    minValues.push([field.name, min])
    maxValues.push([field.name, max])
  }
  return JSON.stringify({
    numRecords: summary.rows,
    minValues: Object.fromEntries(minValues),
    maxValues: Object.fromEntries(maxValues),
    nullCount: Object.fromEntries(nullCount),
  })
}

function boundsOf(field: Field, { bounds }: ColumnSummary): (string | number | undefined)[] {
  return bounds === undefined ? [] : [boundOf(field, bounds.min), boundOf(field, bounds.max)]
}

/** Times are cut down to milliseconds, which readers of a bound know. */
function timesOf({ bounds }: ColumnSummary): (string | undefined)[] {
  if (typeof bounds?.min !== 'number' || typeof bounds.max !== 'number') return []
  return [timeText(Math.floor(bounds.min / 1000)), timeText(Math.floor(bounds.max / 1000))]
}

function timeText(ms: number): string | undefined {
  return plainYear(isoDate(ms)) === undefined ? undefined : new Date(ms).toISOString()
}

function boundOf({ type, logical }: Field, bound: number | Uint8Array): string | number | undefined {
  if (typeof bound !== 'number')
    return logical === undefined && type === 'string' && bound.length <= MAX_TEXT_BYTES
      ? Buffer.from(bound).toString('utf8')
      : undefined
  if (logical?.kind === 'date') return plainYear(isoDate(bound * DAY_MS))
  if (logical?.kind === 'bigint') return bound
  switch (type) {
    case 'long':
    case 'double':
      return bound
    case 'timestamp':
      return timeText(bound)
    default:
      return undefined
  }
}

/** Years before 0 and after 9999 are written in other ways by each reader. */
function plainYear(date: string | undefined): string | undefined {
  return date?.length === 10 ? date : undefined
}
