import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { ROOT } from './source-files.ts'

/** One folder per version that wrote savepoints, in it `EXAMPLE.gz` for each example of examples/verbs (packFolder). */
export const KEPT = join(ROOT, 'test', 'fixtures', 'savepoints')

/** In a kept manifest in the place of the folder in which the job ran. */
export const PLACE = '/the-folder-of-the-job'

type Row = Readonly<Record<string, unknown>>

/** What stands in `expected.json`: by the id of each sink, what an uninterrupted run gave. */
export type Outputs = Readonly<Record<string, readonly string[]>>

/**
 * Upserts: the row with the greatest `order` of every key counts. By example and sink; other sinks count row by
 * row.
 */
const UPSERTS: Readonly<Record<string, { key: readonly string[]; order: string; show: readonly string[] }>> = {
  'aggregate/day-results': { key: ['day'], order: 'bids', show: ['dear', 'bidders', 'dearBidders', 'aboutAuctions'] },
  'dedupe/results': { key: ['bidder', 'auction'], order: 'dateTime', show: ['price'] },
  'top-n/results': { key: ['auction', 'place'], order: 'price', show: ['bidder'] },
}

/**
 * Committed rows of every sink of the example in `out/`, settled: sorted, and where they replace each other only
 * the last.
 */
export function settledOutputs(example: string, folder: string): Outputs {
  const out = join(folder, 'out')
  const sinks = existsSync(out) ? readdirSync(out).sort() : []
  return Object.fromEntries(sinks.map((sink) => [sink, settled(`${example}/${sink}`, rowsOf(join(out, sink)))]))
}

/** Committed rows of one sink; none when it has not come to write any. */
export function rowsOf(folder: string): Row[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .sort()
    .flatMap((name) =>
      readFileSync(join(folder, name), 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    )
    .map((line) => JSON.parse(line) as Row)
}

/** Rows of a sink, sorted, and where they replace each other only the last; `name` as in UPSERTS. */
export function settled(name: string, rows: readonly Row[]): string[] {
  const upsert = UPSERTS[name]
  if (upsert === undefined) return rows.map((row) => JSON.stringify(row)).sort()
  const last = new Map<string, Row>()
  for (const row of rows) {
    const key = JSON.stringify(upsert.key.map((field) => row[field]))
    const known = last.get(key)
    if (known === undefined || order(row, upsert.order) > order(known, upsert.order)) last.set(key, row)
  }
  return [...last.values()]
    .map((row) => JSON.stringify([...upsert.key, upsert.order, ...upsert.show].map((field) => row[field])))
    .sort()
}

function order(row: Row, field: string): number {
  const value = row[field]
  return typeof value === 'string' ? Date.parse(value) : Number(value)
}

/** Sums of doubles hang on the order of their rows in the last digits. */
export function rounded(outputs: Outputs): Outputs {
  const shorter = (_: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(12)) : value
  return Object.fromEntries(
    Object.entries(outputs).map(([sink, lines]) => [
      sink,
      lines.map((line) => JSON.stringify(JSON.parse(line), shorter)).sort(),
    ]),
  )
}

/**
 * What these give hangs on which of two rows of different splits comes first: timers and rules meet other rows each
 * time.
 */
export const BY_ARRIVAL: readonly string[] = ['broadcast', 'process']

/** Every file of a folder in one compressed file: as they are, they would be the largest thing in the repository. */
export function packFolder(folder: string, file: string): void {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  const texts = Object.fromEntries(files.map((path) => [relative(folder, path), readFileSync(path, 'base64')]))
  writeFileSync(file, gzipSync(Buffer.from(JSON.stringify(texts)), { level: 9 }))
}

export function unpackFolder(file: string, folder: string): void {
  const files = JSON.parse(gunzipSync(readFileSync(file)).toString('utf8')) as Record<string, string>
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), Buffer.from(text, 'base64'))
  }
}
