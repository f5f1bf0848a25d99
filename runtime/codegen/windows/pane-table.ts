import { MillraceError } from '../../model/errors.ts'
import type { Field, Row } from '../../model/schema.ts'
import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import { emitAddToKey, type AggregateCode } from '../aggregates/aggregate-code.ts'
import { aggregateCodes, aggregateScope } from '../aggregates/aggregate-codes.ts'
import { storedKey } from '../keys/key-columns.ts'
import type { RowErrorHandler } from '../contracts.ts'
import { Emitter } from '../emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter } from '../expression.ts'
import { emitHashHelpers, keyGroupExpression, keyHashExpression } from '../keys/key-hash.ts'
import { emitKeyTable, emitMerge, emitRows, keyTableColumns } from '../keys/key-table-code.ts'
import { CHANGED, textOf, type KeyTable, type TableColumns } from '../../memory/key-table.ts'
import type { RowClass } from '../rows/row.ts'

/** The entries of one pane and key group. With `tracking`, `lates` and `earlies` list entries that changed. */
export type PaneTable = KeyTable

/** What the generated add loop asks of the panes. */
export interface PaneHost {
  /** End of the last fired window of each key group. */
  readonly ended: Float64Array
  paneAt(time: number): PaneView
  tableAt(pane: PaneView, group: number): PaneTable
  /** The table has its first entry that came after its first window had fired. */
  lateIn(pane: PaneView, group: number): void
}

export interface PaneView {
  readonly start: number
  readonly end: number
  /** Ends of the first and the last window that hold this pane. */
  readonly firstEnd: number
  readonly lastEnd: number
  /** Lies between two windows (slide > size): its rows belong to none. */
  readonly inGap: boolean
  readonly tables: (PaneTable | undefined)[]
}

/** Bits of column u: the entry is listed in `lates`, in `earlies`. */
export const LATE = 1,
  EARLY = 2

export interface PaneTableCode {
  columns: TableColumns
  create(): PaneTable
  /**
   * Adds rows; `passed` is watermark + 1, or the time of all rows where `time` is the clock's. Rows that came too
   * late go to `late`; returns how many.
   */
  add(
    rows: readonly Row[],
    count: number,
    passed: number,
    host: PaneHost,
    late: Row[],
    onError: RowErrorHandler,
  ): number
  /** Adds all entries of `from` to `into`. `from` needs no index. */
  merge(into: PaneTable, from: PaneTable): void
  /** As merge, but only entries whose keys `into` has; `from` needs its index. */
  mergeKnown(into: PaneTable, from: PaneTable): void
  /**
   * Makes the output rows of entries [first, end). `onRow` gets rows whose sum is beyond what it may be; they are
   * left out.
   */
  rows(
    table: PaneTable,
    first: number,
    end: number,
    windowStart: number,
    windowEnd: number,
    out: Row[],
    onRow: (row: Row) => void,
  ): number
}

/** Event time is the field's value plus the offset. */
export type RowTime = { kind: 'event'; field: Field; offsetMs: number } | { kind: 'processing' }

export interface PaneTableOptions {
  keys: readonly Field[]
  aggregates: readonly Aggregate[]
  time: RowTime
  maxParallelism: number
  latenessMs: number
  tracking: 'early' | 'none'
  windows: 'touching' | 'with gaps'
  outputRowClass: RowClass
  operatorId: string
}

/** Generates the table class of one window operator and the functions over it. */
export function compilePaneTable(options: PaneTableOptions): PaneTableCode {
  const { keys, aggregates } = options
  const codes = aggregateCodes(aggregates)
  const isTracked = options.tracking === 'early' || options.latenessMs > 0
  const columns = keyTableColumns({ keys, codes })
  const code = new Emitter()
  emitHashHelpers(code)
  emitKeyTable(code, {
    keys,
    codes,
    ...(isTracked
      ? {
          fields: {
            create: 'this.lates = []; this.earlies = []',
            clear: 'this.lates.length = 0; this.earlies.length = 0',
          },
        }
      : {}),
  })
  emitAdd(code, options, codes)
  emitMerge(code, codes)
  emitRows(code, keys, codes, ['windowStart', 'windowEnd'])
  code.line(`return { create: () => new Table(), add, merge, mergeKnown, rows }`)
  const compiled = code.compile<Omit<PaneTableCode, 'columns'>>({
    ...EXPRESSION_SCOPE,
    ...aggregateScope(codes),
    Row: options.outputRowClass,
    operatorId: options.operatorId,
    textOf,
    refuseNullTime,
  })
  return { columns, ...compiled }
}

