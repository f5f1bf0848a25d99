import type { Row } from '../../../runtime/model/schema.ts'

/** What dedupe and topN mean, as lists of rows: the slow twins of their tests. `keyOf` gives a text per key. */
export class PlainDedupe {
  readonly #kept = new Map<string, { order: number | bigint; at: number }>()
  readonly #keep: 'first' | 'last'
  readonly #ttlMs: number

  constructor(keep: 'first' | 'last', ttlMs = Infinity) {
    this.#keep = keep
    this.#ttlMs = ttlMs
  }

  /** True when the row passes. */
  take(key: string, order: number | bigint, now: number): boolean {
    const kept = this.#kept.get(key)
    const lives = kept !== undefined && now - kept.at < this.#ttlMs
    if (lives && (this.#keep === 'first' || order < kept.order)) return false
    this.#kept.set(key, { order, at: now })
    return true
  }
}

/** What a number, or the text of a decimal or a bigint, is ordered by; compared with values of its own type only. */
export function sizeOf(value: unknown): number | bigint {
  return typeof value === 'string' ? BigInt(value.replace('.', '')) : Number(value)
}

/** As `sizeOf`, but texts that are no digits are ordered as JavaScript orders them. */
function orderOf(value: unknown): number | bigint | string {
  return typeof value === 'string' && !/^-?[\d.]+$/.test(value) ? value : sizeOf(value)
}

function compare(left: number | bigint | string, right: number | bigint | string): number {
  return left < right ? -1 : left > right ? 1 : 0
}

interface TopNSettings {
  n: number
  by: readonly string[]
  /** One for all fields, or one for each. */
  order: 'asc' | 'desc' | readonly string[]
  rank?: string
  ttlMs?: number
}

export class PlainTopN {
  readonly #best = new Map<string, { rows: Row[]; at: number }>()
  readonly #settings: TopNSettings

  constructor(settings: TopNSettings) {
    this.#settings = settings
  }

  /** What comes out for the row. */
  take(key: string, row: Row, now: number): Row[] {
    const { n, by, order, rank, ttlMs = Infinity } = this.#settings
    const known = this.#best.get(key)
    const before = known !== undefined && now - known.at < ttlMs ? known.rows : []
    const orders = typeof order === 'string' ? by.map(() => order) : order
    const compareRows = (a: Row, b: Row): number =>
      by.reduce((so, name, i) => so || (orders[i] === 'asc' ? 1 : -1) * compare(orderOf(a[name]), orderOf(b[name])), 0)
    // sorting is stable: of equal rows the earlier stays first
    const after = [...before, row].sort(compareRows).slice(0, n)
    const place = after.indexOf(row)
    if (place < 0) return []
    this.#best.set(key, { rows: after, at: now })
    return rank === undefined ? [row] : after.slice(place).map((ranked, i) => ({ ...ranked, [rank]: place + i + 1 }))
  }
}
