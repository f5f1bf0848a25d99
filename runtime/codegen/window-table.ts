import { MillraceError } from '../model/errors.ts'
import { fieldOf, type Field, type Row, type Schema } from '../model/schema.ts'
import type { Timestamp } from '../model/time.ts'
import type { Aggregate } from '../plan/job-graph.ts'
import type { RowErrorHandler, RowsConsumer, WindowTable } from './contracts.ts'
import { readGroup, writeGroup } from './pane-snapshot.ts'
import { compilePaneTable, type PaneHost, type PaneTable, type PaneTableCode, type PaneView } from './pane-table.ts'
import type { RowClass } from './row.ts'

export interface WindowTableOptions {
  keys: readonly Field[]
  window: { sizeMs: number; slideMs: number }
  aggregates: readonly Aggregate[]
  inputSchema: Schema
  /** Of: the key fields, windowStart, windowEnd, the aggregates' fields. */
  outputRowClass: RowClass
  eventTime: { field: string; offsetMs: number }
  maxParallelism: number
  /** Named to the error handler of add. */
  operatorId?: string
}

const EMIT_ROWS = 1024

/**
 * Generates the state of one windowed aggregate. Panes are gcd(size, slide) long; a tumbling window is one
 * pane and fires without a merge, a hopping one merges its panes key group by key group.
 */
export function compileWindowTable(options: WindowTableOptions): WindowTable {
  const { window: { sizeMs, slideMs }, keys, aggregates } = options
  if (!(Number.isSafeInteger(sizeMs) && Number.isSafeInteger(slideMs) && sizeMs > 0 && slideMs > 0)) {
    throw new MillraceError('WINDOW_INVALID', `window size ${sizeMs} ms and slide ${slideMs} ms must be whole and above 0`, { domain: 'user' })
  }
  const field = fieldOf(options.inputSchema, options.eventTime.field)
  if (field === undefined) throw new MillraceError('UNKNOWN_FIELD', `event time '${options.eventTime.field}' is no field of the window's input`)
  const operatorId = options.operatorId ?? 'window'
  const code = compilePaneTable({
    keys, aggregates, operatorId, outputRowClass: options.outputRowClass,
    eventTime: { field, offsetMs: options.eventTime.offsetMs }, windows: slideMs > sizeMs ? 'with gaps' : 'touching',
  })
  return new PaneWindows(code, options.window, shapeOf(options), options.maxParallelism, operatorId)
}

function shapeOf({ window, keys, aggregates }: WindowTableOptions): string {
  return JSON.stringify({
    window, keys: keys.map(({ name, type, nullable }) => [name, type, nullable]),
    aggregates: aggregates.map(({ field, function: name, argument }) => [field.name, name, argument?.type ?? null, argument?.nullable ?? false]),
  })
}

class Pane implements PaneView {
  readonly start: number
  readonly end: number
  readonly lastEnd: number
  readonly inGap: boolean
  readonly tables: (PaneTable | undefined)[]

  constructor(start: number, paneMs: number, window: { sizeMs: number; slideMs: number }, groups: number) {
    const lastStart = Math.floor(start / window.slideMs) * window.slideMs
    this.start = start
    this.end = start + paneMs
    this.lastEnd = lastStart + window.sizeMs
    this.inGap = this.lastEnd <= start
    this.tables = new Array<PaneTable | undefined>(groups).fill(undefined)
  }
}

/** Where firing stands: within a window, within a key group, within the table being put out. */
interface Firing { start: number; end: number; group: number; entry: number; table: PaneTable | undefined }

class PaneWindows implements WindowTable, PaneHost {
  /** Of groups that were never seen, minus infinity. */
  readonly fired: Float64Array
  readonly #code: PaneTableCode
  readonly #size: number
  readonly #slide: number
  readonly #paneMs: number
  readonly #shape: string
  readonly #groups: number
  readonly #operatorId: string
  /** Live panes by start. */
  readonly #panes = new Map<number, Pane>()
  /** Which groups ever had a row. */
  readonly #seen: Uint8Array
  /** One emptied table per group, so that a new pane starts with the room the last one needed. */
  readonly #spare: (PaneTable | undefined)[] = []
  #merged: PaneTable
  readonly #out: Row[] = []
  /** watermark + 1 of the last complete firing. */
  #passed = -Infinity
  #firing: Firing | undefined

