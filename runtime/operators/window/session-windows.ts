import { BATCH_ROWS } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import type { Timestamp } from '../../model/time.ts'
import type { KeyGroupRange } from '../../plan/key-groups.ts'
import type { RowErrorHandler, RowsConsumer } from '../../codegen/contracts.ts'
import { endedGroups, type KeyedTableOptions, rowTime, type WindowTable } from './window-table.ts'
import { CHANGED, type TableColumns } from '../../memory/key-table.ts'
import type { LiveTable } from '../../state/key-tables.ts'
import {
  compileSessionTable,
  LISTED,
  SESSION,
  type SessionGroupView,
  type SessionHost,
  type SessionTable,
  type SessionTableCode,
} from '../../codegen/windows/session-table.ts'
import { tableShape } from '../../state/table-shape.ts'

export interface SessionWindowsOptions extends KeyedTableOptions {
  gapMs: number
}

/** Sessions wait in buckets of a part of the gap: of fewer parts each is scanned longer, more are more lists. */
const BUCKETS_PER_GAP = 64
/** A table is replaced only when at least so many of its sessions have ended. */
const FEW_ENDED = 64

/**
 * The state of windows by session: a key's rows that follow one another by at most the gap. Touching sessions
 * become one, as in Flink's MergingWindowSet over EventTimeSessionWindows: a row at t is [t, t + gap), ends
 * included when they touch. A late row belongs nowhere when the session it would make, or make longer, is over.
 */
export function createSessionWindows(options: SessionWindowsOptions): WindowTable {
  const { keys, aggregates, outputRowClass, gapMs, maxParallelism } = options
  const latenessMs = options.latenessMs ?? 0
  const operatorId = options.operatorId ?? 'window'
  const code = compileSessionTable({
    keys,
    aggregates,
    outputRowClass,
    gapMs,
    maxParallelism,
    latenessMs,
    operatorId,
    time: rowTime(options),
    tracking: options.tracking ?? 'none',
  })
  return new SessionWindows(code, options, operatorId)
}

/** In column tm: the entry has never held a session; its session has ended or is just firing. */
const NEVER = Infinity
const ENDED = -Infinity

interface SessionGroup extends SessionGroupView {
  id: number
  /** How often the table was replaced: entry numbers listed before mean other entries now. */
  tables: number
  /** Entries without a session. */
  ended: number
  lates: number[]
  due: number[]
}

/** Sessions to be looked at in one stretch of time; sessions that became longer are still listed where they were. */
interface Bucket {
  groups: SessionGroup[]
  entries: number[]
  tables: number[]
}

class SessionWindows implements WindowTable, SessionHost<SessionGroup> {
  readonly shape: string
  readonly columns: TableColumns
  readonly #code: SessionTableCode
  readonly #gapMs: number
  readonly #latenessMs: number
  readonly #isEventTime: boolean
  readonly #bucketMs: number
  readonly #own: KeyGroupRange
  readonly #operatorId: string
  readonly #groups: (SessionGroup | undefined)[]
  /** How far sessions of each key group have fired. */
  readonly #fired: Float64Array
  readonly #lateIn: SessionGroup[] = []
  /** By column tm over the width of a bucket: one wheel for all groups, so that a watermark looks at one of them. */
  readonly #buckets = new Map<number, Bucket>()
  /** No session is to be looked at before. */
  #next = Infinity
  readonly #out: Row[] = []
  /** The sessions that the session asked for last replaces; undefined when that session is not new. */
  #made: readonly number[] | undefined

  constructor(code: SessionTableCode, options: SessionWindowsOptions, operatorId: string) {
    this.#code = code
    this.#gapMs = options.gapMs
    this.#latenessMs = options.latenessMs ?? 0
    this.#isEventTime = options.eventTime !== undefined
    this.#bucketMs = Math.max(1, Math.ceil(options.gapMs / BUCKETS_PER_GAP))
    this.shape = tableShape({ session: options.gapMs }, options)
    this.columns = code.columns
    this.#own = options.groups ?? { first: 0, endExclusive: options.maxParallelism }
    this.#operatorId = operatorId
    this.#groups = new Array<SessionGroup | undefined>(options.maxParallelism).fill(undefined)
    this.#fired = new Float64Array(options.maxParallelism).fill(-Infinity)
  }

