import type { Field, Row } from '../../model/schema.ts'
import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import { emitAddToKey, type AggregateCode } from './aggregate-code.ts'
import { aggregateCodes, aggregateScope } from './aggregate-codes.ts'
import type { Column } from '../../memory/columns.ts'
import type { RowErrorHandler } from '../contracts.ts'
import { Emitter } from '../emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter } from '../expression.ts'
import { emitHashHelpers } from '../keys/key-hash.ts'
import { emitKeyTable, emitMerge, emitRowsOf, keyTableColumns } from '../keys/key-table-code.ts'
import { CHANGED, textOf, type KeyTable, type TableColumns } from '../../memory/key-table.ts'
import { emitKey, keyArguments } from '../windows/pane-table.ts'
import type { RowClass } from '../rows/row.ts'

/**
 * The entries of one key group. A key's rows are in its first entry, and in those chained to it when they are
 * counted off.
 */
export interface RunningTable extends KeyTable {
  /** When the last row came. */
  tt: Float64Array
  /** Rows in the entry. */
  cn: Int32Array
  /** Full entries since the last result. */
  ps: Int32Array
  nx: Int32Array
  hd: Uint8Array
  chain(x: number): number
}

/** Bit of column u: the entry is listed in `changed`. */
export const LISTED = 1

export interface RunningGroupView {
  table: RunningTable
  changed: number[]
}

export interface RunningHost<Group extends RunningGroupView> {
  groupAt(group: number): Group
  /** The first entry of the group has changed. */
  touched(group: Group): void
  /** The entry holds as many rows as it may: results go to `out` from `made` on; returns where it ends. */
  full(group: Group, entry: number, out: Row[], made: number): number
}

/** When results come: after each row, after so many of a key, or when asked for the entries that changed. */
export type RunningEmission = { kind: 'everyRow' } | { kind: 'full'; rows: number } | { kind: 'changed' }

export interface RunningTableCode {
  columns: TableColumns
  create(): RunningTable
  /** Adds rows at the time `now`; results that come at once go to `out`; returns how many. */
  add<Group extends RunningGroupView>(
    rows: readonly Row[],
    count: number,
    now: number,
    host: RunningHost<Group>,
    out: Row[],
    onError: RowErrorHandler,
  ): number
  combine(t: RunningTable, d: number, s: RunningTable, e: number): void
  rowsOf(table: RunningTable, entries: readonly number[], count: number, out: Row[], onRow: (row: Row) => void): number
}

export interface RunningTableOptions {
  keys: readonly Field[]
  aggregates: readonly Aggregate[]
  maxParallelism: number
  emission: RunningEmission
  /** A key nothing came for in so long is as if it had never been. */
  ttlMs?: number
  outputRowClass: RowClass
  operatorId: string
}

const TIMED: readonly Column[] = [{ name: 'tt', array: 'Float64Array' }]
const COUNTED: readonly Column[] = [
  { name: 'cn', array: 'Int32Array' },
  { name: 'ps', array: 'Int32Array' },
  { name: 'nx', array: 'Int32Array' },
  { name: 'hd', array: 'Uint8Array' },
]

/** Generates the table class of one aggregate without windows of time and the functions over it. */
export function compileRunningTable(options: RunningTableOptions): RunningTableCode {
  const { keys } = options
  const codes = aggregateCodes(options.aggregates)
  const start = 't.tt[e] = Infinity; t.cn[e] = 0; t.ps[e] = 0; t.nx[e] = 0; t.hd[e] = 1'
  const code = new Emitter()
  emitHashHelpers(code)
  emitKeyTable(code, { keys, codes, extra: { columns: [...TIMED, ...COUNTED], start }, chained: 'by nx' })
  emitAdd(code, options, codes)
  emitMerge(code, codes)
  emitRowsOf(code, keys, codes, [], 'keysStay')
  code.line(`return { create: () => new Table(), add, combine, rowsOf }`)
  const compiled = code.compile<Omit<RunningTableCode, 'columns'>>({
    ...EXPRESSION_SCOPE,
    ...aggregateScope(codes),
    Row: options.outputRowClass,
    operatorId: options.operatorId,
    textOf,
  })
  // the others have the values they start with
  const kept = [...(options.ttlMs === undefined ? [] : TIMED), ...(options.emission.kind === 'full' ? COUNTED : [])]
  return { columns: keyTableColumns({ keys, codes, extra: { columns: kept, start: '' } }), ...compiled }
}

function emitAdd(code: Emitter, options: RunningTableOptions, codes: readonly AggregateCode[]): void {
  const { keys, emission, ttlMs } = options
  const body = new Emitter()
  const expressions = new ExpressionEmitter(body, 'r')
  for (const { declare } of codes) declare(body, (expression) => expressions.emit(expression))
  emitKey(body, keys, options.maxParallelism)
  body.line(`const s = host.groupAt(g), t = s.table, had = t.n, e = t.find(${keyArguments(keys)})`)
  if (ttlMs !== undefined)
    body.line(`if (t.tt[e] + ${code.literal(ttlMs)} <= now) { const bits = t.u[e]; t.start(e); t.u[e] |= bits }`)
  emitAddToKey(body, codes)
  if (ttlMs !== undefined) body.line(`t.tt[e] = now`)
  if (emission.kind !== 'changed') body.line(`t.u[e] = ${CHANGED}`)
  switch (emission.kind) {
    case 'everyRow':
      body.line(`one[0] = e; made += rowsOf(t, one, 1, last, refuse); out[made - 1] = last[0]`)
      break
    case 'full':
      body.line(`if (++t.cn[e] === ${code.literal(emission.rows)}) made = host.full(s, e, out, made)`)
      break
    case 'changed':
      body.line(
        `if (t.u[e] !== ${LISTED | CHANGED}) { if ((t.u[e] & ${LISTED}) === 0 && s.changed.push(e) === 1) host.touched(s); t.u[e] = ${LISTED | CHANGED} }`,
      )
      break
  }
  // rows have no order but that of their arrival
  code.line(`const time = 0, one = [0], last = []`)
  code.line(`function refuse() { throw new RangeError('a sum was kept that is not exact') }`)
  code.line(`function add(rows, count, now, host, out, onError) { let made = 0, i = 0`)
  code.line(`while (i < count) { try { for (; i < count; i++) { const r = rows[i]; ${expressions.declarations()}`)
  code.line(body.text())
  code.line(`} } catch (error) { onError(error, rows[i], operatorId); i++ } }`)
  code.line(`return made }`)
}
