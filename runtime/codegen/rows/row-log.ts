import type { Field } from '../../model/schema.ts'
import type { Emitter } from '../emitter.ts'
import { isText, recordHead } from '../../memory/row-record.ts'
import { CHUNK_BITS, textAt } from '../../memory/row-texts.ts'
import { emitStore, emitStoredCursor, emitStoredRecords, sameStoredText } from './stored-row-code.ts'

/**
 * Rows of one schema under a key, as generated code keeps them: typed columns in the order of arrival, the texts of
 * a row as one stretch among the texts of the pane, and an open-addressing index (linear probing, Fibonacci
 * hashing) from each key to its newest row. Rows of a key form a ring, newest to oldest to newer, so that they come
 * back in their order. Nothing of it lies on the heap, rows are only ever added, and all of it is dropped at once.
 */
export interface RowLog {
  /** Number of rows; columns hold them at [0, n). */
  readonly n: number
  /** Hash of each row's key. */
  readonly h: Int32Array
  /** 1 for a row that had a match; where it is marked. */
  readonly m: Uint8Array
  /** Room without rows, which will lie there. `part`: of the pane. */
  clear(texts: PaneTexts, part: number): void
}

/** Where the texts of all rows of a pane lie, or where the rows are stored all that is not needed to find them. */
export interface PaneTexts {
  /** Words that the texts take. */
  readonly taken: number
  /** Before anything of the rows that were added is read. */
  flush(): void
  /** Gives back what it has; nothing may be read any more. */
  release(): void
}

export interface RowLogShape {
  /** Name of the classes: `Left` gives LeftLog and LeftCursor. */
  name: string
  fields: readonly Field[]
  /** Of `fields`, in the order of the key. */
  keys: readonly Field[]
  /** Whether rows carry the time they are kept by; without it there is one pane for ever. */
  isTimed: boolean
  /** Whether rows note that they had a match. */
  isMarked: boolean
  /** Whether rows lie in an arena, and so may be on disk (stored-row-code.ts). */
  isStored: boolean
  /**
   * When rows enter the index: each as it comes; when it is next searched, for keys without texts; or never: nobody
   * searches.
   */
  indexing: 'each' | 'searched' | 'never'
}

/** So many rows at most enter the index in one go, a few milliseconds. */
const MOST_UNINDEXED = 1 << 16

/** So many texts that were read stay strings, none of more than so many bytes. A pane's texts never change. */
const KEPT_TEXTS = 512,
  LONGEST_KEPT = 2048

/** Emits the two classes. The unit's scope must hold ROW_LOG_SCOPE. */
export function emitRowLog(code: Emitter, shape: RowLogShape): void {
  const { name, fields, isStored } = shape
  const texts = fields.filter(isText)
  const start = isStored ? 'this.part = part; this.rows = texts.enter(this, part)' : 'this.texts = texts'
  const columns = columnsOf(shape)
  code.line(`class ${name}Log {`)
  code.line(
    `constructor(texts${isStored ? ', part' : ''}) { ${start}; this.version = 0; this.n = 0; this.indexed = 0; this.keyCount = 0; this.cap = 16; this.mask = 31; this.shift = 27; this.index = new Int32Array(32)`,
  )
  for (const [column, array] of columns) code.line(`this.${column} = new ${array}(16)`)
  code.line(`}`)
  code.line(
    `clear(texts${isStored ? ', part' : ''}) { ${start}; this.version++; this.n = 0; this.indexed = 0; this.keyCount = 0; this.index.fill(0) }`,
  )
  // room that is not written to yet takes no memory, copying does
  code.line(`grow() { const cap = this.cap = this.cap * 4; let c`)
  for (const [column, array] of columns)
    code.line(`c = this.${column}; this.${column} = new ${array}(cap); this.${column}.set(c)`)
  code.line(`}`)
  code.line(
    `reindex() { const old = this.index, index = this.index = new Int32Array(old.length * 2), mask = this.mask = index.length - 1; this.shift--`,
  )
  code.line(`for (let i = 0; i < old.length; i++) { const e = old[i]; if (e === 0) continue`)
  code.line(
    `let p = Math.imul(this.h[e - 1], 0x9e3779b1) >>> this.shift; while (index[p] !== 0) p = p + 1 & mask; index[p] = e } }`,
  )
  emitFind(code, shape)
  emitAdd(code, shape)
  if (texts.length > 0 && !isStored) code.line(`textOf(e) { return this.texts.of(this.o[e], this.b[e], this.w[e]) }`)
  code.line(`}`)
  if (isStored) emitStoredCursor(code, shape)
  else emitCursor(code, name, fields)
}

