import type { Row } from '../../../runtime/model/schema.ts'

export interface PlainAggregate {
  name: string
  function: 'count' | 'sum' | 'min' | 'max' | 'avg'
  argument?: string
}

/**
 * Windowed aggregation as one would write it down: every window keeps the rows of every key. The slow twin of
 * codegen/windows/window-table.ts. It knows after a restart what it had fired.
 */
export class PlainWindow {
  readonly #windows = new Map<number, Map<string, { key: unknown[]; rows: Row[] }>>()
  #passed = -Infinity
  readonly #keys: readonly string[]
  readonly #sizeMs: number
  readonly #slideMs: number
  readonly #aggregates: readonly PlainAggregate[]

  constructor(keys: readonly string[], sizeMs: number, slideMs: number, aggregates: readonly PlainAggregate[]) {
    this.#keys = keys
    this.#sizeMs = sizeMs
    this.#slideMs = slideMs
    this.#aggregates = aggregates
  }

  /** Returns whether the row came too late. */
  add(row: Row, time: number): boolean {
    const starts: number[] = []
    for (
      let start = Math.floor(time / this.#slideMs) * this.#slideMs;
      start > time - this.#sizeMs;
      start -= this.#slideMs
    )
      starts.push(start)
    const open = starts.filter((start) => start + this.#sizeMs > this.#passed)
    for (const start of open) this.#put(start, row)
    return starts.length > 0 && open.length === 0
  }

  fire(watermark: number): Row[] {
    const rows: Row[] = []
    for (const start of [...this.#windows.keys()].sort((a, b) => a - b)) {
      if (start + this.#sizeMs > watermark + 1) continue
      for (const { key, rows: members } of this.#windows.get(start)?.values() ?? [])
        rows.push(this.#result(start, key, members))
      this.#windows.delete(start)
    }
    this.#passed = Math.max(this.#passed, watermark + 1)
    return rows
  }

  #put(start: number, row: Row): void {
    const window = this.#windows.get(start) ?? new Map<string, { key: unknown[]; rows: Row[] }>()
    const key = this.#keys.map((name) => row[name])
    const text = JSON.stringify(key)
    const entry = window.get(text) ?? { key, rows: [] }
    entry.rows.push(row)
    window.set(text, entry)
    this.#windows.set(start, window)
  }

  #result(start: number, key: unknown[], rows: readonly Row[]): Row {
    return Object.fromEntries([
      ...this.#keys.map((name, index) => [name, key[index]]),
      ['windowStart', start],
      ['windowEnd', start + this.#sizeMs],
      ...this.#aggregates.map((aggregate) => [aggregate.name, plainAggregate(aggregate, rows)]),
    ])
  }
}

function plainAggregate(aggregate: PlainAggregate, rows: readonly Row[]): unknown {
  const { argument } = aggregate
  if (argument === undefined) return rows.length
  const values = rows.map((row) => row[argument]).filter((value) => value !== null) as (number | string)[]
  if (values.length === 0) return null
  switch (aggregate.function) {
    case 'count':
      return values.length
    case 'min':
      return values.reduce((least, value) => (value < least ? value : least))
    case 'max':
      return values.reduce((most, value) => (value > most ? value : most))
    case 'sum':
      return (values as number[]).reduce((sum, value) => sum + value, 0)
    case 'avg':
      return (values as number[]).reduce((sum, value) => sum + value, 0) / values.length
  }
}
