import { isKeptAsText } from '../../model/type-traits.ts'
import type { Field, Row } from '../../model/schema.ts'
import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import type { Batch } from '../../memory/batch.ts'
import type { ColumnBatch } from '../../memory/column-batch.ts'
import type { Column } from '../../memory/columns.ts'
import { CHANGED, textOf, type KeyTable, type TableColumns } from '../../memory/key-table.ts'
import type { RowErrorHandler } from '../contracts.ts'
import { compile, js, lines, NOTHING, type Code } from '../emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter } from '../expression.ts'
import { HASH_HELPERS } from '../keys/key-hash.ts'
import {
  columnsOfFunction,
  keyTableClass,
  keyTableColumns,
  mergeFunctions,
  rowsOfFunction,
} from '../keys/key-table-code.ts'
import type { RowClass } from '../rows/row.ts'
import { declareKey, keyArguments } from '../windows/pane-table.ts'
import { addToKey, type AggregateCode } from './aggregate-code.ts'
import { aggregateCodes, aggregateScope } from './aggregate-codes.ts'
import { addColumnsFunction, columnsSuffice, resultsAreColumns } from './running-columns.ts'

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

/** When results come: after each row, after so many rows of a key, or when the caller takes the changed entries. */
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
  /**
   * As `add` of a batch that has columns; absent where the rows are needed. Results never come at once. Expressions are
   * given a row only when they fail.
   */
  addColumns?<Group extends RunningGroupView>(
    batch: Batch,
    now: number,
    host: RunningHost<Group>,
    onError: RowErrorHandler,
  ): void
  combine(t: RunningTable, d: number, s: RunningTable, e: number): void
  rowsOf(table: RunningTable, entries: readonly number[], count: number, out: Row[], onRow: (row: Row) => void): number
  /**
   * Puts the results of entries [from, end) of the list behind the rows of `out`. False, and `out` as before, when only
   * rowsOf can make them; absent where no results are columns.
   */
  columnsOf?(table: RunningTable, entries: readonly number[], from: number, end: number, out: ColumnBatch): boolean
}

export interface RunningTableOptions {
  /** Describes the rows that are added. */
  fields: readonly Field[]
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
  const start = js`
    t.tt[e] = Infinity
    t.cn[e] = 0
    t.ps[e] = 0
    t.nx[e] = 0
    t.hd[e] = 1`
  const byColumns = options.emission.kind === 'changed' && columnsSuffice(options)
  const toColumns = options.emission.kind === 'changed' && resultsAreColumns(options.aggregates)
  const loop = { before: restartExpired(options.ttlMs), after: afterRow(options) }
  const compiled = compile<Omit<RunningTableCode, 'columns'>>(
    'aggregate',
    js`
      ${HASH_HELPERS}
      ${keyTableClass({ keys, codes, extra: { columns: [...TIMED, ...COUNTED], start }, chained: 'by nx', ...(byColumns && keys.some(isKeptAsText) ? { bytes: 'findBytes' } : {}) })}
      ${addFunction(options, codes)}
      ${byColumns ? addColumnsFunction(options, codes, loop) : NOTHING}
      ${mergeFunctions(codes)}
      ${rowsOfFunction(keys, codes, [], 'keysStay')}
      ${
        toColumns
          ? columnsOfFunction(
              keys,
              options.aggregates.map(({ field }) => field),
              codes,
            )
          : NOTHING
      }
      return { create: () => new Table(), add, ${byColumns ? js`addColumns, ` : NOTHING}combine, rowsOf${toColumns ? js`, columnsOf` : NOTHING} }`,
    {
      ...EXPRESSION_SCOPE,
      ...aggregateScope(codes),
      Row: options.outputRowClass,
      operatorId: options.operatorId,
      textOf,
    },
  )
  // the others have the values they start with
  const kept = [...(options.ttlMs === undefined ? [] : TIMED), ...(options.emission.kind === 'full' ? COUNTED : [])]
  return { columns: keyTableColumns({ keys, codes, extra: { columns: kept, start: NOTHING } }), ...compiled }
}

function addFunction(options: RunningTableOptions, codes: readonly AggregateCode[]): Code {
  const { keys, ttlMs } = options
  const expressions = new ExpressionEmitter(js`r`)
  const declared = codes.map(({ declare }) => declare((expression) => expressions.emit(expression)))
  // rows have no order but that of their arrival
  return js`
    const time = 0, one = [0], last = []
    function refuse() { throw new RangeError('a sum was kept that is not exact') }
    function add(rows, count, now, host, out, onError) {
      let made = 0, i = 0
      while (i < count) {
        try {
          for (; i < count; i++) {
            const r = rows[i]
            ${expressions.declarations()}
            ${declared}
            ${declareKey(keys, options.maxParallelism)}
            const s = host.groupAt(g), t = s.table, had = t.n, e = t.find(${keyArguments(keys)})
            ${restartExpired(ttlMs)}
            ${addToKey(codes)}
            ${afterRow(options)}
          }
        } catch (error) {
          onError(error, rows[i], operatorId)
          i++
        }
      }
      return made
    }`
}

/** Before a row is added to entry e: what the key held too long ago is forgotten. */
function restartExpired(ttlMs: number | undefined): Code {
  if (ttlMs === undefined) return NOTHING
  return js`
    if (t.tt[e] + ${ttlMs} <= now) {
      const bits = t.u[e]
      t.start(e)
      t.u[e] |= bits
    }`
}

function afterRow({ emission, ttlMs }: RunningTableOptions): Code {
  return lines([ttlMs === undefined ? NOTHING : js`t.tt[e] = now`, emit(emission)])
}

/** Puts out, counts or lists entry e, which a row has been added to. */
function emit(emission: RunningEmission): Code {
  switch (emission.kind) {
    case 'everyRow':
      return js`
        t.u[e] = ${CHANGED}
        one[0] = e
        made += rowsOf(t, one, 1, last, refuse)
        out[made - 1] = last[0]`
    case 'full':
      return js`
        t.u[e] = ${CHANGED}
        if (++t.cn[e] === ${emission.rows}) made = host.full(s, e, out, made)`
    case 'changed':
      return js`
        if (t.u[e] !== ${LISTED | CHANGED}) {
          if ((t.u[e] & ${LISTED}) === 0 && s.changed.push(e) === 1) host.touched(s)
          t.u[e] = ${LISTED | CHANGED}
        }`
  }
}
