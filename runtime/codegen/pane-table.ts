import { MillraceError } from '../model/errors.ts'
import type { Field, Row } from '../model/schema.ts'
import type { Aggregate } from '../plan/job-graph.ts'
import type { RowErrorHandler } from './contracts.ts'
import { Emitter } from './emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter } from './expression.ts'
import { emitHashHelpers, keyHashExpression } from './key-hash.ts'
import { aggregateColumns, aggregateResult, type Column, emitArgument, emitCombine, emitPrepare, emitStore, initialValue, keyColumns } from './pane-columns.ts'
import type { RowClass } from './row.ts'

/**
 * The entries of one pane and key group, generated: an open-addressing index (linear probing, load ≤ 1/2,
 * Fibonacci hashing, since within a group the low bits of the hash are equal) over dense columns. Dense, so
 * that firing and snapshots run over them in order and growing copies instead of rehashing values.
 */
export interface PaneTable {
  /** Number of entries; columns hold them at [0, n). */
  n: number
  readonly cap: number
  /** The text of all string keys, in UTF-16 units: a Uint8Array while all are below 256. Empty without such keys. */
  text: Uint8Array | Uint16Array
  /** Units used of `text`. */
  chars: number
  /** Makes room without entries. */
  clear(): void
  [column: string]: unknown
}

/** What the generated add loop asks of the panes. */
export interface PaneHost {
  /** End of the last fired window of each key group. */
  readonly fired: Float64Array
  paneAt(time: number): PaneView
  tableAt(pane: PaneView, group: number): PaneTable
}

export interface PaneView {
  readonly start: number
  readonly end: number
  /** End of the last window that holds this pane. */
  readonly lastEnd: number
  /** Lies between two windows (slide > size): its rows belong to none. */
  readonly inGap: boolean
  readonly tables: (PaneTable | undefined)[]
}

export interface PaneTableCode {
  columns: readonly Column[]
  create(): PaneTable
  /** Adds rows; `passed` is watermark + 1. Returns the number of late rows. */
  add(rows: readonly Row[], count: number, groups: Uint16Array, passed: number, host: PaneHost, onError: RowErrorHandler): number
  /** Adds all entries of `from` to `into`. `from` needs no index. */
  merge(into: PaneTable, from: PaneTable): void
  /** Makes the output rows of entries [first, end). `onRow` gets rows whose sum is beyond what it may be; they are left out. */
  rows(table: PaneTable, first: number, end: number, windowStart: number, windowEnd: number, out: Row[], onRow: (row: Row) => void): number
}

export interface PaneTableOptions {
  keys: readonly Field[]
  aggregates: readonly Aggregate[]
  /** Event time is the field's value plus the offset. */
  eventTime: { field: Field; offsetMs: number }
  windows: 'touching' | 'with gaps'
  outputRowClass: RowClass
  operatorId: string
}

/** Generates the table class of one window operator and the functions over it. */
export function compilePaneTable(options: PaneTableOptions): PaneTableCode {
  const { keys, aggregates } = options
  const columns: Column[] = [{ name: 'h', array: 'Int32Array' }, ...keyColumns(keys), ...aggregateColumns(aggregates)]
  const code = new Emitter()
  emitHashHelpers(code)
  emitClass(code, keys, aggregates, columns)
  emitAdd(code, options)
  emitMerge(code, aggregates)
  emitRows(code, options)
  code.line(`return { create: () => new Table(), add, merge, rows }`)
  const compiled = code.compile<Omit<PaneTableCode, 'columns'>>({ ...EXPRESSION_SCOPE, Row: options.outputRowClass, operatorId: options.operatorId, refuseSum, copyText, textOf, refuseNullTime })
  return { columns, ...compiled }
}

const indexesOf = (keys: readonly Field[], isText: 'text' | 'number'): number[] =>
  keys.flatMap((field, index) => (field.type === 'string') === (isText === 'text') ? [index] : [])

