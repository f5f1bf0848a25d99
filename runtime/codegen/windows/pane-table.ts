import { MillraceError } from '../../model/errors.ts'
import type { Field, Row } from '../../model/schema.ts'
import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import { CHANGED, textOf, type KeyTable, type TableColumns } from '../../memory/key-table.ts'
import { addToKey, type AggregateCode } from '../aggregates/aggregate-code.ts'
import { aggregateCodes, aggregateScope } from '../aggregates/aggregate-codes.ts'
import type { RowErrorHandler } from '../contracts.ts'
import { compile, js, lines, NOTHING, property, type Code } from '../emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter } from '../expression.ts'
import { storedKey } from '../keys/key-columns.ts'
import { HASH_HELPERS, keyGroup, keyHash } from '../keys/key-hash.ts'
import { keyTableClass, keyTableColumns, mergeFunctions, rowsFunction } from '../keys/key-table-code.ts'
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
  const tracking = {
    create: lines([js`this.lates = []`, js`this.earlies = []`]),
    clear: lines([js`this.lates.length = 0`, js`this.earlies.length = 0`]),
  }
  const compiled = compile<Omit<PaneTableCode, 'columns'>>(
    'window',
    js`
      ${HASH_HELPERS}
      ${keyTableClass({ keys, codes, ...(isTracked ? { fields: tracking } : {}) })}
      ${addFunction(options, codes)}
      ${mergeFunctions(codes)}
      ${rowsFunction(keys, codes, [js`windowStart`, js`windowEnd`])}
      return { create: () => new Table(), add, merge, mergeKnown, rows }`,
    {
      ...EXPRESSION_SCOPE,
      ...aggregateScope(codes),
      Row: options.outputRowClass,
      operatorId: options.operatorId,
      textOf,
      refuseNullTime,
    },
  )
  return { columns, ...compiled }
}

function addFunction(options: PaneTableOptions, codes: readonly AggregateCode[]): Code {
  const { keys, time, latenessMs, tracking, windows } = options
  const expressions = new ExpressionEmitter(js`r`)
  const declared = codes.map(({ declare }) => declare((expression) => expressions.emit(expression)))
  const keepsMarks = latenessMs > 0 || tracking === 'early'
  const listLate = js`
    if ((pane.firstEnd <= passed || pane.firstEnd <= fired[g]) && (t.u[e] & ${LATE}) === 0) {
      t.u[e] |= ${LATE}
      if (t.lates.push(e) === 1) host.lateIn(pane, g)
    }`
  const listEarly = js`
    if ((t.u[e] & ${EARLY}) === 0) {
      t.u[e] |= ${EARLY}
      t.earlies.push(e)
    }`
  const leaveLate = js`
    if (lastEnd <= passed || lastEnd <= fired[g]) {
      late[lates++] = r
      continue
    }`
  return js`
    function add(rows, count, passed, host, late, onError) {
      const fired = host.ended
      let lates = 0, i = 0, pane, from = Infinity, to = -Infinity, lastEnd = 0, tables
      while (i < count) {
        try {
          for (; i < count; i++) {
            const r = rows[i]
            ${expressions.declarations()}
            ${declareTime(time)}
            if (!(time >= from && time < to)) {
              pane = host.paneAt(time)
              from = pane.start
              to = pane.end
              lastEnd = pane.lastEnd + ${latenessMs}
              tables = pane.tables
            }
            ${windows === 'with gaps' ? js`if (pane.inGap) continue` : NOTHING}
            ${declareKey(keys, options.maxParallelism)}
            ${time.kind === 'event' ? leaveLate : NOTHING}
            ${declared}
            let t = tables[g]
            if (t === undefined) t = host.tableAt(pane, g)
            const had = t.n, e = t.find(${keyArguments(keys)})
            ${addToKey(codes)}
            t.u[e] ${keepsMarks ? js`|=` : js`=`} ${CHANGED}
            ${latenessMs > 0 ? listLate : NOTHING}
            ${tracking === 'early' ? listEarly : NOTHING}
          }
        } catch (error) {
          onError(error, rows[i], operatorId)
          i++
        }
      }
      return lates
    }`
}

/** Declares `time` of row r; `passed` is the clock's where that counts. */
export function declareTime(time: RowTime): Code {
  if (time.kind === 'processing') return js`const time = passed`
  const { name, nullable } = time.field
  const value = js`r${property(name)}`
  return js`
    ${nullable ? js`if (${value} === null) refuseNullTime(${name})` : NOTHING}
    const time = ${time.offsetMs === 0 ? value : js`${value} + ${time.offsetMs}`}`
}

/**
 * Declares the key's values of row r, their hash h and its key group g: one pass instead of a key grouper's and
 * this one.
 */
export function declareKey(keys: readonly Field[], maxParallelism: number): Code {
  const values = keys.map((_, index) => js`v${index}`)
  return js`
    ${keys.map(({ name }, index) => js`const v${index} = r${property(name)}`)}
    const h = ${keyHash(keys, values)}
    const g = ${keyGroup(js`h`, maxParallelism)}`
}

/** The arguments that `find` is called with. */
export function keyArguments(keys: readonly Field[]): Code[] {
  return [...keys.map((field, index) => storedKey(field, js`v${index}`)), js`h`]
}

export function refuseNullTime(field: string): never {
  throw new MillraceError('RECORD_INVALID', `event time '${field}' is null`, { domain: 'user' })
}
