import { CHANGED, type TableColumns } from '../../memory/key-table.ts'
import type { Field } from '../../model/schema.ts'
import type { AggregateCode } from '../aggregates/aggregate-code.ts'
import { isHeapColumn, keyColumns, type Column } from '../../memory/columns.ts'
import { keyResult } from './key-columns.ts'
import type { Emitter } from '../emitter.ts'

export interface KeyTableOptions {
  keys: readonly Field[]
  codes: readonly AggregateCode[]
  /** Columns beside keys and aggregates, and statements that give entry e of table t its first values in them. */
  extra?: { columns: readonly Column[]; start: string }
  /** Statements of the constructor and of `clear`. */
  fields?: { create: string; clear: string }
  /** The entries of a key are a chain through the column nx; only its head, where hd is 1, stands in the index. */
  chained?: 'by nx'
}

/** So many key texts of a table stay strings, none longer than so many characters. */
const KEPT_TEXTS = 256,
  LONGEST_KEPT = 256

export function keyTableColumns({ keys, codes, extra }: KeyTableOptions): TableColumns {
  return {
    keys: [{ name: 'h', array: 'Int32Array' }, ...keyColumns(keys)],
    values: [...(extra?.columns ?? []), ...codes.flatMap(({ columns }) => columns)],
  }
}

const indexesOf = (keys: readonly Field[], isText: 'text' | 'number'): number[] =>
  keys.flatMap((field, index) => ((field.type === 'string') === (isText === 'text') ? [index] : []))

/** Emits `class Table`. */
export function emitKeyTable(code: Emitter, options: KeyTableOptions): void {
  const { keys, codes, extra, fields } = options
  const { keys: ofKeys, values } = keyTableColumns(options)
  const columns: readonly Column[] = [...ofKeys, ...values, { name: 'u', array: 'Uint8Array' }]
  const typed = columns.filter((column) => !isHeapColumn(column) && column.array !== 'Whole')
  const texts = indexesOf(keys, 'text')
  code.line(`let serials = 0`)
  code.line(`class Table {`)
  code.line(
    `constructor() { this.n = 0; this.chars = 0; this.serial = ++serials; this.cap = 8; this.mask = 15; this.shift = 28; this.index = new Int32Array(16)`,
  )
  code.line(`this.changedIn = new Int32Array(0); this.lastChange = 0`)
  code.line(`this.text = new Uint8Array(${texts.length > 0 ? '64' : '0'})`)
  if (texts.length > 0) code.line(`this.textAt = null; this.lastTexts = []`)
  for (const column of columns)
    code.line(`this.${column.name} = ${column.create ?? (isHeapColumn(column) ? '[]' : `new ${column.array}(8)`)}`)
  code.line(`${fields?.create ?? ''} }`)
  code.line(
    `clear() { this.n = 0; this.chars = 0; this.serial = ++serials; this.lastChange = 0; this.index.fill(0)${texts.length > 0 ? '; this.textAt = null' : ''}`,
  )
  for (const column of columns) {
    if (isHeapColumn(column)) code.line(`this.${column.name}.length = 0`)
    else if (column.array === 'Whole') code.line(`this.${column.name}.clear()`)
  }
  code.line(`${fields?.clear ?? ''} }`)
  code.line(
    `free(h) { const index = this.index, mask = this.mask; let p = Math.imul(h, 0x9e3779b1) >>> this.shift; while (index[p] !== 0) p = p + 1 & mask; return p }`,
  )
  emitGrow(code, typed, options)
  if (options.chained !== undefined) emitChain(code, keys)
  emitFinders(code, keys)
  code.line(`enter(h, p) { if (this.n === this.cap) { this.grow(); p = this.free(h) }`)
  code.line(`const t = this, e = this.n++; this.index[p] = e + 1; this.h[e] = h; this.start(e); return e }`)
  // what is taken out of the index is what came into it last: nobody's search goes over its place
  code.line(
    `leave(e) { const index = this.index; let p = Math.imul(this.h[e], 0x9e3779b1) >>> this.shift; while (index[p] !== e + 1) p = p + 1 & this.mask`,
  )
  code.line(`index[p] = 0; this.n = e${texts.length > 0 ? `; this.chars = this.o${texts[0]}[e]` : ''} }`)
  code.line(
    `start(e) { const t = this; ${[`t.u[e] = ${CHANGED}`, extra?.start ?? '', ...codes.map(({ start }) => start)].filter((start) => start !== '').join('; ')} }`,
  )
  code.line(
    `room(n) { const need = this.chars + n; if (need > 2147483647) throw new RangeError('the string keys of a table exceed 2^31 characters')`,
  )
  code.line(
    `if (need > this.text.length) { const old = this.text; this.text = new old.constructor(Math.max(need, old.length * 2)); this.text.set(old) } }`,
  )
  // the same keys come out again and again, and making a string of bytes is a native call
  if (texts.length > 0) {
    code.line(
      `keyText(i, e, o, l) { if (l === 0) return ''; if (l > ${LONGEST_KEPT}) return textOf(this.text, o, o + l); if (this.textAt === null) this.textAt = new Int32Array(${KEPT_TEXTS})`,
    )
    code.line(
      `const p = e * ${keys.length} + i & ${KEPT_TEXTS - 1}; if (this.textAt[p] !== o + 1) { this.textAt[p] = o + 1; this.lastTexts[p] = textOf(this.text, o, o + l) } return this.lastTexts[p] }`,
    )
  }
  code.line(`widen() { if (this.text instanceof Uint8Array) this.text = Uint16Array.from(this.text) }`)
  for (const index of texts) emitTextKey(code, index)
  code.line(`}`)
}