/** What emitted row logs refer to. */
export const ROW_LOG_SCOPE: Readonly<Record<string, unknown>> = {
  textAt,
  parseJson: JSON.parse,
  printJson: JSON.stringify,
}

function columnsOf({ fields, keys, isTimed, isMarked, isStored }: RowLogShape): (readonly [string, string])[] {
  const isColumn = (field: Field): boolean =>
    !isStored || (!isText(field) && keys.some(({ name }) => name === field.name))
  const own = fields.flatMap((field, index) =>
    !isColumn(field)
      ? []
      : [
          (isText(field)
            ? [`l${index}`, 'Int32Array']
            : field.type === 'boolean'
              ? [`c${index}`, 'Uint8Array']
              : [`c${index}`, 'Float64Array']) as readonly [string, string],
        ],
  )
  const texts: (readonly [string, string])[] = isStored
    ? [['a', 'Int32Array']]
    : fields.some(isText)
      ? [
          ['o', 'Int32Array'],
          ['b', 'Int32Array'],
          ['w', 'Uint8Array'],
        ]
      : []
  const marks: (readonly [string, string])[] = [
    ...(isTimed ? [['time', 'Float64Array'] as const] : []),
    ...(isMarked ? [['m', 'Uint8Array'] as const] : []),
  ]
  return [['h', 'Int32Array'], ['next', 'Int32Array'], ...marks, ...texts, ...own]
}

/** `keyParameters({ keys: 2 fields })`: k0, k1. */
export function keyParameters(keys: readonly Field[]): string[] {
  return keys.map((_, index) => `k${index}`)
}

/** find: the newest row of a key none of whose values is null, or -1. */
function emitFind(code: Emitter, shape: RowLogShape): void {
  const { keys, indexing } = shape
  if (indexing === 'never') return
  code.line(`find(${['h', ...keyParameters(keys)].join(', ')}) {`)
  if (indexing === 'searched') code.line(`if (this.indexed !== this.n) this.catchUp()`)
  code.line(`const index = this.index, mask = this.mask; let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e`)
  code.line(`while ((e = index[p] - 1) >= 0) { if (${sameKey(code, shape)}) return e; p = p + 1 & mask }`)
  code.line(`return -1 }`)
}

function sameKey(code: Emitter, { name, fields, keys, isStored }: RowLogShape): string {
  const tests = keys.map((key, index) => {
    const at = fields.findIndex((field) => field.name === key.name)
    if (key.type === 'string' && isStored) return sameStoredText(code, name, key, `k${index}`)
    if (key.type === 'string')
      return `this.l${at}[e] === k${index}.length && this.textOf(e).startsWith(k${index}, ${textStart(fields, at, 'this')})`
    return key.type === 'boolean' ? `this.c${at}[e] === (k${index} ? 1 : 0)` : `this.c${at}[e] === k${index}`
  })
  return ['this.h[e] === h', ...tests].join(' && ')
}

/** Where a text field begins within the text of row e. */
function textStart(fields: readonly Field[], at: number, table: string): string {
  const before = fields
    .slice(0, at)
    .flatMap((field, index) =>
      !isText(field)
        ? []
        : [field.nullable ? `(${table}.l${index}[e] > 0 ? ${table}.l${index}[e] : 0)` : `${table}.l${index}[e]`],
    )
  return before.length === 0 ? '0' : before.join(' + ')
}

/** add: takes row r; one whose key holds a null (isLinked false) is kept but never found. */
function emitAdd(code: Emitter, shape: RowLogShape): void {
  const { fields, keys, isTimed, isMarked, isStored, indexing } = shape
  code.line(`add(${['r', 'time', 'matched', 'isLinked', 'h', ...keyParameters(keys)].join(', ')}) {`)
  if (isStored) code.line(`if (A.debt) A.maintain()`)
  code.line(
    `if (this.n === this.cap) this.grow(); ${indexing === 'each' ? 'if (this.keyCount * 2 > this.mask) this.reindex(); ' : ''}const e = this.n`,
  )
  if (isStored) {
    emitStore(code, shape)
    emitKeyColumns(code, shape)
  } else emitColumns(code, fields)
  // nothing above but room leaves a trace when it throws: the row is there once n says so
  code.line(
    `this.h[e] = h; ${isTimed ? 'this.time[e] = time; ' : ''}${isMarked ? 'this.m[e] = matched; ' : ''}this.next[e] = isLinked ? e : -1; this.n = e + 1`,
  )
  if (indexing !== 'each') {
    code.line(`${indexing === 'never' ? '' : `if (e - this.indexed >= ${MOST_UNINDEXED}) this.catchUp()`} }`)
    if (indexing === 'searched')
      emitCatchUp(
        code,
        keys.map((key) => fields.findIndex((field) => field.name === key.name)),
      )
    return
  }
  code.line(`if (!isLinked) return`)
  code.line(`const index = this.index, mask = this.mask, row = e; let p = Math.imul(h, 0x9e3779b1) >>> this.shift`)
  code.line(
    `for (let e; (e = index[p] - 1) >= 0; p = p + 1 & mask) if (${sameKey(code, shape)}) { this.next[row] = this.next[e]; this.next[e] = row; index[p] = row + 1; return }`,
  )
  code.line(`this.keyCount++; index[p] = row + 1 }`)
}