function emitAdd(code: Emitter, options: PaneTableOptions, codes: readonly AggregateCode[]): void {
  const { keys, time, latenessMs } = options
  const body = new Emitter()
  const expressions = new ExpressionEmitter(body, 'r')
  emitTime(body, time)
  body.line(
    `if (!(time >= from && time < to)) { pane = host.paneAt(time); from = pane.start; to = pane.end; lastEnd = pane.lastEnd + ${latenessMs}; tables = pane.tables }`,
  )
  if (options.windows === 'with gaps') body.line(`if (pane.inGap) continue`)
  emitKey(body, keys, options.maxParallelism)
  if (time.kind === 'event') body.line(`if (lastEnd <= passed || lastEnd <= fired[g]) { late[lates++] = r; continue }`)
  for (const { declare } of codes) declare(body, (expression) => expressions.emit(expression))
  body.line(`let t = tables[g]; if (t === undefined) t = host.tableAt(pane, g)`)
  body.line(`const had = t.n, e = t.find(${keyArguments(keys)})`)
  emitAddToKey(body, codes)
  body.line(latenessMs > 0 || options.tracking === 'early' ? `t.u[e] |= ${CHANGED}` : `t.u[e] = ${CHANGED}`)
  if (latenessMs > 0)
    body.line(
      `if ((pane.firstEnd <= passed || pane.firstEnd <= fired[g]) && (t.u[e] & ${LATE}) === 0) { t.u[e] |= ${LATE}; if (t.lates.push(e) === 1) host.lateIn(pane, g) }`,
    )
  if (options.tracking === 'early')
    body.line(`if ((t.u[e] & ${EARLY}) === 0) { t.u[e] |= ${EARLY}; t.earlies.push(e) }`)
  code.line(`function add(rows, count, passed, host, late, onError) {`)
  code.line(
    `const fired = host.ended; let lates = 0, i = 0, pane, from = Infinity, to = -Infinity, lastEnd = 0, tables`,
  )
  code.line(`while (i < count) { try { for (; i < count; i++) { const r = rows[i]; ${expressions.declarations()}`)
  code.line(body.text())
  code.line(`} } catch (error) { onError(error, rows[i], operatorId); i++ } }`)
  code.line(`return lates }`)
}

/** Declares `time` of row r; `passed` is the clock's where that counts. */
export function emitTime(code: Emitter, time: RowTime): void {
  if (time.kind === 'processing') {
    code.line(`const time = passed`)
    return
  }
  const value = `r${code.property(time.field.name)}`
  if (time.field.nullable) code.line(`if (${value} === null) refuseNullTime(${code.literal(time.field.name)})`)
  code.line(`const time = ${value}${time.offsetMs === 0 ? '' : ` + ${code.literal(time.offsetMs)}`}`)
}

/**
 * Declares the key's values of row r, their hash h and its key group g: one pass instead of a key grouper's and
 * this one.
 */
export function emitKey(code: Emitter, keys: readonly Field[], maxParallelism: number): void {
  keys.forEach((field, index) => code.line(`const v${index} = r${code.property(field.name)}`))
  code.line(
    `const h = ${keyHashExpression(
      keys,
      keys.map((_, index) => `v${index}`),
    )}`,
  )
  code.line(`const g = ${keyGroupExpression('h', maxParallelism)}`)
}

/** What `find` is called with. */
export function keyArguments(keys: readonly Field[]): string {
  return [...keys.map((field, index) => storedKey(field, `v${index}`)), 'h'].join(', ')
}

export function refuseNullTime(field: string): never {
  throw new MillraceError('RECORD_INVALID', `event time '${field}' is null`, { domain: 'user' })
}