  constructor(code: PaneTableCode, window: { sizeMs: number; slideMs: number }, shape: string, groups: number, operatorId: string) {
    this.#code = code
    this.#size = window.sizeMs
    this.#slide = window.slideMs
    this.#paneMs = greatestCommonDivisor(window.sizeMs, window.slideMs)
    this.#shape = shape
    this.#groups = groups
    this.#operatorId = operatorId
    this.fired = new Float64Array(groups).fill(-Infinity)
    this.#seen = new Uint8Array(groups)
    this.#merged = code.create()
  }

  add(rows: readonly Row[], count: number, groups: Uint16Array, watermark: Timestamp, onError: RowErrorHandler): number {
    this.#refuseWhileFiring('add')
    return this.#code.add(rows, count, groups, watermark + 1, this, onError)
  }

  fire(watermark: Timestamp, budgetRows: number, emit: RowsConsumer, onError?: RowErrorHandler): boolean {
    const passed = watermark + 1
    let left = Math.max(1, budgetRows)
    for (;;) {
      this.#firing ??= this.#nextWindow(passed)
      const firing = this.#firing
      if (firing === undefined) break
      left = this.#fireWindow(firing, left, emit, onError)
      if (firing.group < this.#groups) return true
      this.#dropBefore(firing.start + this.#slide)
      this.#firing = undefined
      if (left <= 0 && this.#nextWindow(passed) !== undefined) return true
    }
    if (passed > this.#passed) this.#advance(passed)
    return false
  }

  size(): number {
    let entries = 0
    for (const pane of this.#panes.values()) for (const table of pane.tables) if (table !== undefined) entries += table.n
    return entries
  }

  snapshot(): [group: number, bytes: Uint8Array][] {
    this.#refuseWhileFiring('snapshot')
    const panes = [...this.#panes.values()].sort((left, right) => left.start - right.start)
    const groups: [number, Uint8Array][] = []
    for (let group = 0; group < this.#groups; group++) {
      if (this.#seen[group] === 0) continue
      const fired = this.fired[group] ?? -Infinity
      const live = panes.flatMap((pane) => {
        const table = pane.tables[group]
        return table === undefined ? [] : [{ start: pane.start, table }]
      })
      groups.push([group, writeGroup({ fired: fired === -Infinity ? null : fired, panes: live }, this.#shape, this.#code.columns)])
    }
    return groups
  }

  restore(group: number, bytes: Uint8Array): void {
    const state = readGroup(bytes, this.#shape, this.#code.columns, this.#code.create)
    this.#see(group)
    this.fired[group] = Math.max(this.fired[group] ?? -Infinity, state.fired ?? -Infinity)
    for (const { start, table } of state.panes) {
      const pane = this.paneAt(start)
      this.#code.merge(pane.tables[group] ?? this.tableAt(pane, group), table)
    }
  }

  /** The pane of a moment; enters the map only with its first table, so that late rows leave nothing behind. */
  paneAt(time: number): Pane {
    if (!Number.isFinite(time)) throw new MillraceError('RECORD_INVALID', `event time is ${String(time)}, not a number of ms`, { domain: 'user' })
    const start = Math.floor(time / this.#paneMs) * this.#paneMs
    return this.#panes.get(start) ?? new Pane(start, this.#paneMs, { sizeMs: this.#size, slideMs: this.#slide }, this.#groups)
  }

  tableAt(pane: Pane, group: number): PaneTable {
    this.#panes.set(pane.start, pane)
    this.#see(group)
    const table = this.#spare[group] ?? this.#code.create()
    this.#spare[group] = undefined
    pane.tables[group] = table
    return table
  }

  #see(group: number): void {
    if (this.#seen[group] !== 0) return
    this.#seen[group] = 1
    this.fired[group] = Math.max(this.fired[group] ?? -Infinity, this.#passed)
  }

  #advance(passed: number): void {
    this.#passed = passed
    for (let group = 0; group < this.#groups; group++) {
      if (this.#seen[group] !== 0 && passed > (this.fired[group] ?? -Infinity)) this.fired[group] = passed
    }
  }

  /** The oldest window that holds a live pane, when it ends by `passed`. */
  #nextWindow(passed: number): Firing | undefined {
    let first = Infinity
    for (const start of this.#panes.keys()) if (start < first) first = start
    if (first === Infinity) return undefined
    // panes before the last fired window's successor are gone, so the window is never one that has fired
    const oldest = (Math.floor((first - this.#size) / this.#slide) + 1) * this.#slide
    const start = Math.max(oldest, this.#nextStart)
    const end = start + this.#size
    return end <= passed ? { start, end, group: 0, entry: 0, table: undefined } : undefined
  }

  /** Start of the earliest window that may still fire. */
  #nextStart = -Infinity

  #fireWindow(firing: Firing, budget: number, emit: RowsConsumer, onError: RowErrorHandler | undefined): number {
    let left = budget
    for (; firing.group < this.#groups; firing.group++) {
      if (firing.end <= (this.fired[firing.group] ?? -Infinity)) continue
      if (left <= 0) return left
      firing.table ??= this.#windowOf(firing)
      const table = firing.table
      while (table !== undefined && firing.entry < table.n) {
        if (left <= 0) return left
        const until = Math.min(table.n, firing.entry + EMIT_ROWS)
        const made = this.#code.rows(table, firing.entry, until, firing.start, firing.end, this.#out, (row) => { this.#refuseResult(row, firing, onError) })
        left -= until - firing.entry
        firing.entry = until
        if (made > 0) emit(this.#out, made)
      }
      firing.entry = 0
      firing.table = undefined
      if (this.#seen[firing.group] !== 0) this.fired[firing.group] = firing.end
    }
    this.#nextStart = firing.start + this.#slide
    return left
  }

  #refuseResult(row: Row, firing: Firing, onError: RowErrorHandler | undefined): void {
    const error = new MillraceError('VALUE_INVALID', `a sum of window [${firing.start}, ${firing.end}) leaves the exact range`,
      { domain: 'user', hint: 'sum doubles, or smaller numbers' })
    if (onError === undefined) throw error
    onError(error, row, this.#operatorId)
  }

  /** The entries of a window and key group: its only pane with such, or all merged. */
  #windowOf(firing: Firing): PaneTable | undefined {
    let only: PaneTable | undefined
    let isMerged = false
    for (let start = firing.start; start < firing.end; start += this.#paneMs) {
      const table = this.#panes.get(start)?.tables[firing.group]
      if (table === undefined || table.n === 0) continue
      if (only === undefined) {
        only = table
        continue
      }
      if (!isMerged) {
        if (this.#merged.cap > 8 * Math.max(this.#merged.n, 64)) this.#merged = this.#code.create()
        else this.#merged.clear()
        this.#code.merge(this.#merged, only)
        isMerged = true
      }
      this.#code.merge(this.#merged, table)
    }
    return isMerged ? this.#merged : only
  }

  #dropBefore(start: number): void {
    for (const pane of this.#panes.values()) {
      if (pane.start >= start) continue
      this.#panes.delete(pane.start)
      pane.tables.forEach((table, group) => { this.#keepSpare(table, group) })
    }
  }

  #keepSpare(table: PaneTable | undefined, group: number): void {
    // a table far larger than what it last held is let go
    if (table === undefined || table.cap > 8 * Math.max(table.n, 8)) return
    table.clear()
    this.#spare[group] = table
  }

  #refuseWhileFiring(what: string): void {
    if (this.#firing !== undefined) throw new MillraceError('WINDOW_BUSY', `${what} was called while windows were firing`)
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