/** Puts the fields of row r into the columns of row e, its texts among those of the pane. */
function emitColumns(code: Emitter, fields: readonly Field[]): void {
  const texts: string[] = []
  fields.forEach((field, index) => {
    const value = `r${code.property(field.name)}`
    if (isText(field)) {
      code.line(
        `const s${index} = ${field.type === 'json' ? (field.nullable ? `${value} === null ? null : printJson(${value})` : `printJson(${value})`) : value}`,
      )
      code.line(`this.l${index}[e] = ${field.nullable ? `s${index} === null ? -1 : ` : ''}s${index}.length`)
      texts.push(field.nullable ? `(s${index} === null ? '' : s${index})` : `s${index}`)
    } else emitColumn(code, field, index)
  })
  if (texts.length > 0) code.line(`this.texts.add(this, e, ${texts.join(' + ')})`)
}

function emitKeyColumns(code: Emitter, { fields, keys }: RowLogShape): void {
  fields.forEach((field, index) => {
    if (!isText(field) && keys.some(({ name }) => name === field.name)) emitColumn(code, field, index)
  })
}

function emitColumn(code: Emitter, field: Field, index: number): void {
  const value = `r${code.property(field.name)}`
  if (field.type === 'boolean')
    code.line(`this.c${index}[e] = ${field.nullable ? `${value} === null ? 2 : ` : ''}${value} ? 1 : 0`)
  else
    code.line(
      field.nullable
        ? `{ const v = ${value}; this.c${index}[e] = v === null ? NaN : v }`
        : `this.c${index}[e] = ${value}`,
    )
}

/**
 * catchUp: the rows that came since it was last searched enter the index, those whose key holds a null excepted.
 * `keys`: columns.
 */
function emitCatchUp(code: Emitter, keys: readonly number[]): void {
  const same = ['H[e] === h', ...keys.map((key) => `C${key}[e] === C${key}[row]`)].join(' && ')
  code.line(
    `catchUp() { const n = this.n, next = this.next, H = this.h; let index = this.index, mask = this.mask, shift = this.shift`,
  )
  for (const key of new Set(keys)) code.line(`const C${key} = this.c${key}`)
  code.line(
    `for (let row = this.indexed; row < n; row++) { if (next[row] < 0) continue; const h = H[row]; let p = Math.imul(h, 0x9e3779b1) >>> shift, e`,
  )
  code.line(`while ((e = index[p] - 1) >= 0 && !(${same})) p = p + 1 & mask`)
  code.line(`index[p] = row + 1; if (e >= 0) { next[row] = next[e]; next[e] = row }`)
  code.line(
    `else if (++this.keyCount * 2 > mask) { this.reindex(); index = this.index; mask = this.mask; shift = this.shift } }`,
  )
  code.line(`this.indexed = n }`)
}

/** Words of a record without its text, or one more. */
export function recordWords(fields: readonly Field[]): number {
  return recordHead(fields).words + 1
}

/**
 * Emits measure, dump and parse of a snapshot's records. A record is padded to 8 bytes: f64 time, f64 per number (NaN
 * is null), i32 matched (written by version 1 alone) | encoding of the text << 1, i32 bytes of text, i32 per text (its
 * length, −1 for null) and boolean (2 for null) in the order of the fields, the text.
 */