function emitClass(code: Emitter, keys: readonly Field[], aggregates: readonly Aggregate[], columns: readonly Column[]): void {
  const texts = indexesOf(keys, 'text')
  const names = keys.map((_, index) => `v${index}`)
  code.line(`class Table {`)
  code.line(`constructor() { this.n = 0; this.chars = 0; this.cap = 8; this.mask = 15; this.shift = 28; this.index = new Int32Array(16)`)
  code.line(`this.text = new Uint8Array(${texts.length > 0 ? '64' : '0'})`)
  for (const { name, array } of columns) code.line(`this.${name} = ${array === 'Array' ? '[]' : `new ${array}(8)`}`)
  code.line(`}`)
  code.line(`clear() { this.n = 0; this.chars = 0; this.index.fill(0)`)
  for (const { name, array } of columns) if (array === 'Array') code.line(`this.${name}.length = 0`)
  code.line(`}`)
  code.line(`free(h) { const index = this.index, mask = this.mask; let p = Math.imul(h, 0x9e3779b1) >>> this.shift; while (index[p] !== 0) p = p + 1 & mask; return p }`)
  code.line(`grow() { const cap = this.cap * 2; let old`)
  for (const { name, array } of columns) if (array !== 'Array') code.line(`old = this.${name}; this.${name} = new ${array}(cap); this.${name}.set(old)`)
  code.line(`this.cap = cap; this.mask = cap * 2 - 1; this.shift--; this.index = new Int32Array(cap * 2)`)
  code.line(`for (let e = 0; e < this.n; e++) this.index[this.free(this.h[e])] = e + 1 }`)
  // find: the entry of a key given as values; a new one starts with the aggregates' initial values
  code.line(`find(${[...names, 'h'].join(', ')}) {`)
  emitProbe(code, keys.map((field, index) => field.type === 'string' ? `this.same${index}(e, v${index})` : `this.k${index}[e] === v${index}`), texts.length > 0)
  code.line(`e = this.enter(h, p)`)
  keys.forEach((field, index) => code.line(field.type === 'string' ? `this.put${index}(e, v${index})` : `this.k${index}[e] = v${index}`))
  code.line(`return e }`)
  // findOf: the same for a key that lies in another table
  code.line(`findOf(s, x) { const h = s.h[x]`)
  emitProbe(code, keys.map((field, index) => field.type === 'string' ? `this.sameOf${index}(e, s, x)` : `this.k${index}[e] === s.k${index}[x]`), true)
  code.line(`e = this.enter(h, p)`)
  keys.forEach((field, index) => code.line(field.type === 'string' ? `this.putOf${index}(e, s, x)` : `this.k${index}[e] = s.k${index}[x]`))
  code.line(`return e }`)
  code.line(`enter(h, p) { if (this.n === this.cap) { this.grow(); p = this.free(h) }`)
  code.line(`const e = this.n++; this.index[p] = e + 1; this.h[e] = h`)
  aggregates.forEach((aggregate, index) => code.line(`this.a${index}[e] = ${initialValue(aggregate)}${aggregate.function === 'avg' ? `; this.c${index}[e] = 0` : ''}`))
  code.line(`return e }`)
  code.line(`room(n) { const need = this.chars + n; if (need > 2147483647) throw new RangeError('the string keys of a pane exceed 2^31 characters')`)
  code.line(`if (need > this.text.length) { const old = this.text; this.text = new old.constructor(Math.max(need, old.length * 2)); this.text.set(old) } }`)
  code.line(`widen() { if (this.text instanceof Uint8Array) this.text = Uint16Array.from(this.text) }`)
  for (const index of texts) emitTextKey(code, index)
  code.line(`}`)
}

/** Ends with `p`, the free place of the index, when the key is not there. */
function emitProbe(code: Emitter, equal: readonly string[], compareHash: boolean): void {
  code.line(`const index = this.index, mask = this.mask; let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e`)
  const tests = compareHash ? ['this.h[e] === h', ...equal] : equal
  code.line(`while ((e = index[p] - 1) >= 0) { if (${tests.join(' && ')}) return e; p = p + 1 & mask }`)
}

function emitTextKey(code: Emitter, index: number): void {
  const [o, l] = [`this.o${index}`, `this.l${index}`]
  code.line(`same${index}(e, v) { if (v === null) return ${l}[e] === -1; const n = v.length; if (${l}[e] !== n) return false`)
  code.line(`const text = this.text, at = ${o}[e]; for (let i = 0; i < n; i++) if (text[at + i] !== v.charCodeAt(i)) return false; return true }`)
  code.line(`put${index}(e, v) { ${o}[e] = this.chars; if (v === null) { ${l}[e] = -1; return } const n = v.length; ${l}[e] = n; this.room(n)`)
  code.line(`for (let i = 0, at = this.chars; i < n; i++) { const c = v.charCodeAt(i); if (c > 255) this.widen(); this.text[at + i] = c } this.chars += n }`)
  code.line(`sameOf${index}(e, s, x) { const n = s.l${index}[x]; if (${l}[e] !== n) return false`)
  code.line(`const text = this.text, other = s.text, at = ${o}[e], from = s.o${index}[x]; for (let i = 0; i < n; i++) if (text[at + i] !== other[from + i]) return false; return true }`)
  code.line(`putOf${index}(e, s, x) { const n = s.l${index}[x]; ${o}[e] = this.chars; ${l}[e] = n; if (n <= 0) return; this.room(n)`)
  code.line(`if (s.text instanceof Uint16Array) this.widen(); const text = this.text, other = s.text, from = s.o${index}[x], at = this.chars`)
  code.line(`for (let i = 0; i < n; i++) text[at + i] = other[from + i]; this.chars += n }`)
}

