import { greatestCommonDivisor } from '../../model/greatest-common-divisor.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Field, Row, Schema } from '../../model/schema.ts'
import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import { type Batch, BATCH_ROWS, RowBatch } from '../../memory/batch.ts'
import type { ColumnBatch } from '../../memory/column-batch.ts'
import type { RowErrorHandler, RowsConsumer } from '../../codegen/contracts.ts'
import { CHANGED, type TableColumns } from '../../memory/key-table.ts'
import type { KeyTables, LiveTable } from '../../state/key-tables.ts'
import type { RowClass } from '../../codegen/rows/row.ts'
import {
  compileRunningTable,
  LISTED,
  type RunningEmission,
  type RunningGroupView,
  type RunningHost,
  type RunningTable,
  type RunningTableCode,
} from '../../codegen/aggregates/running-table.ts'
import { tableShape } from '../../state/table-shape.ts'

export interface RunningAggregatesOptions {
  keys: readonly Field[]
  aggregates: readonly Aggregate[]
  inputSchema: Schema
  outputRowClass: RowClass
  maxParallelism: number
  operatorId: string
  /** counted: the last `rows` of a key after every so many; the others: RunningTable. */
  emission: { kind: 'everyRow' } | { kind: 'changed' } | { kind: 'counted'; rows: number; every: number }
  ttlMs?: number
}

interface RunningGroup extends RunningGroupView {
  id: number
}

/**
 * The state of aggregates that do not go by time, one entry per key: running ones, those of all rows of a bounded
 * input, and windows of so many rows. The last are counted off in parts of gcd(rows, every), which windows that
 * overlap share; the semantics are Flink's countWindow: the first windows hold fewer rows, the last incomplete one
 * is never seen.
 */
export class RunningAggregates implements RunningHost<RunningGroup>, KeyTables {
  readonly shape: string
  readonly columns: TableColumns
  readonly #code: RunningTableCode
  readonly #operatorId: string
  readonly #ttlMs: number | undefined
  readonly #groups: (RunningGroup | undefined)[]
  readonly #parts: { perWindow: number; perResult: number }
  readonly #scratch: RunningTable
  readonly #out: Row[] = []
  #changed: RunningGroup[] = []

