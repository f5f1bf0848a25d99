import type { Field, Row } from '../model/schema.ts'
import { Emitter } from './emitter.ts'
import { compileKeyCodec, type StateKey } from './key-codec.ts'
import { emitHashHelpers, keyHashExpression } from './key-hash.ts'
import type { RecordArena } from './record-arena.ts'
import type { RecordGroup } from './record-group.ts'
import { APPEND, BOXED, isNumeric, KIND_SHIFT, layoutOf, ONE_BYTE, UNITS, VALUE, type RecordLayout, type RecordSpec } from './record-layout.ts'

/** The generated functions of one table; an address is segment << 15 | offset / 8, an entry the word of the index it stands at. */
export interface RecordCode {
  /** Entry of a key, -1 when it is not there. */
  find(group: RecordGroup, key: StateKey, user: StateKey | undefined): number
  /** Entry of the key that record `a` has, -1 when it is not in the index. */
  findOf(group: RecordGroup, a: number): number
  /** Writes the row as the only one under its key; over the old record where it fits. */
  put(group: RecordGroup, key: StateKey, user: StateKey | undefined, row: Row, at: number, seq: number): void
  /** Writes the row behind those under its key. */
  append(group: RecordGroup, key: StateKey, user: StateKey | undefined, row: Row, at: number, seq: number): void
  row(a: number): Row
  key(a: number): StateKey
  user(a: number): StateKey
  at(a: number): number
  seq(a: number): number
  /** Characters the texts of a record claim, or -1 when its bytes cannot be right: for records from outside. */
  claims(a: number, bytes: number): number
}

/** The same for rows that carry their key. */
export interface RowKeyCode {
  findRow(group: RecordGroup, row: Row): number
  putRow(group: RecordGroup, row: Row, at: number): void
  /** The value of a numeric field that is not null. */
  number(a: number): number
}

const HELPERS = `
const SI = A.i32, SD = A.f64, SB = A.buffer
function boxOf(S, q) { const b = (q << 2) + FIXED; return JSON.parse(SB[S].utf8Slice(b, b + SI[S][q + LENGTHS])) }
function sameText(S, I, q, w, j, from, length, text) {
  if (w & BOXED) return boxOf(S, q)[j] === text
  if (length !== text.length) return false
  const B = SB[S], b = (q << 2) + FIXED + from
  if (!(w & ONE_BYTE)) return textAt(S, q, w, j, from, length) === text
  if (length > 48) return B.latin1Slice(b, b + length) === text
  for (let c = 0; c < length; c++) if (B[b + c] !== text.charCodeAt(c)) return false
  return true
}
function endOf(S, q, w) { const u = w & UNITS; return u === 0 ? (A.base[S] << 2) + A.end[S] : (q << 2) + u * 8 }
function textAt(S, q, w, j, from, length) {
  if (w & BOXED) return boxOf(S, q)[j]
  const b = (q << 2) + FIXED
  return w & ONE_BYTE ? SB[S].latin1Slice(b + from, b + from + length) : SB[S].utf8Slice(b, endOf(S, q, w)).slice(from, from + length)
}`

/** Where record `a` lies: its segment, that segment's words and numbers, its first word there and what stands in it. */
const LOCATE = `const S = a >>> 15, I = SI[S], D = SD[S], q = A.base[S] + ((a & 32767) << 1), w = I[q]`