  add(rows: readonly Row[], count: number, time: Timestamp, onError: RowErrorHandler, late: Row[] = []): number {
    return this.#code.add(rows, count, this.#passed(time), this, late, onError)
  }

  /** Sessions that end at or before this moment are over. */
  #passed(time: Timestamp): number {
    return this.#isEventTime ? time + 1 : time
  }

  groupAt(id: number): SessionGroup {
    const known = this.#groups[id]
    if (known !== undefined) return known
    const made: SessionGroup = { id, table: this.#code.create(), tables: 0, earlies: [], ended: 0, lates: [], due: [] }
    this.#groups[id] = made
    return made
  }

  session(group: SessionGroup, head: number, time: number, passed: number): number {
    const { table } = group
    const over = Math.max(passed, this.#fired[group.id] ?? -Infinity) - this.#latenessMs
    let until = time + this.#gapMs
    const joined: number[] = []
    let unused = -1
    for (let entry = head; entry >= 0; entry = (table.nx[entry] as number) - 1) {
      if (table.st[entry] === SESSION.none) unused = unused < 0 ? entry : unused
      else if (time <= (table.we[entry] as number) && time + this.#gapMs >= (table.ws[entry] as number)) {
        joined.push(entry)
        until = Math.max(until, table.we[entry] as number)
      }
    }
    if (this.#isEventTime && until <= over) {
      // The head was made for this row: nothing else shows that it holds no session.
      if (unused === head && table.tm[head] === NEVER) {
        table.tm[head] = ENDED
        group.ended++
      }
      return -1
    }
    this.#made = undefined
    joined.sort((a, b) => (table.ws[a] as number) - (table.ws[b] as number))
    const [first, ...others] = joined
    if (first === undefined || (this.#code.mayRefuse && others.length > 0)) {
      const made = this.#open(group, unused >= 0 ? unused : table.chain(head), time, passed)
      for (const one of joined) this.#add(table, made, one)
      if (others.length > 0) this.#settle(group, made, passed)
      this.#made = joined
      return made
    }
    for (const other of others) this.#join(group, first, other)
    return first
  }

  taken(group: SessionGroup): void {
    for (const joined of this.#made ?? []) this.#end(group, joined)
  }

  refused(group: SessionGroup, entry: number): void {
    if (this.#made !== undefined) this.#end(group, entry)
  }

  #open(group: SessionGroup, entry: number, time: number, passed: number): number {
    const { table } = group
    const [next, isHead, bits] = [table.nx[entry] as number, table.hd[entry] as number, table.u[entry] as number]
    if (table.tm[entry] === ENDED) group.ended--
    table.start(entry)
    table.nx[entry] = next
    table.hd[entry] = isHead
    table.u[entry] = bits | CHANGED
    table.ws[entry] = time
    table.we[entry] = time + this.#gapMs
    this.#settle(group, entry, passed)
    return entry
  }

  /** All that changes a session beside its rows goes with a change of what it is. */
  #become(table: SessionTable, entry: number, what: number): void {
    table.st[entry] = what
    table.u[entry] = (table.u[entry] as number) | CHANGED
  }

  /** An open session is looked at when it ends, a fired session when late rows may no longer come. */
  #settle(group: SessionGroup, entry: number, passed: number): void {
    const { table } = group
    const end = table.we[entry] as number
    const isOpen = !this.#isEventTime || end > Math.max(passed, this.#fired[group.id] ?? -Infinity)
    this.#become(table, entry, isOpen ? SESSION.open : SESSION.fired)
    this.#lookAt(group, entry, isOpen ? end : end + this.#latenessMs)
  }

  #lookAt(group: SessionGroup, entry: number, time: number): void {
    group.table.tm[entry] = time
    const at = Math.floor(time / this.#bucketMs)
    let bucket = this.#buckets.get(at)
    if (bucket === undefined) {
      bucket = { groups: [], entries: [], tables: [] }
      this.#buckets.set(at, bucket)
    }
    bucket.groups.push(group)
    bucket.entries.push(entry)
    bucket.tables.push(group.tables)
    if (time < this.#next) this.#next = time
  }

  #add(table: SessionTable, to: number, other: number): void {
    this.#code.combine(table, to, table, other)
    table.ws[to] = Math.min(table.ws[to] as number, table.ws[other] as number)
    table.we[to] = Math.max(table.we[to] as number, table.we[other] as number)
  }

  #join(group: SessionGroup, first: number, other: number): void {
    const { table } = group
    this.#add(table, first, other)
    const opens = table.st[other] === SESSION.open && table.st[first] === SESSION.fired
    this.#become(table, first, opens ? SESSION.open : (table.st[first] as number))
    if (opens) {
      this.#lookAt(group, first, table.we[first] as number)
    }
    this.#end(group, other)
  }

  #end(group: SessionGroup, entry: number): void {
    const { table } = group
    this.#become(table, entry, SESSION.none)
    table.we[entry] = -Infinity
    table.tm[entry] = ENDED
    group.ended++
  }

  late(group: SessionGroup, entry: number, passed: number): void {
    const { table } = group
    if ((table.we[entry] as number) > Math.max(passed, this.#fired[group.id] ?? -Infinity)) {
      this.#settle(group, entry, passed)
      return
    }
    if (group.lates.length === 0) this.#lateIn.push(group)
    group.lates.push(entry)
  }

  refire(_watermark: Timestamp, emit: RowsConsumer, onError?: RowErrorHandler): void {
    for (const group of this.#lateIn.splice(0)) {
      const { table } = group
      const entries = [...new Set(group.lates)].filter((entry) => table.st[entry] === SESSION.fired)
      group.lates.length = 0
      this.#emit(table, entries, emit, onError)
    }
  }

  early(emit: RowsConsumer, onError?: RowErrorHandler): void {
    for (const group of this.#groups) {
      if (group === undefined || group.earlies.length === 0) continue
      const { table } = group
      const entries = [...new Set(group.earlies)]
      for (const entry of entries) table.u[entry] = (table.u[entry] as number) & ~LISTED
      group.earlies = []
      this.#emit(
        table,
        entries.filter((entry) => table.st[entry] === SESSION.open),
        emit,
        onError,
      )
    }
  }

  #emit(
    table: SessionTable,
    entries: readonly number[],
    emit: RowsConsumer,
    onError: RowErrorHandler | undefined,
  ): void {
    for (let at = 0; at < entries.length; at += BATCH_ROWS) {
      const some = entries.slice(at, at + BATCH_ROWS)
      const made = this.#code.rowsOf(table, some, some.length, this.#out, (row) => {
        this.#refuse(row, onError)
      })
      if (made > 0) emit(this.#out, made)
    }
  }

  #refuse(row: Row, onError: RowErrorHandler | undefined): void {
    const error = new MillraceError('VALUE_INVALID', 'a sum of a session leaves the exact range', {
      domain: 'user',
      hint: 'sum doubles, or smaller numbers',
    })
    if (onError === undefined) throw error
    onError(error, row, this.#operatorId)
  }

  fire(time: Timestamp, budgetRows: number, emit: RowsConsumer, onError?: RowErrorHandler): boolean {
    const passed = this.#passed(time)
    if (passed >= this.#next) {
      let left = Math.max(1, budgetRows)
      const last = Math.floor(passed / this.#bucketMs)
      // what is left in a bucket that was looked at is not due: the next call finds the later ones
      for (const at of [...this.#buckets.keys()].filter((bucket) => bucket <= last).sort((a, b) => a - b)) {
        if (left <= 0) return true
        left -= this.#fireBucket(at, passed, emit, onError)
      }
      this.#setNext(last)
    }
    for (let group = this.#own.first; group < this.#own.endExclusive; group++)
      if (passed > (this.#fired[group] ?? -Infinity)) this.#fired[group] = passed
    return false
  }

  /** Fires what is due in the bucket and returns how many sessions those were. */
  #fireBucket(at: number, passed: number, emit: RowsConsumer, onError: RowErrorHandler | undefined): number {
    const { groups, entries, tables } = this.#buckets.get(at) as Bucket
    this.#buckets.delete(at)
    const touched: SessionGroup[] = []
    for (let i = 0; i < entries.length; i++) {
      const group = groups[i] as SessionGroup
      const entry = entries[i] as number
      if (group.tables !== tables[i] || Math.floor((group.table.tm[entry] as number) / this.#bucketMs) !== at) continue
      if (this.#lookedAt(group, entry, passed) && group.due.length === 1) touched.push(group)
    }
    let fired = 0
    for (const group of touched) {
      const due = group.due
      group.due = []
      fired += due.length
      this.#emit(group.table, due, emit, onError)
      for (const entry of due) this.#afterFiring(group, entry, passed)
      if (group.ended > FEW_ENDED && group.ended * 2 > group.table.n) this.#compact(group)
    }
    return fired
  }

  #setNext(last: number): void {
    this.#next = Infinity
    for (const [at, { groups, entries, tables }] of this.#buckets) {
      if (at > last) this.#next = Math.min(this.#next, at * this.#bucketMs)
      else
        for (let i = 0; i < entries.length; i++) {
          const time = groups[i]?.table.tm[entries[i] as number] as number
          if (groups[i]?.tables === tables[i] && time > ENDED) this.#next = Math.min(this.#next, time)
        }
    }
  }

  /** True when the session is to fire: it is in the group's list then. */
  #lookedAt(group: SessionGroup, entry: number, passed: number): boolean {
    const { table } = group
    const end = table.we[entry] as number
    const isOpen = table.st[entry] === SESSION.open
    const until = isOpen ? end : end + this.#latenessMs
    if (until > passed) this.#lookAt(group, entry, until)
    else if (isOpen) {
      // a second listing of the same entry finds it gone
      table.tm[entry] = ENDED
      return group.due.push(entry) > 0
    } else this.#end(group, entry)
    return false
  }

  #afterFiring(group: SessionGroup, entry: number, passed: number): void {
    const { table } = group
    if ((table.we[entry] as number) + this.#latenessMs <= passed) {
      this.#end(group, entry)
      return
    }
    this.#become(table, entry, SESSION.fired)
    this.#lookAt(group, entry, (table.we[entry] as number) + this.#latenessMs)
  }

  #compact(group: SessionGroup): void {
    const { table: old, earlies } = group
    group.table = this.#code.create()
    group.tables++
    group.ended = 0
    // listed as before: while a watermark passes, only the buckets that were there are looked at
    const moved = this.#adopt(group, old, (entry) => old.tm[entry] as number)
    group.earlies = earlies.flatMap((entry) => moved.get(entry) ?? [])
    for (const entry of group.earlies) group.table.u[entry] = CHANGED | LISTED
  }

  /** Adds all sessions of another table, to be looked at when `timeOf` says; where they went to. */
  #adopt(group: SessionGroup, from: SessionTable, timeOf: (entry: number) => number): Map<number, number> {
    const { table } = group
    const moved = new Map<number, number>()
    for (let entry = 0; entry < from.n; entry++) {
      if (from.st[entry] === SESSION.none) continue
      const head = table.findOf(from, entry)
      const to = table.st[head] === SESSION.none ? head : table.chain(head)
      this.#code.combine(table, to, from, entry)
      table.ws[to] = from.ws[entry] as number
      table.we[to] = from.we[entry] as number
      table.st[to] = from.st[entry] as number
      this.#lookAt(group, to, timeOf(entry))
      moved.set(entry, to)
    }
    return moved
  }

  nextEnd(): Timestamp | undefined {
    return this.#next === Infinity ? undefined : this.#next
  }

  firedUntil(): Timestamp {
    return this.#fired.reduce((most, end) => Math.max(most, end), -Infinity)
  }

  size(): number {
    return this.#groups.reduce((sum, group) => sum + (group === undefined ? 0 : group.table.n - group.ended), 0)
  }

  create(): SessionTable {
    return this.#code.create()
  }

  live(): LiveTable[] {
    return this.#groups.flatMap((group) =>
      group === undefined || group.table.n === group.ended ? [] : [{ group: group.id, start: 0, table: group.table }],
    )
  }

  fired(): [group: number, end: number][] {
    return endedGroups(this.#fired, this.#own)
  }

  adopt({ group, table }: LiveTable): void {
    const from = table as SessionTable
    this.#adopt(
      this.groupAt(group),
      from,
      (entry) => (from.we[entry] as number) + (from.st[entry] === SESSION.open ? 0 : this.#latenessMs),
    )
  }

  adoptFired(group: number, end: number): void {
    this.#fired[group] = Math.max(this.#fired[group] ?? -Infinity, end)
  }
}