export function emitRecords(code: Emitter, shape: RowLogShape, group: string): void {
  const { name, fields, isTimed, isMarked, isStored } = shape
  if (isStored) {
    emitStoredRecords(code, shape, group)
    return
  }
  const { numbers, others, words } = recordHead(fields)
  const hasText = fields.some(isText)
  const size = hasText ? `(${words + 1} + (t.b[e] + 3 >> 2) & ~1)` : `${words + (words & 1)}`
  code.line(
    `function measure${name}(t, e, to, words) { for (; e < to; e++) { const h = t.h[e]; words[${group}] += ${size} } }`,
  )
  code.line(
    `function dump${name}(t, e, to, places, ints, doubles) { for (; e < to; e++) { const h = t.h[e], g = ${group}; let p = places[g]; places[g] = p + ${size}`,
  )
  code.line(`const I = ints[g], D = doubles[g]; let d = p >> 1; D[d++] = ${isTimed ? 't.time[e]' : '0'}`)
  for (const index of numbers) code.line(`D[d++] = t.c${index}[e]`)
  code.line(`p = d * 2; I[p++] = ${hasText ? 't.w[e] << 1' : '0'}; I[p++] = ${hasText ? 't.b[e]' : '0'}`)
  for (const index of others) code.line(`I[p++] = t.${isText(fields[index] as Field) ? 'l' : 'c'}${index}[e]`)
  if (hasText)
    code.line(
      `for (let W = t.texts.words[t.o[e] >>> ${CHUNK_BITS}], q = t.o[e] & ${(1 << CHUNK_BITS) - 1}, end = q + (t.b[e] + 3 >> 2); q < end; q++) I[p++] = W[q]`,
    )
  code.line(`} }`)
  // parse: the record at word p of the views becomes row 0 of log t, its text loaded into the cursor; returns the
  // next p
  code.line(`function parse${name}(p, I, D, B, t) { let d = p >> 1; ${isTimed ? 't.time[0] = D[d]; ' : ''}d++`)
  for (const index of numbers) code.line(`t.c${index}[0] = D[d++]`)
  code.line(`let q = d * 2; const flags = I[q++], bytes = I[q++]${isMarked ? '; t.m[0] = flags & 1' : ''}`)
  for (const index of others) code.line(`t.${isText(fields[index] as Field) ? 'l' : 'c'}${index}[0] = I[q++]`)
  if (hasText) {
    code.line(`if (q * 4 + bytes > B.length || bytes < 0) return -1`)
    code.line(
      `const c = cursor${name}; c.$s = textAt(B, q * 4, bytes, flags >> 1); c.$st = t; c.$se = 0; c.$sv = t.version`,
    )
  }
  code.line(`return q + (bytes + 3 >> 2) + 1 & ~1 }`)
}

/**
 * Reads row e of log t like an object of the row's class; `$load` first where texts are read. What is its own
 * begins with $, which no field does.
 */
function emitCursor(code: Emitter, name: string, fields: readonly Field[]): void {
  code.line(
    `class ${name}Cursor { constructor() { this.$t = new ${name}Log(null); this.$e = 0; this.$s = ''; this.$st = null; this.$se = 0; this.$sv = 0`,
  )
  code.line(`this.$ks = []; this.$ko = new Int32Array(${KEPT_TEXTS}); this.$kt = [] }`)
  // the same row is often wanted again, by the next row that comes or by one soon after: making a string of bytes
  // is a native call
  code.line(`$load() {`)
  if (fields.some(isText)) {
    code.line(`const t = this.$t, e = this.$e; if (this.$st === t && this.$se === e && this.$sv === t.version) return`)
    code.line(
      `this.$st = t; this.$se = e; this.$sv = t.version; const b = t.b[e]; if (b === 0 || b > ${LONGEST_KEPT}) { this.$s = t.textOf(e); return }`,
    )
    code.line(
      `const o = t.o[e], p = Math.imul(o, 0x9e3779b1) >>> ${32 - Math.log2(KEPT_TEXTS)}; if (this.$ko[p] === o && this.$kt[p] === t.texts) { this.$s = this.$ks[p]; return }`,
    )
    code.line(`this.$ko[p] = o; this.$kt[p] = t.texts; this.$s = this.$ks[p] = t.textOf(e)`)
  }
  code.line(`}`)
  fields.forEach((field, index) => {
    const head = `get ${code.property(field.name).slice(1)}() { const t = this.$t, e = this.$e;`
    if (isText(field)) {
      const text = `this.$s.slice(a, a + n)`
      code.line(
        `${head} const n = t.l${index}[e]; ${field.nullable ? 'if (n < 0) return null; ' : ''}const a = ${textStart(fields, index, 't')}; return ${field.type === 'json' ? `parseJson(${text})` : text} }`,
      )
    } else if (field.type === 'boolean')
      code.line(`${head} return ${field.nullable ? `t.c${index}[e] === 2 ? null : ` : ''}t.c${index}[e] === 1 }`)
    else code.line(`${head} const v = t.c${index}[e]; return ${field.nullable ? 'v !== v ? null : ' : ''}v }`)
  })
  code.line(`}`)
}
