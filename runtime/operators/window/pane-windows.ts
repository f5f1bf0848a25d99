import { BATCH_ROWS } from '../../memory/batch.ts'
import { greatestCommonDivisor } from '../../model/greatest-common-divisor.ts'
import { endedGroups, type KeyedTableOptions, rowTime, type WindowTable } from './window-table.ts'
import { tableShape } from '../../state/table-shape.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import type { Timestamp } from '../../model/time.ts'
import type { KeyGroupRange } from '../../plan/key-groups.ts'
import type { RowErrorHandler, RowsConsumer } from '../../codegen/contracts.ts'
import type { TableColumns } from '../../memory/key-table.ts'
import type { LiveTable } from '../../state/key-tables.ts'
import {
  compilePaneTable,
  EARLY,
  LATE,
  type PaneHost,
  type PaneTable,
  type PaneTableCode,
  type PaneView,
} from '../../codegen/windows/pane-table.ts'

export interface PaneWindowsOptions extends KeyedTableOptions {
  window: { sizeMs: number; slideMs: number }
}

/**
 * Generates the state of one windowed aggregate. Panes are gcd(size, slide) long; a tumbling window is one
 * pane and fires without a merge, a hopping one merges its panes key group by key group.
 */
export function createPaneWindows(options: PaneWindowsOptions): WindowTable {
  const {
    window: { sizeMs, slideMs },
    keys,
    aggregates,
  } = options
  if (!(Number.isSafeInteger(sizeMs) && Number.isSafeInteger(slideMs) && sizeMs > 0 && slideMs > 0)) {
    throw new MillraceError(
      'WINDOW_INVALID',
      `window size ${sizeMs} ms and slide ${slideMs} ms must be whole and above 0`,
      { domain: 'user' },
    )
  }
  const operatorId = options.operatorId ?? 'window'
  const code = compilePaneTable({
    keys,
    aggregates,
    operatorId,
    maxParallelism: options.maxParallelism,
    outputRowClass: options.outputRowClass,
    time: rowTime(options),
    latenessMs: options.latenessMs ?? 0,
    tracking: options.tracking ?? 'none',
    windows: slideMs > sizeMs ? 'with gaps' : 'touching',
  })
  return new PaneWindows(code, options, tableShape({ window: options.window }, options), operatorId)
}

class Pane implements PaneView {
  readonly start: number
  readonly end: number
  readonly firstEnd: number
  readonly lastEnd: number
  readonly inGap: boolean
  readonly tables: (PaneTable | undefined)[]

  constructor(start: number, paneMs: number, window: { sizeMs: number; slideMs: number }, groups: number) {
    const lastStart = Math.floor(start / window.slideMs) * window.slideMs
    this.start = start
    this.end = start + paneMs
    this.firstEnd = (Math.floor((start - window.sizeMs) / window.slideMs) + 1) * window.slideMs + window.sizeMs
    this.lastEnd = lastStart + window.sizeMs
    this.inGap = this.lastEnd <= start
    this.tables = new Array<PaneTable | undefined>(groups).fill(undefined)
  }
}

/** Where firing stands: within a window, within a key group, within the table being put out. */
interface Firing {
  start: number
  end: number
  group: number
  entry: number
  table: PaneTable | undefined
}

class PaneWindows implements WindowTable, PaneHost {
  /** Minus infinity for groups of other slots. */
  readonly ended: Float64Array
  readonly shape: string
  readonly columns: TableColumns
  readonly #code: PaneTableCode
  readonly #size: number
  readonly #slide: number
  readonly #paneMs: number
  readonly #latenessMs: number
  readonly #isEventTime: boolean
  readonly #groups: number
  readonly #own: KeyGroupRange
  readonly #operatorId: string
  /** Live panes by start. */
  readonly #panes = new Map<number, Pane>()
  /** One emptied table per group, so that a new pane starts with the room the last one needed. */
  readonly #spare: (PaneTable | undefined)[] = []
  /** Where rows of this batch changed windows that had fired. */
  readonly #lateIn: { pane: Pane; group: number }[] = []
  #merged: PaneTable
  readonly #out: Row[] = []
  #firing: Firing | undefined