/** Generates the functions of one table over an arena. */
export function compileRecordCode(spec: RecordSpec, arena: RecordArena, numberField?: string): RecordCode & Partial<RowKeyCode> {
  const layout = layoutOf(spec)
  const writer = new RecordEmitter(spec, layout)
  const code = writer.code
  code.line(`const FIXED = ${layout.fixedBytes}, LENGTHS = ${layout.lengthsWord}, BOXED = ${BOXED}, ONE_BYTE = ${ONE_BYTE}, UNITS = ${UNITS}`)
  emitHashHelpers(code)
  code.line(HELPERS)
  writer.same()
  writer.find()
  writer.put('put(g, key, user, r, at, seq)', writer.keyFromParameters())
  if (spec.chained) writer.append()
  writer.readers()
  const names = ['find', 'findOf', 'put', 'row', 'key', 'user', 'at', 'seq', 'claims', ...(spec.chained ? ['append'] : [])]
  if (layout.keyFields !== undefined && spec.user === undefined) {
    writer.rowKeyed(numberField)
    names.push('findRow', 'putRow', 'number')
  }
  code.line(`return { ${names.join(', ')} }`)
  const keys = compileKeyCodec((layout.keyFields ?? spec.key).map((field, index) => ({ ...field, name: layout.keyFields === undefined ? `k${index}` : field.name })))
  return code.compile<RecordCode & Partial<RowKeyCode>>({ A: arena, Row: spec.rowClass, keys, quote: JSON.stringify, bytesOf: (text: string) => Buffer.byteLength(text) })
}

class RecordEmitter {
  readonly code = new Emitter()
  readonly #spec: RecordSpec
  readonly #layout: RecordLayout
  /** Names of the key's parts in generated code. */
  readonly #parts: readonly string[]

  constructor(spec: RecordSpec, layout: RecordLayout) {
    this.#spec = spec
    this.#layout = layout
    this.#parts = [...(layout.keyFields ?? ['']).map((_, index) => `k${index}`), ...(spec.user === undefined ? [] : ['u0'])]
  }

  /** Lines that take a key apart into its parts. */
  keyFromParameters(): string {
    const { keyFields } = this.#layout
    const user = this.#spec.user === undefined ? '' : `, u0 = user`
    if (keyFields === undefined) return `const k0 = key${user}`
    return `const v = keys.values(key)${keyFields.map((_, index) => `, k${index} = v[${index}]`).join('')}${user}`
  }