  constructor(options: RunningAggregatesOptions) {
    const { keys, aggregates, emission, outputRowClass, operatorId } = options
    const part = emission.kind === 'counted' ? greatestCommonDivisor(emission.rows, emission.every) : 1
    const tableEmission: RunningEmission = emission.kind === 'counted' ? { kind: 'full', rows: part } : emission
    this.#code = compileRunningTable({
      fields: options.inputSchema.fields,
      keys,
      aggregates,
      outputRowClass,
      maxParallelism: options.maxParallelism,
      operatorId,
      emission: tableEmission,
      ...(options.ttlMs === undefined ? {} : { ttlMs: options.ttlMs }),
    })
    this.columns = this.#code.columns
    this.shape = tableShape(emission.kind === 'counted' ? { rows: emission.rows, every: emission.every } : {}, options)
    this.#operatorId = operatorId
    this.#ttlMs = options.ttlMs
    this.#groups = new Array<RunningGroup | undefined>(options.maxParallelism).fill(undefined)
    this.#parts =
      emission.kind === 'counted'
        ? { perWindow: emission.rows / part, perResult: emission.every / part }
        : { perWindow: 1, perResult: 1 }
    this.#scratch = this.#code.create()
  }

  /** True when a batch that has columns is added without its rows. */
  get readsColumns(): boolean {
    return this.#code.addColumns !== undefined
  }

  /** Adds a batch; `out` gets what comes at once (at most one row for each) and the number of it is returned. */
  add(batch: Batch, now: number, out: Row[], onError: RowErrorHandler): number {
    if (this.#code.addColumns === undefined || batch.columns === undefined)
      return this.#code.add(batch.rows(), batch.count, now, this, out, onError)
    this.#code.addColumns(batch, now, this, onError)
    return 0
  }

  groupAt(id: number): RunningGroup {
    const known = this.#groups[id]
    if (known !== undefined) return known
    const made: RunningGroup = { id, table: this.#code.create(), changed: [] }
    this.#groups[id] = made
    return made
  }

  touched(group: RunningGroup): void {
    this.#changed.push(group)
  }

  /** Emits what the keys that changed since the last call hold now. */
  takeChanged(emit: RowsConsumer, onError: RowErrorHandler): void {
    for (const { table, changed } of this.#changed) {
      for (const entry of changed) table.u[entry] = (table.u[entry] as number) & ~LISTED
      this.#emit(table, changed, emit, onError)
      changed.length = 0
    }
    this.#changed = []
  }

  /** True when `changedBatch` may be called. */
  get hasColumns(): boolean {
    return this.#code.columnsOf !== undefined
  }

  /**
   * As takeChanged, a batch at a call: `out` with as many rows as it holds, or rows where they cannot be columns;
   * undefined when there are no more. What it gave must have been handled before the next call.
   */
  changedBatch(out: ColumnBatch, onError: RowErrorHandler): Batch | undefined {
    out.clear()
    for (let group = this.#changed[0]; group !== undefined; group = this.#changed[0]) {
      const { table, changed } = group
      const end = Math.min(changed.length, BATCH_ROWS - out.count)
      if (end === 0) break
      if (this.#code.columnsOf?.(table, changed, 0, end, out) !== true) {
        if (out.count > 0) break
        return this.#changedRows(group, onError)
      }
      this.#taken(group, end)
    }
    return out.count === 0 ? undefined : out
  }

  #changedRows(group: RunningGroup, onError: RowErrorHandler): Batch {
    const { table, changed } = group
    const count = Math.min(changed.length, BATCH_ROWS)
    const made = this.#code.rowsOf(table, changed, count, this.#out, (row) => {
      this.#refuse(row, onError)
    })
    this.#taken(group, count)
    return new RowBatch(this.#out, made)
  }

  /** The first so many of the group's changed entries have been put out. */
  #taken(group: RunningGroup, count: number): void {
    const { table, changed } = group
    for (let i = 0; i < count; i++) {
      const entry = changed[i] as number
      table.u[entry] = (table.u[entry] as number) & ~LISTED
    }
    if (count < changed.length) changed.splice(0, count)
    else {
      changed.length = 0
      this.#changed.shift()
    }
  }

  /**
   * Emits every key of the next groups from `group` on, until about `budgetRows` are out, and forgets them; returns
   * the group to continue with.
   */
  takeAll(group: number, budgetRows: number, emit: RowsConsumer, onError: RowErrorHandler): number | undefined {
    let left = budgetRows
    for (let id = group; id < this.#groups.length; id++) {
      if (left <= 0) return id
      const taken = this.#groups[id]
      if (taken === undefined) continue
      this.#emit(
        taken.table,
        Array.from({ length: taken.table.n }, (_, entry) => entry),
        emit,
        onError,
      )
      left -= taken.table.n
      this.#groups[id] = undefined
    }
    this.#changed = []
    return undefined
  }

  #emit(table: RunningTable, entries: readonly number[], emit: RowsConsumer, onError: RowErrorHandler): void {
    for (let at = 0; at < entries.length; at += BATCH_ROWS) {
      const some = entries.length <= BATCH_ROWS ? entries : entries.slice(at, at + BATCH_ROWS)
      const made = this.#code.rowsOf(table, some, some.length, this.#out, (row) => {
        this.#refuse(row, onError)
      })
      if (made > 0) emit(this.#out, made)
    }
  }

  #refuse(row: Row, onError: RowErrorHandler): void {
    onError(
      new MillraceError('VALUE_INVALID', 'a sum leaves the exact range', {
        domain: 'user',
        hint: 'sum doubles, or smaller numbers',
      }),
      row,
      this.#operatorId,
    )
  }

  /**
   * The first entry of a key is its newest part; behind it, the newest first, are full ones, no more than a window
   * has.
   */
  full(group: RunningGroup, entry: number, out: Row[], made: number): number {
    const { table } = group
    const { perWindow, perResult } = this.#parts
    if (perWindow === 1) {
      const count = this.#code.rowsOf(table, [entry], 1, this.#out, () => undefined)
      if (count > 0) out[made] = this.#out[0] as Row
      restart(table, entry)
      return made + count
    }
    const results = (table.ps[entry] as number) + 1
    this.#code.combine(table, this.#nextPart(table, entry), table, entry)
    restart(table, entry)
    table.ps[entry] = results % perResult
    return results === perResult ? this.#putWindow(table, entry, out, made) : made
  }

  /** An empty entry right behind the first: a new one, or the oldest when there are as many as a window has. */
  #nextPart(table: RunningTable, head: number): number {
    const parts = partsOf(table, head)
    const oldest = parts.at(-1)
    if (oldest === undefined || parts.length < this.#parts.perWindow) return table.chain(head)
    const before = parts.at(-2) ?? head
    table.nx[before] = 0
    table.u[before] = (table.u[before] as number) | CHANGED
    table.start(oldest)
    table.hd[oldest] = 0
    table.nx[oldest] = table.nx[head] as number
    table.nx[head] = oldest + 1
    return oldest
  }

  #putWindow(table: RunningTable, head: number, out: Row[], made: number): number {
    const scratch = this.#scratch
    scratch.clear()
    const all = scratch.findOf(table, head)
    for (const part of partsOf(table, head).reverse()) this.#code.combine(scratch, all, table, part)
    const count = this.#code.rowsOf(scratch, [all], 1, this.#out, () => undefined)
    if (count > 0) out[made] = this.#out[0] as Row
    return made + count
  }

  /**
   * Lets go of keys nothing came for since `now` less the time to live, in groups from `group` on, until so many
   * entries were looked at; returns the group to continue with. Changes must have been taken before.
   */
  expire(now: number, group: number, budgetEntries: number): number | undefined {
    const { ttlMs } = { ttlMs: this.#ttlMs ?? Infinity }
    let left = budgetEntries
    for (let id = group; id < this.#groups.length; id++) {
      if (left <= 0) return id
      const old = this.#groups[id]?.table
      if (old === undefined) continue
      left -= old.n
      if (!old.tt.subarray(0, old.n).some((last) => last + ttlMs <= now)) continue
      this.#groups[id] = undefined
      this.#adopt(id, old, (entry) => (old.tt[entry] as number) + ttlMs > now)
    }
    return undefined
  }

  #adopt(id: number, from: RunningTable, keep: (entry: number) => boolean): void {
    for (let head = 0; head < from.n; head++) {
      if (from.hd[head] !== 1 || !keep(head)) continue
      const { table } = this.groupAt(id)
      const to = table.findOf(from, head)
      this.#copy(table, to, from, head)
      for (const part of partsOf(from, head).reverse()) this.#copy(table, table.chain(to), from, part)
    }
  }

  #copy(table: RunningTable, to: number, from: RunningTable, entry: number): void {
    this.#code.combine(table, to, from, entry)
    table.tt[to] = from.tt[entry] as number
    table.cn[to] = from.cn[entry] as number
    table.ps[to] = from.ps[entry] as number
  }

  size(): number {
    return this.#groups.reduce((sum, group) => sum + (group?.table.n ?? 0), 0)
  }

  create(): RunningTable {
    return this.#code.create()
  }

  /** Changes must have been taken before. */
  live(): LiveTable[] {
    return this.#groups.flatMap((group) =>
      group === undefined ? [] : [{ group: group.id, start: 0, table: group.table }],
    )
  }

  fired(): [] {
    return []
  }

  adopt({ group, table }: LiveTable): void {
    if (this.#groups[group] !== undefined) {
      this.#adopt(group, table as RunningTable, () => true)
      return
    }
    table.reindex()
    this.#groups[group] = { id: group, table: table as RunningTable, changed: [] }
  }

  adoptFired(): void {
    throw new MillraceError('STATE_CORRUPT', 'the state of an aggregate without windows says that windows have fired')
  }
}

/** Empties the entry and leaves it where it is in its chain. */
function restart(table: RunningTable, entry: number): void {
  const [next, time] = [table.nx[entry] as number, table.tt[entry] as number]
  table.start(entry)
  table.nx[entry] = next
  table.tt[entry] = time
}

/** The entries chained behind the first one of a key. */
function partsOf(table: RunningTable, head: number): number[] {
  const parts: number[] = []
  for (let entry = (table.nx[head] as number) - 1; entry >= 0; entry = (table.nx[entry] as number) - 1)
    parts.push(entry)
  return parts
}