/** Entries of a restored table have no index and no `cap`: growing only ever happens to one that was made here. */
function emitGrow(code: Emitter, typed: readonly Column[], { chained }: KeyTableOptions): void {
  code.line(`grow() { const cap = this.cap * 2; let old`)
  for (const { name, array } of typed)
    code.line(`old = this.${name}; this.${name} = new ${array}(cap); this.${name}.set(old)`)
  code.line(`this.cap = cap; this.mask = cap * 2 - 1; this.shift--; this.reindex() }`)
  code.line(
    `reindex() { this.index = new Int32Array(this.cap * 2); for (let e = 0; e < this.n; e++) ${chained === undefined ? '' : 'if (this.hd[e] === 1) '}this.index[this.free(this.h[e])] = e + 1 }`,
  )
}

/** `chain(x)`: one more entry of the key of entry x, behind it. */
function emitChain(code: Emitter, keys: readonly Field[]): void {
  const columns = keyColumns(keys).map(({ name }) => `this.${name}[e] = this.${name}[x]`)
  code.line(`chain(x) { if (this.n === this.cap) this.grow()`)
  code.line(
    `const e = this.n++; this.h[e] = this.h[x]; this.start(e); this.hd[e] = 0; ${columns.join('; ')}; this.nx[e] = this.nx[x]; this.nx[x] = e + 1; return e }`,
  )
}

function emitFinders(code: Emitter, keys: readonly Field[]): void {
  const hasText = indexesOf(keys, 'text').length > 0
  const names = keys.map((_, index) => `v${index}`)
  const sameKey = keys.map((field, index) =>
    field.type === 'string' ? `this.sameOf${index}(e, s, x)` : `this.k${index}[e] === s.k${index}[x]`,
  )
  // find: the entry of a key given as values; a new one starts with the aggregates' initial values
  code.line(`find(${[...names, 'h'].join(', ')}) {`)
  emitProbe(
    code,
    keys.map((field, index) =>
      field.type === 'string' ? `this.same${index}(e, v${index})` : `this.k${index}[e] === v${index}`,
    ),
    hasText,
  )
  code.line(`e = this.enter(h, p)`)
  keys.forEach((field, index) =>
    code.line(field.type === 'string' ? `this.put${index}(e, v${index})` : `this.k${index}[e] = v${index}`),
  )
  code.line(`return e }`)
  // findOf: the same for a key that lies in another table
  code.line(`findOf(s, x) { const h = s.h[x]`)
  emitProbe(code, sameKey, true)
  code.line(`e = this.enter(h, p)`)
  keys.forEach((field, index) =>
    code.line(field.type === 'string' ? `this.putOf${index}(e, s, x)` : `this.k${index}[e] = s.k${index}[x]`),
  )
  code.line(`return e }`)
  // seekOf: -1 when it is not there
  code.line(`seekOf(s, x) { const h = s.h[x]`)
  emitProbe(code, sameKey, true)
  code.line(`return -1 }`)
}

/** Ends with `p`, the free place of the index, when the key is not there. */
function emitProbe(code: Emitter, equal: readonly string[], compareHash: boolean): void {
  code.line(`const index = this.index, mask = this.mask; let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e`)
  const tests = compareHash ? ['this.h[e] === h', ...equal] : equal
  code.line(`while ((e = index[p] - 1) >= 0) { if (${tests.join(' && ')}) return e; p = p + 1 & mask }`)
}