  #keyFromRow(): string {
    return `const ${(this.#layout.keyFields ?? []).map((field, index) => `k${index} = r${this.code.property(field.name)}`).join(', ')}`
  }

  /** The parts of record `a`'s own key, read after LOCATE. */
  #keyFromRecord(): string {
    const { keyFields, keyKind } = this.#layout
    const parts = keyFields === undefined
      ? [`k0 = ${keyKind === 'number' ? this.#numberAt('key') : this.#textAt('key')}`]
      : keyFields.map((field, index) => `k${index} = ${this.#fieldAt(field)}`)
    if (this.#spec.user !== undefined) parts.push(`u0 = ${this.#spec.user === 'number' ? this.#numberAt('user') : this.#textAt('user')}`)
    return `const ${parts.join(', ')}`
  }

  #hash(): string {
    const { keyFields, keyKind } = this.#layout
    const key = keyFields === undefined ? `${keyKind === 'number' ? 'hashNumber' : 'hashString'}(k0)` : keyHashExpression(keyFields, this.#parts)
    const user = this.#spec.user === undefined ? undefined : `${this.#spec.user === 'number' ? 'hashNumber' : 'hashString'}(u0)`
    return `const h = Math.imul(${user === undefined ? key : `mix32(Math.imul(${key}, 31) + ${user} | 0)`}, 0x9e3779b1)`
  }

  /** Leaves the entry in `i` and its address in `a`, 0 when the key is not there: `i` is then where it would go. */
  #probe(): string {
    return `const x = g.index, m = x.length - 1; let i = h >>> g.shift << 1, a
while ((a = x[i + 1]) !== 0) { if (x[i] === h && same(a, ${this.#parts.join(', ')})) break; i = i + 2 & m }`
  }

  same(): void {
    const { keyFields, keyKind } = this.#layout
    this.code.line(`function same(a, ${this.#parts.join(', ')}) { ${LOCATE}`)
    const tests = keyFields === undefined
      ? [keyKind === 'number' ? `${this.#numberAt('key')} === k0` : this.#sameText('key', 'k0')]
      : keyFields.map((field, index) => this.#sameField(field, `k${index}`))
    if (this.#spec.user !== undefined) tests.push(this.#spec.user === 'number' ? `${this.#numberAt('user')} === u0` : this.#sameText('user', 'u0'))
    this.code.line(`return ${tests.join(' && ')} }`)
  }

  find(): void {
    const { code } = this
    code.line(`function find(g, key, user) { ${this.keyFromParameters()}; ${this.#hash()}`)
    code.line(this.#probe())
    code.line(`return a === 0 ? -1 : i }`)
    code.line(`function findOf(g, b) { let k = b; { const a = b; ${LOCATE}; ${this.#keyFromRecord()}; k = place(g, I[q + 1], ${this.#parts.join(', ')}) } return k }`)
    code.line(`function place(g, h, ${this.#parts.join(', ')}) {`)
    code.line(this.#probe())
    code.line(`return a === 0 ? -1 : i }`)
  }

  /** `put`: always encoded at the log's end first, for only then its bytes are known; then over the old record where it fits. */
  put(signature: string, key: string): void {
    const { code } = this
    code.line(`function ${signature} { ${key}; ${this.#hash()}`)
    code.line(`if ((g.n + 1) * 8 > g.index.length * 3) g.grow()`)
    code.line(this.#probe())
    this.#write(String(VALUE), '0')
    code.line(`if (a !== 0) { const Z = a >>> 15, J = SI[Z], y = A.base[Z] + ((a & 32767) << 1), v = J[y] & UNITS`)
    code.line(`if (u !== 0 && u <= v) { const head = I[q] & ~UNITS | v; for (let c = 1; c < u * 2; c++) J[y + c] = I[q + c]; J[y] = head; return }`)
    code.line(`A.kill(Z, v === 0 ? A.end[Z] : v * 8)`)
    code.line(`} else { g.n++; x[i] = h }`)
    code.line(`A.end[S] = o + bytes; x[i + 1] = S << 15 | o >> 3; if (A.debt) A.maintain() }`)
  }

  append(): void {
    const { code } = this
    code.line(`function append(g, key, user, r, at, seq) { ${this.keyFromParameters()}; ${this.#hash()}`)
    code.line(`if ((g.n + 1) * 8 > g.index.length * 3) g.grow()`)
    code.line(this.#probe())
    this.#write(`(a === 0 ? ${VALUE} : ${APPEND})`, 'a')
    code.line(`if (a === 0) { g.n++; x[i] = h }`)
    code.line(`A.end[S] = o + bytes; x[i + 1] = S << 15 | o >> 3; if (A.debt) A.maintain() }`)
  }

  /** Encodes `r` at the end of g's log without moving that end. Leaves S, o, I, q, u (units) and bytes. */
  #write(kind: string, previous: string): void {
    const { code } = this
    const { texts, numbers, previousWord, bitsWord, bitsWords, lengthsWord, fixedBytes } = this.#layout
    texts.forEach((text, j) => { code.line(`const t${j} = ${this.#textValue(text.of)}`) })
    const lengths = texts.map((_, j) => `t${j}.length`)
    const box = `quote([${texts.map((_, j) => `t${j}`).join(', ')}])`
    if (texts.length > 0) {
      code.line(`let s = ${texts.length === 1 ? 't0' : texts.map((_, j) => `t${j}`).join(' + ')}, box = 0`)
      code.line(`if (${texts.length === 1 ? 's.length > 65535' : `s.length > 65535 && (${lengths.map((length) => `${length} > 65535`).join(' || ')})`}) { s = ${box}; box = BOXED }`)
      code.line(`let S, o, written, size`)
      code.line(`for (;;) { const need = FIXED + 8 + (s.length < 16384 ? s.length * 3 : bytesOf(s)); S = g.seg`)
      code.line(`if (A.end[S] + need > A.size[S]) { A.roll(g, need); S = g.seg } o = A.end[S]`)
      code.line(`written = s.length === 0 ? 0 : SB[S].utf8Write(s, (A.base[S] << 2) + o + FIXED)`)
      code.line(`if (written === s.length || box !== 0 || s.isWellFormed()) break; s = ${box}; box = BOXED }`)
    } else {
      code.line(`const s = '', box = 0, written = 0; let S = g.seg`)
      code.line(`if (A.end[S] + ${fixedBytes + 8} > A.size[S]) { A.roll(g, ${fixedBytes + 8}); S = g.seg } const o = A.end[S]`)
    }
    code.line(`const I = SI[S], D = SD[S], q = A.base[S] + (o >> 2), bytes = FIXED + written + 7 & ~7, u = A.size[S] > 262144 ? 0 : bytes >> 3`)
    code.line(`I[q] = u | ${kind} << ${KIND_SHIFT} | (written === s.length ? ONE_BYTE : 0) | box; I[q + 1] = h`)
    for (const [of, place] of numbers) code.line(`D[(q >> 1) + ${1 + place}] = ${this.#numberValue(of)}`)
    if (this.#spec.chained) code.line(`I[q + ${previousWord}] = ${previous}`)
    for (let word = 0; word < bitsWords; word++) code.line(`I[q + ${bitsWord + word}] = ${this.#bitsValue(word)}`)
    if (texts.length > 0) {
      code.line(`if (box !== 0) I[q + ${lengthsWord}] = written; else {`)
      for (let j = 0; j < texts.length; j += 2) code.line(`I[q + ${lengthsWord + (j >> 1)}] = ${lengths[j] ?? '0'}${lengths[j + 1] === undefined ? '' : ` | ${lengths[j + 1] ?? '0'} << 16`}`)
      code.line(`}`)
    }
  }

  #textValue(of: 'key' | 'user' | Field): string {
    if (of === 'key') return 'k0'
    if (of === 'user') return 'u0'
    const value = `r${this.code.property(of.name)}`
    const text = of.type === 'json' ? `quote(${value})` : value
    return of.nullable ? `${value} === null ? '' : ${text}` : text
  }

  #numberValue(of: 'at' | 'seq' | 'key' | 'user' | Field): string {
    if (typeof of === 'string') return { at: 'at', seq: 'seq', key: 'k0', user: 'u0' }[of]
    const value = `r${this.code.property(of.name)}`
    return of.nullable ? `${value} === null ? 0 : ${value}` : value
  }

  #bitsValue(word: number): string {
    const terms: string[] = []
    for (const [field, { isNull, isTrue }] of this.#layout.bits) {
      const value = `r${this.code.property(field.name)}`
      if (isNull !== undefined && isNull >> 5 === word) terms.push(`(${value} === null ? ${1 << (isNull & 31)} : 0)`)
      if (isTrue !== undefined && isTrue >> 5 === word) terms.push(`(${value} === true ? ${1 << (isTrue & 31)} : 0)`)
    }
    return terms.join(' | ')
  }

  readers(): void {
    const { code } = this
    const { keyFields, keyKind, texts, fixedBytes } = this.#layout
    code.line(`function at(a) { ${LOCATE}; return ${this.#spec.timed ? this.#numberAt('at') : '0'} }`)
    code.line(`function seq(a) { ${LOCATE}; return ${this.#spec.sequenced ? this.#numberAt('seq') : '0'} }`)
    code.line(`function user(a) { ${LOCATE}; return ${this.#spec.user === undefined ? '0' : this.#spec.user === 'number' ? this.#numberAt('user') : this.#textAt('user')} }`)
    if (keyFields === undefined) code.line(`function key(a) { ${LOCATE}; return ${keyKind === 'number' ? this.#numberAt('key') : this.#textAt('key')} }`)
    else code.line(`function key(a) { return keys.of(row(a)) }`)
    code.line(`function claims(a, bytes) { if (bytes < ${fixedBytes}) return -1; ${LOCATE}`)
    if (texts.length === 0) code.line(`return 0 }`)
    else code.line(`if (w & BOXED) return I[q + ${this.#layout.lengthsWord}] >>> 0; return ${texts.map((_, j) => this.#lengthAt(j)).join(' + ')} }`)
    this.#row()
  }

  #row(): void {
    const { code } = this
    const { texts } = this.#layout
    code.line(`function row(a) { ${LOCATE}`)
    if (texts.length > 0) {
      texts.forEach((_, j) => { code.line(`let t${j}`) })
      code.line(`if (w & BOXED) [${texts.map((_, j) => `t${j}`).join(', ')}] = boxOf(S, q)`)
      // one native call for all texts; each is then a slice of the one string
      code.line(`else { ${texts.map((_, j) => `const e${j} = ${j === 0 ? '' : `e${j - 1} + `}${this.#lengthAt(j)}`).join('; ')}`)
      const last = `e${texts.length - 1}`
      code.line(`const b = (q << 2) + FIXED, s = ${last} === 0 ? '' : w & ONE_BYTE ? SB[S].latin1Slice(b, b + ${last}) : SB[S].utf8Slice(b, endOf(S, q, w))`)
      texts.forEach((_, j) => { code.line(`t${j} = s.slice(${j === 0 ? '0' : `e${j - 1}`}, e${j})`) })
      code.line(`}`)
    }
    code.line(`return new Row(${this.#spec.schema.fields.map((field) => this.#decoded(field)).join(', ')}) }`)
  }

  /** A field in `row`, where the texts are variables. */
  #decoded(field: Field): string {
    const j = this.#layout.texts.findIndex((text) => text.of === field)
    if (j < 0) return this.#fieldAt(field)
    return this.#orNull(field, field.type === 'json' ? `JSON.parse(t${j})` : `t${j}`)
  }

  #fieldAt(field: Field): string {
    if (isNumeric(field)) return this.#orNull(field, this.#numberAt(field))
    if (field.type === 'boolean') return this.#orNull(field, this.#bitAt(this.#layout.bits.get(field)?.isTrue ?? 0))
    return this.#orNull(field, this.#textAt(field))
  }

  #orNull(field: Field, value: string): string {
    const bit = this.#layout.bits.get(field)?.isNull
    return bit === undefined ? value : `${this.#bitAt(bit)} ? null : ${value}`
  }

  #sameField(field: Field, value: string): string {
    const same = isNumeric(field) ? `${this.#numberAt(field)} === ${value}`
      : field.type === 'boolean' ? `${this.#bitAt(this.#layout.bits.get(field)?.isTrue ?? 0)} === ${value}` : this.#sameText(field, value)
    const bit = this.#layout.bits.get(field)?.isNull
    return bit === undefined ? same : `(${value} === null ? ${this.#bitAt(bit)} : !${this.#bitAt(bit)} && ${same})`
  }

  #bitAt(bit: number): string { return `((I[q + ${this.#layout.bitsWord + (bit >> 5)}] & ${1 << (bit & 31)}) !== 0)` }

  #numberAt(of: 'at' | 'seq' | 'key' | 'user' | Field): string { return `D[(q >> 1) + ${1 + (this.#layout.numbers.get(of) ?? 0)}]` }

  #lengthAt(j: number): string { return `(I[q + ${this.#layout.lengthsWord + (j >> 1)}] ${j % 2 === 0 ? '& 65535' : '>>> 16'})` }

  #place(of: 'key' | 'user' | Field): { j: number; from: string } {
    const j = this.#layout.texts.findIndex((text) => text.of === of)
    return { j, from: j === 0 ? '0' : Array.from({ length: j }, (_, before) => this.#lengthAt(before)).join(' + ') }
  }

  #textAt(of: 'key' | 'user' | Field): string {
    const { j, from } = this.#place(of)
    return `textAt(S, q, w, ${j}, ${from}, ${this.#lengthAt(j)})`
  }

  #sameText(of: 'key' | 'user' | Field, value: string): string {
    const { j, from } = this.#place(of)
    return `sameText(S, I, q, w, ${j}, ${from}, ${this.#lengthAt(j)}, ${value})`
  }

  rowKeyed(numberField: string | undefined): void {
    const { code } = this
    code.line(`function findRow(g, r) { ${this.#keyFromRow()}; ${this.#hash()}`)
    code.line(this.#probe())
    code.line(`return a === 0 ? -1 : i }`)
    this.put('putRow(g, r, at)', `const seq = 0; ${this.#keyFromRow()}`)
    const field = this.#spec.schema.fields.find((one) => one.name === numberField)
    code.line(`function number(a) { ${LOCATE}; return ${field === undefined ? '0' : this.#numberAt(field)} }`)
  }
}