  constructor(code: PaneTableCode, options: PaneWindowsOptions, shape: string, operatorId: string) {
    this.#code = code
    this.#size = options.window.sizeMs
    this.#slide = options.window.slideMs
    this.#paneMs = greatestCommonDivisor(this.#size, this.#slide)
    this.#latenessMs = options.latenessMs ?? 0
    this.#isEventTime = options.eventTime !== undefined
    this.shape = shape
    this.columns = code.columns
    this.#groups = options.maxParallelism
    this.#own = options.groups ?? { first: 0, endExclusive: options.maxParallelism }
    this.#operatorId = operatorId
    this.ended = new Float64Array(this.#groups).fill(-Infinity)
    this.#merged = code.create()
  }

  add(rows: readonly Row[], count: number, time: Timestamp, onError: RowErrorHandler, late: Row[] = []): number {
    this.#refuseWhileFiring('add')
    return this.#code.add(rows, count, this.#isEventTime ? time + 1 : time, this, late, onError)
  }

  lateIn(pane: Pane, group: number): void {
    this.#lateIn.push({ pane, group })
  }

  refire(watermark: Timestamp, emit: RowsConsumer, onError?: RowErrorHandler): void {
    if (this.#lateIn.length === 0) return
    const changed = this.#lateIn.splice(0)
    for (const { group, windows } of this.#windowsOf(changed)) {
      const done = Math.max(this.ended[group] ?? -Infinity, watermark + 1)
      for (const start of windows) {
        const end = start + this.#size
        if (end <= done && end + this.#latenessMs > done) this.#emitChanged(start, group, 'lates', emit, onError)
      }
    }
    for (const { pane, group } of changed) forget(pane.tables[group], 'lates')
  }

  early(emit: RowsConsumer, onError?: RowErrorHandler): void {
    const changed = [...this.#panes.values()].flatMap((pane) =>
      pane.tables.flatMap((table, group) =>
        table === undefined || changesOf(table, 'earlies').length === 0 ? [] : [{ pane, group }],
      ),
    )
    for (const { group, windows } of this.#windowsOf(changed)) {
      for (const start of windows)
        if (start + this.#size > (this.ended[group] ?? -Infinity))
          this.#emitChanged(start, group, 'earlies', emit, onError)
    }
    for (const { pane, group } of changed) forget(pane.tables[group], 'earlies')
  }

  /** By key group, the windows that hold one of the panes, oldest first. */
  #windowsOf(changed: readonly { pane: Pane; group: number }[]): { group: number; windows: number[] }[] {
    const byGroup = new Map<number, Set<number>>()
    for (const { pane, group } of changed) {
      const windows = byGroup.get(group) ?? new Set<number>()
      for (let start = pane.firstEnd - this.#size; start <= pane.start; start += this.#slide) windows.add(start)
      byGroup.set(group, windows)
    }
    return [...byGroup].map(([group, windows]) => ({ group, windows: [...windows].sort((a, b) => a - b) }))
  }

  /** Emits the window's present results for the keys listed as changed in any of its panes. */
  #emitChanged(
    start: number,
    group: number,
    list: 'lates' | 'earlies',
    emit: RowsConsumer,
    onError: RowErrorHandler | undefined,
  ): void {
    const scratch = this.#code.create()
    const tables: PaneTable[] = []
    for (let at = start; at < start + this.#size; at += this.#paneMs) {
      const table = this.#panes.get(at)?.tables[group]
      if (table === undefined) continue
      tables.push(table)
      for (const entry of changesOf(table, list)) scratch.findOf(table, entry)
    }
    for (const table of tables) this.#code.mergeKnown(scratch, table)
    const window = { start, end: start + this.#size }
    for (let first = 0; first < scratch.n; first += BATCH_ROWS)
      this.#put(scratch, first, Math.min(scratch.n, first + BATCH_ROWS), window, emit, onError)
  }

  #put(
    table: PaneTable,
    first: number,
    until: number,
    window: { start: number; end: number },
    emit: RowsConsumer,
    onError: RowErrorHandler | undefined,
  ): void {
    const made = this.#code.rows(table, first, until, window.start, window.end, this.#out, (row) => {
      this.#refuseResult(row, window, onError)
    })
    if (made > 0) emit(this.#out, made)
  }

  nextEnd(): number | undefined {
    const first = this.#firstUnfired()
    if (first === Infinity) return undefined
    return this.#windowFrom(first) + this.#size
  }

  firedUntil(): number {
    return this.ended.reduce((most, end) => Math.max(most, end), -Infinity)
  }

  fire(time: Timestamp, budgetRows: number, emit: RowsConsumer, onError?: RowErrorHandler): boolean {
    const passed = this.#isEventTime ? time + 1 : time
    let left = Math.max(1, budgetRows)
    for (;;) {
      this.#firing ??= this.#nextWindow(passed)
      const firing = this.#firing
      if (firing === undefined) break
      left = this.#fireWindow(firing, left, emit, onError)
      if (firing.group < this.#groups) return true
      if (this.#latenessMs === 0) this.#dropUntil(firing.end)
      this.#firing = undefined
      if (left <= 0 && this.#nextWindow(passed) !== undefined) return true
    }
    if (this.#latenessMs > 0) this.#dropUntil(passed - this.#latenessMs)
    this.#advance(passed)
    return false
  }

  size(): number {
    let entries = 0
    for (const pane of this.#panes.values())
      for (const table of pane.tables) if (table !== undefined) entries += table.n
    return entries
  }

  create(): PaneTable {
    return this.#code.create()
  }

  live(): LiveTable[] {
    this.#refuseWhileFiring('live')
    return [...this.#panes.values()].flatMap(({ start, tables }) =>
      tables.flatMap((table, group) => (table === undefined ? [] : [{ group, start, table }])),
    )
  }

  fired(): [group: number, end: number][] {
    return endedGroups(this.ended, this.#own)
  }

  adopt({ group, start, table }: LiveTable): void {
    const pane = this.paneAt(start)
    const known = pane.tables[group]
    if (known !== undefined) {
      this.#code.merge(known, table)
      return
    }
    table.reindex()
    this.#panes.set(start, pane)
    pane.tables[group] = table
  }

  adoptFired(group: number, end: number): void {
    this.ended[group] = Math.max(this.ended[group] ?? -Infinity, end)
  }

  /** The pane of a moment; enters the map only with its first table, so that late rows leave nothing behind. */
  paneAt(time: number): Pane {
    if (!Number.isFinite(time))
      throw new MillraceError('RECORD_INVALID', `event time is ${String(time)}, not a number of ms`, { domain: 'user' })
    const start = Math.floor(time / this.#paneMs) * this.#paneMs
    return (
      this.#panes.get(start) ??
      new Pane(start, this.#paneMs, { sizeMs: this.#size, slideMs: this.#slide }, this.#groups)
    )
  }

  tableAt(pane: Pane, group: number): PaneTable {
    this.#panes.set(pane.start, pane)
    const table = this.#spare[group] ?? this.#code.create()
    this.#spare[group] = undefined
    pane.tables[group] = table
    return table
  }

  #advance(passed: number): void {
    for (let group = this.#own.first; group < this.#own.endExclusive; group++) {
      if (passed > (this.ended[group] ?? -Infinity)) this.ended[group] = passed
    }
  }

  /** The oldest window that may not have fired and holds a live pane, when it ends by `passed`. */
  #nextWindow(passed: number): Firing | undefined {
    const first = this.#firstUnfired()
    if (first === Infinity) return undefined
    const start = this.#windowFrom(first)
    const end = start + this.#size
    return end <= passed ? { start, end, group: 0, entry: 0, table: undefined } : undefined
  }

  /** Panes before the next window are kept for late rows only. */
  #firstUnfired(): number {
    let first = Infinity
    for (const start of this.#panes.keys()) if (start < first && start >= this.#nextStart) first = start
    return first
  }

  #windowFrom(pane: number): number {
    return Math.max((Math.floor((pane - this.#size) / this.#slide) + 1) * this.#slide, this.#nextStart)
  }

  /** Start of the earliest window that may still fire. */
  #nextStart = -Infinity

  #fireWindow(firing: Firing, budget: number, emit: RowsConsumer, onError: RowErrorHandler | undefined): number {
    let left = budget
    for (; firing.group < this.#groups; firing.group++) {
      if (firing.end <= (this.ended[firing.group] ?? -Infinity)) continue
      if (left <= 0) return left
      firing.table ??= this.#windowOf(firing)
      const table = firing.table
      while (table !== undefined && firing.entry < table.n) {
        if (left <= 0) return left
        const until = Math.min(table.n, firing.entry + BATCH_ROWS)
        this.#put(table, firing.entry, until, firing, emit, onError)
        left -= until - firing.entry
        firing.entry = until
      }
      firing.entry = 0
      firing.table = undefined
      if (firing.group >= this.#own.first && firing.group < this.#own.endExclusive)
        this.ended[firing.group] = firing.end
    }
    this.#nextStart = firing.start + this.#slide
    return left
  }

  #refuseResult(row: Row, firing: { start: number; end: number }, onError: RowErrorHandler | undefined): void {
    const error = new MillraceError(
      'VALUE_INVALID',
      `a sum of window [${firing.start}, ${firing.end}) leaves the exact range`,
      { domain: 'user', hint: 'sum doubles, or smaller numbers' },
    )
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

  /** Lets go of panes whose last window ends by then. */
  #dropUntil(end: number): void {
    for (const pane of this.#panes.values()) {
      if (pane.lastEnd > end) continue
      this.#panes.delete(pane.start)
      pane.tables.forEach((table, group) => {
        this.#keepSpare(table, group)
      })
    }
  }

  #keepSpare(table: PaneTable | undefined, group: number): void {
    // a table far larger than what it last held is let go
    if (table === undefined || table.cap > 8 * Math.max(table.n, 8)) return
    table.clear()
    this.#spare[group] = table
  }

  #refuseWhileFiring(what: string): void {
    if (this.#firing !== undefined)
      throw new MillraceError('WINDOW_BUSY', `${what} was called while windows were firing`)
  }
}

/** Entries of the table that were marked as changed. */
function changesOf(table: PaneTable, list: 'lates' | 'earlies'): number[] {
  return table[list] as number[]
}

function forget(table: PaneTable | undefined, list: 'lates' | 'earlies'): void {
  if (table === undefined) return
  const marks = table.u
  for (const entry of changesOf(table, list)) marks[entry] = (marks[entry] ?? 0) & ~(list === 'lates' ? LATE : EARLY)
  changesOf(table, list).length = 0
}