function emitTextKey(code: Emitter, index: number): void {
  const [o, l] = [`this.o${index}`, `this.l${index}`]
  code.line(
    `same${index}(e, v) { if (v === null) return ${l}[e] === -1; const n = v.length; if (${l}[e] !== n) return false`,
  )
  code.line(
    `const text = this.text, at = ${o}[e]; for (let i = 0; i < n; i++) if (text[at + i] !== v.charCodeAt(i)) return false; return true }`,
  )
  code.line(
    `put${index}(e, v) { ${o}[e] = this.chars; if (v === null) { ${l}[e] = -1; return } const n = v.length; ${l}[e] = n; this.room(n)`,
  )
  code.line(
    `for (let i = 0, at = this.chars; i < n; i++) { const c = v.charCodeAt(i); if (c > 255) this.widen(); this.text[at + i] = c } this.chars += n }`,
  )
  code.line(`sameOf${index}(e, s, x) { const n = s.l${index}[x]; if (${l}[e] !== n) return false`)
  code.line(
    `const text = this.text, other = s.text, at = ${o}[e], from = s.o${index}[x]; for (let i = 0; i < n; i++) if (text[at + i] !== other[from + i]) return false; return true }`,
  )
  code.line(
    `putOf${index}(e, s, x) { const n = s.l${index}[x]; ${o}[e] = this.chars; ${l}[e] = n; if (n <= 0) return; this.room(n)`,
  )
  code.line(
    `if (s.text instanceof Uint16Array) this.widen(); const text = this.text, other = s.text, from = s.o${index}[x], at = this.chars`,
  )
  code.line(`for (let i = 0; i < n; i++) text[at + i] = other[from + i]; this.chars += n }`)
}

/** Emits `merge(t, s)`: all entries of s into t; and `mergeKnown(t, s)`: only those whose keys t has. */
export function emitMerge(code: Emitter, codes: readonly AggregateCode[]): void {
  code.line(`function combine(t, d, s, e) {`)
  for (const { combine } of codes) combine(code)
  code.line(`}`)
  code.line(`function merge(t, s) { for (let e = 0, n = s.n; e < n; e++) combine(t, t.findOf(s, e), s, e) }`)
  code.line(
    `function mergeKnown(t, s) { for (let d = 0, n = t.n; d < n; d++) { const e = s.seekOf(t, d); if (e >= 0) combine(t, d, s, e) } }`,
  )
}

/**
 * Emits `rows(t, first, end, windowStart, windowEnd, out, onRow)`: the output rows of entries [first, end) of a table
 * from which no entry was ever taken out.
 */
export function emitRows(
  code: Emitter,
  keys: readonly Field[],
  codes: readonly AggregateCode[],
  between: readonly string[],
): void {
  const firstText = indexesOf(keys, 'text')[0]
  code.line(`function rows(t, first, end, windowStart, windowEnd, out, onRow) { let n = 0`)
  // entries are dense and their text was appended in order: one native read gives the text of all of them
  if (firstText !== undefined)
    code.line(
      `const lo = t.o${firstText}[first], text = textOf(t.text, lo, end === t.n ? t.chars : t.o${firstText}[end])`,
    )
  code.line(`for (let e = first; e < end; e++) {`)
  emitRow(
    code,
    [
      ...keys.map((field, index) =>
        keyResult(field, index, (offset, length) => `text.slice(${offset} - lo, ${offset} - lo + ${length})`),
      ),
      ...between,
    ],
    codes,
  )
  code.line(`} return n }`)
}

/**
 * Emits `rowsOf(t, entries, count, out, onRow)`: the output rows of the entries listed. `keysStay`: no key is ever
 * taken out of a table.
 */
export function emitRowsOf(
  code: Emitter,
  keys: readonly Field[],
  codes: readonly AggregateCode[],
  between: readonly string[],
  lifetime: 'keysStay' | 'keysGo',
): void {
  code.line(`function rowsOf(t, entries, count, out, onRow) { let n = 0`)
  code.line(`for (let i = 0; i < count; i++) { const e = entries[i]`)
  emitRow(
    code,
    [
      ...keys.map((field, index) =>
        keyResult(field, index, (offset, length) =>
          lifetime === 'keysStay'
            ? `t.keyText(${index}, e, ${offset}, ${length})`
            : `textOf(t.text, ${offset}, ${offset} + ${length})`,
        ),
      ),
      ...between,
    ],
    codes,
  )
  code.line(`} return n }`)
}

function emitRow(code: Emitter, leading: readonly string[], codes: readonly AggregateCode[]): void {
  const refusals = codes.flatMap(({ refused }) => refused ?? [])
  code.line(`const row = new Row(${[...leading, ...codes.map(({ result }) => result)].join(', ')})`)
  code.line(refusals.length === 0 ? `out[n++] = row` : `if (${refusals.join(' || ')}) onRow(row); else out[n++] = row`)
}
