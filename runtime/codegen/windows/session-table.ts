import type { Field, Row } from '../../model/schema.ts'
import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import type { Column } from '../../memory/columns.ts'
import { CHANGED, textOf, type KeyTable, type TableColumns } from '../../memory/key-table.ts'
import { addToEntry, type AggregateCode } from '../aggregates/aggregate-code.ts'
import { aggregateCodes, aggregateScope } from '../aggregates/aggregate-codes.ts'
import type { RowErrorHandler } from '../contracts.ts'
import { compile, js, NOTHING, type Code } from '../emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter } from '../expression.ts'
import { HASH_HELPERS } from '../keys/key-hash.ts'
import { keyTableClass, keyTableColumns, mergeFunctions, rowsOfFunction } from '../keys/key-table-code.ts'
import type { RowClass } from '../rows/row.ts'
import { declareKey, declareTime, keyArguments, refuseNullTime, type RowTime } from './pane-table.ts'

/** Bit of column u: the entry is listed in `earlies`. */
export const LISTED = 1

/** The state of a session, in column st. */
export const SESSION = { none: 0, open: 1, fired: 2 } as const

/**
 * The sessions of one key group, [ws, we) each, those of a key in a chain. An entry whose session has ended stays
 * for the next session of its key until the table is replaced.
 */
export interface SessionTable extends KeyTable {
  ws: Float64Array
  we: Float64Array
  /** When the session is to be looked at; Infinity before the first, -Infinity after the last. */
  tm: Float64Array
  st: Uint8Array
  /** Next entry of the chain + 1. */
  nx: Int32Array
  hd: Uint8Array
  /** One more entry of the key of entry x, behind it. */
  chain(x: number): number
}

/** What the generated loop knows of a key group. */
export interface SessionGroupView {
  table: SessionTable
  earlies: number[]
}

export interface SessionHost<Group extends SessionGroupView> {
  groupAt(group: number): Group
  /** The session that takes a row of this time, merged from those it joins, or -1 when it comes too late. */
  session(group: Group, head: number, time: number, passed: number): number
  /** Only where `mayRefuse`: the row of the last call of `session` has been added to that session, or was refused. */
  taken(group: Group): void
  refused(group: Group, entry: number): void
  /** A row has been added to a session that had fired. */
  late(group: Group, entry: number, passed: number): void
}

export interface SessionTableCode {
  /** The columns that a snapshot holds; the others follow from them. */
  columns: TableColumns
  /** Whether a row may be refused after `session` was called for it. */
  mayRefuse: boolean
  create(): SessionTable
  /** As PaneTableCode.add. */
  add<Group extends SessionGroupView>(
    rows: readonly Row[],
    count: number,
    passed: number,
    host: SessionHost<Group>,
    late: Row[],
    onError: RowErrorHandler,
  ): number
  /** Adds entry e of table s to entry d of table t, whose rows came before. */
  combine(t: SessionTable, d: number, s: SessionTable, e: number): void
  rowsOf(table: SessionTable, entries: readonly number[], count: number, out: Row[], onRow: (row: Row) => void): number
}

export interface SessionTableOptions {
  keys: readonly Field[]
  aggregates: readonly Aggregate[]
  time: RowTime
  maxParallelism: number
  gapMs: number
  latenessMs: number
  tracking: 'early' | 'none'
  outputRowClass: RowClass
  operatorId: string
}

const KEPT: readonly Column[] = [
  { name: 'ws', array: 'Float64Array' },
  { name: 'we', array: 'Float64Array' },
  { name: 'st', array: 'Uint8Array' },
]
const DERIVED: readonly Column[] = [
  { name: 'tm', array: 'Float64Array' },
  { name: 'nx', array: 'Int32Array' },
  { name: 'hd', array: 'Uint8Array' },
]

/** Generates the table class of one operator of sessions and the functions over it. */
export function compileSessionTable(options: SessionTableOptions): SessionTableCode {
  const { keys } = options
  const codes = aggregateCodes(options.aggregates)
  const start = js`
    t.ws[e] = 0
    t.we[e] = -Infinity
    t.tm[e] = Infinity
    t.st[e] = 0
    t.nx[e] = 0
    t.hd[e] = 1`
  const compiled = compile<Omit<SessionTableCode, 'columns' | 'mayRefuse'>>(
    'session window',
    js`
      ${HASH_HELPERS}
      ${keyTableClass({ keys, codes, extra: { columns: [...KEPT, ...DERIVED], start }, chained: 'by nx' })}
      ${addFunction(options, codes)}
      ${mergeFunctions(codes)}
      ${rowsOfFunction(keys, codes, [js`t.ws[e]`, js`t.we[e]`], 'keysGo')}
      return { create: () => new Table(), add, combine, rowsOf }`,
    {
      ...EXPRESSION_SCOPE,
      ...aggregateScope(codes),
      Row: options.outputRowClass,
      operatorId: options.operatorId,
      textOf,
      refuseNullTime,
    },
  )
  return {
    columns: keyTableColumns({ keys, codes, extra: { columns: KEPT, start: NOTHING } }),
    mayRefuse: mayRefuse(codes),
    ...compiled,
  }
}

/**
 * Arguments are checked before a session is looked for, and its bounds move after sums are known to fit: a row that is
 * refused leaves no trace. The common case, a row that falls into the only session of its key, takes three comparisons.
 */
function addFunction(options: SessionTableOptions, codes: readonly AggregateCode[]): Code {
  const { keys, gapMs, latenessMs, tracking } = options
  const expressions = new ExpressionEmitter(js`r`)
  const declared = codes.map(({ declare }) => declare((expression) => expressions.emit(expression)))
  const listEarly = js`
    if ((t.u[e] & ${LISTED}) === 0) {
      t.u[e] |= ${LISTED}
      s.earlies.push(e)
    }`
  return js`
    function add(rows, count, passed, host, late, onError) {
      let lates = 0, i = 0
      while (i < count) {
        try {
          for (; i < count; i++) {
            const r = rows[i]
            ${expressions.declarations()}
            ${declareTime(options.time)}
            ${declared}
            ${declareKey(keys, options.maxParallelism)}
            const s = host.groupAt(g), t = s.table
            let e = t.find(${keyArguments(keys)})
            const until = time + ${gapMs}
            let isSought = false
            if (!(time <= t.we[e] && until >= t.ws[e] && t.st[e] === ${SESSION.open} && t.nx[e] === 0)) {
              isSought = true
              e = host.session(s, e, time, passed)
              if (e < 0) {
                late[lates++] = r
                continue
              }
            }
            ${addToEntry(codes, mayRefuse(codes) ? js`if (isSought) host.refused(s, e)` : undefined)}
            ${mayRefuse(codes) ? js`if (isSought) host.taken(s)` : NOTHING}
            if (time < t.ws[e]) t.ws[e] = time
            if (until > t.we[e]) t.we[e] = until
            t.u[e] ${tracking === 'early' ? js`|=` : js`=`} ${CHANGED}
            ${latenessMs > 0 ? js`if (t.st[e] === ${SESSION.fired}) host.late(s, e, passed)` : NOTHING}
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

/** Sums refuse a row too, though not a row that is alone. */
function mayRefuse(codes: readonly AggregateCode[]): boolean {
  return codes.some(({ prepare }) => prepare !== undefined)
}