function emitAdd(code: Emitter, options: PaneTableOptions): void {
  const { keys, aggregates, eventTime } = options
  const expressions = new ExpressionEmitter(code, 'r')
  const values = aggregates.map(({ argument }) => argument === undefined ? '' : expressions.emit(argument))
  const time = `r${code.property(eventTime.field.name)}`
  code.line(`function add(rows, count, groups, passed, host, onError) {`)
  code.line(`const fired = host.fired; let late = 0, i = 0, pane, from = Infinity, to = -Infinity, lastEnd = 0, tables`)
  code.line(`while (i < count) { try { for (; i < count; i++) { const r = rows[i]; ${expressions.declarations()}`)
  if (eventTime.field.nullable) code.line(`if (${time} === null) refuseNullTime(${code.literal(eventTime.field.name)})`)
  code.line(`const time = ${time}${eventTime.offsetMs === 0 ? '' : ` + ${code.literal(eventTime.offsetMs)}`}`)
  code.line(`if (!(time >= from && time < to)) { pane = host.paneAt(time); from = pane.start; to = pane.end; lastEnd = pane.lastEnd; tables = pane.tables }`)
  if (options.windows === 'with gaps') code.line(`if (pane.inGap) continue`)
  code.line(`const g = groups[i]; if (lastEnd <= passed || lastEnd <= fired[g]) { late++; continue }`)
  aggregates.forEach((aggregate, index) => emitArgument(code, aggregate, index, values[index] ?? ''))
  keys.forEach((field, index) => code.line(`const v${index} = r${code.property(field.name)}`))
  code.line(`const h = ${keyHashExpression(keys, keys.map((_, index) => `v${index}`))}`)
  code.line(`let t = tables[g]; if (t === undefined) t = host.tableAt(pane, g)`)
  code.line(`const e = t.find(${[...keys.map((field, index) => storedKey(field, `v${index}`)), 'h'].join(', ')})`)
  aggregates.forEach((aggregate, index) => emitPrepare(code, aggregate, index))
  aggregates.forEach((aggregate, index) => emitStore(code, aggregate, index))
  code.line(`} } catch (error) { onError(error, rows[i], operatorId); i++ } }`)
  code.line(`return late }`)
}

function storedKey(field: Field, value: string): string {
  switch (field.type) {
    case 'string': return value
    case 'boolean': return field.nullable ? `(${value} === null ? 2 : ${value} ? 1 : 0)` : `(${value} ? 1 : 0)`
    default: return field.nullable ? `(${value} === null ? Infinity : ${value} + 0)` : `${value} + 0`
  }
}

function emitMerge(code: Emitter, aggregates: readonly Aggregate[]): void {
  code.line(`function merge(t, s) { for (let e = 0, n = s.n; e < n; e++) { const d = t.findOf(s, e)`)
  aggregates.forEach((aggregate, index) => emitCombine(code, aggregate, index))
  code.line(`} }`)
}

function emitRows(code: Emitter, options: PaneTableOptions): void {
  const { keys, aggregates } = options
  const firstText = indexesOf(keys, 'text')[0]
  code.line(`function rows(t, first, end, windowStart, windowEnd, out, onRow) { let n = 0`)
  // entries are dense and their text was appended in order: one native read gives the text of all of them
  if (firstText !== undefined) code.line(`const lo = t.o${firstText}[first], text = textOf(t.text, lo, end === t.n ? t.chars : t.o${firstText}[end])`)
  code.line(`for (let e = first; e < end; e++) {`)
  const values = [
    ...keys.map((field, index) => keyResult(field, index)), 'windowStart', 'windowEnd',
    ...aggregates.map((aggregate, index) => aggregateResult(aggregate, index)),
  ]
  code.line(`const row = new Row(${values.join(', ')})`)
  const sums = aggregates.flatMap(({ function: name }, index) => name === 'sum' ? [`t.a${index}[e] === Infinity`] : name === 'avg' ? [`t.a${index}[e] - t.a${index}[e] !== 0`] : [])
  code.line(sums.length === 0 ? `out[n++] = row` : `if (${sums.join(' || ')}) onRow(row); else out[n++] = row`)
  code.line(`} return n }`)
}

function keyResult(field: Field, index: number): string {
  switch (field.type) {
    case 'string': return `${field.nullable ? `t.l${index}[e] < 0 ? null : ` : ''}text.slice(t.o${index}[e] - lo, t.o${index}[e] - lo + t.l${index}[e])`
    case 'boolean': return field.nullable ? `t.k${index}[e] === 2 ? null : t.k${index}[e] === 1` : `t.k${index}[e] === 1`
    default: return field.nullable ? `t.k${index}[e] === Infinity ? null : t.k${index}[e]` : `t.k${index}[e]`
  }
}

function refuseSum(field: string, sum: number, value: number): never {
  throw new MillraceError('VALUE_INVALID', `'${field}' would leave the exact range (sum ${sum}, value ${value})`,
    { domain: 'user', hint: 'sum doubles, or smaller numbers' })
}

function refuseNullTime(field: string): never {
  throw new MillraceError('RECORD_INVALID', `event time '${field}' is null`, { domain: 'user' })
}

/** A copy that holds nothing else alive: a string of a batch is a slice of the whole batch's text. */
function copyText(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string
}

function textOf(text: Uint8Array | Uint16Array, first: number, end: number): string {
  const size = text.BYTES_PER_ELEMENT
  const bytes = Buffer.from(text.buffer, text.byteOffset + first * size, (end - first) * size)
  return bytes.toString(size === 1 ? 'latin1' : 'utf16le')
}
