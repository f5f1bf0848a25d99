import type { Field } from '../../model/schema.ts'
import { Emitter } from '../emitter.ts'
import type { RowClass } from '../rows/row.ts'
import { keyHashExpression } from '../keys/key-hash.ts'
import { isNumeric, KIND_SHIFT, type RecordLayout, type RecordShape } from '../../memory/arena/record-layout.ts'
import { SEGMENT_BYTES } from '../../memory/arena/segment-memory.ts'

/** What a table of records is generated from. */
export interface RecordSpec extends RecordShape {
  rowClass: RowClass
}

/**
 * Texts of so many characters are measured before: what gets a segment of its own must fill it, or another record
 * would follow.
 */
const MEASURED = 1 << 14

/**
 * Where record `a`, which is in memory, lies: its segment, that segment's words and numbers, its first word there
 * and what stands in it.
 */
export const LOCATE = `const S = a >>> 15, I = SI[S], D = SD[S], q = A.base[S] + ((a & 32767) << 1), w = I[q]`

/**
 * Pieces of generated code that know a table's layout. In them `g` is the group, `r` the row, `h` the hash, `a` an
 * address.
 */
export class RecordEmitter {
  readonly code = new Emitter()
  readonly spec: RecordSpec
  readonly layout: RecordLayout
  /** Whether records may be on disk. */
  readonly #spills: boolean
  /** Names of the key's parts in generated code. */
  readonly parts: readonly string[]

  constructor(spec: RecordSpec, layout: RecordLayout, spills: boolean) {
    this.spec = spec
    this.#spills = spills
    this.layout = layout
    this.parts = [
      ...(layout.keyFields ?? ['']).map((_, index) => `k${index}`),
      ...(spec.user === undefined ? [] : ['u0']),
    ]
  }

  /** Lines that take a key apart into its parts. */
  keyFromParameters(): string {
    const { keyFields } = this.layout
    const user = this.spec.user === undefined ? '' : `, u0 = user`
    if (keyFields === undefined) return `const k0 = key${user}`
    return `const v = keys.values(key)${keyFields.map((_, index) => `, k${index} = v[${index}]`).join('')}${user}`
  }

  /** The same from a row that carries its key. */
  keyFromRow(row = 'r'): string {
    return `const ${(this.layout.keyFields ?? []).map((field, index) => `k${index} = ${row}${this.code.property(field.name)}`).join(', ')}`
  }

  /** The parts of record `a`'s own key, read after LOCATE. */
  keyFromRecord(): string {
    const { keyFields, keyKind } = this.layout
    const parts =
      keyFields === undefined
        ? [`k0 = ${keyKind === 'number' ? this.numberAt('key') : this.textAt('key')}`]
        : keyFields.map((field, index) => `k${index} = ${this.#fieldAt(field)}`)
    if (this.spec.user !== undefined)
      parts.push(`u0 = ${this.spec.user === 'number' ? this.numberAt('user') : this.textAt('user')}`)
    return `const ${parts.join(', ')}`
  }

  hash(): string {
    const { keyFields, keyKind } = this.layout
    const key =
      keyFields === undefined
        ? `${keyKind === 'number' ? 'hashNumber' : 'hashString'}(k0)`
        : keyHashExpression(keyFields, this.parts)
    const user =
      this.spec.user === undefined ? undefined : `${this.spec.user === 'number' ? 'hashNumber' : 'hashString'}(u0)`
    return `const h = Math.imul(${user === undefined ? key : `mix32(Math.imul(${key}, 31) + ${user} | 0)`}, 0x9e3779b1)`
  }

  /**
   * LOCATE for a record that may be on disk: `a` is then a copy of it, only to be read, until the next one is
   * located.
   */
  locate(): string {
    return `${this.#spills ? 'if (A.base[a >>> 15] < 0) a = A.load(a); ' : ''}${LOCATE}`
  }

  /** Before a row of a batch, when no address is held: what reading on disk has put into memory is paid for. */
  settle(): string {
    return this.#spills ? 'if (A.debt) A.maintain()' : ''
  }

  /** After `probe` found a record that is to be read on: on disk, it is not to be read from there again. */
  promote(): string {
    return this.#spills && !this.spec.chained
      ? `if (a !== 0 && A.base[a >>> 15] < 0) a = x[i + 1] = A.promote(g, a)`
      : ''
  }

  /** A record found by `probe` was superseded; `inMemory` may see to it otherwise. */
  supersede(inMemory: string): string {
    const onDisk = this.#spills ? `if (A.base[a >>> 15] < 0) A.kill(a >>> 15, A.recordBytes(a)); else ` : ''
    return `${onDisk}{ const Z = a >>> 15, J = SI[Z], y = A.base[Z] + ((a & 32767) << 1), v = J[y] & UNITS
${inMemory}
A.kill(Z, v === 0 ? A.end[Z] : v * 8) }`
  }

  /** A look at record `T[j]` of a batch, for its cache lines. */
  touch(): string {
    return this.#spills ? `if (a !== 0 && A.base[a >>> 15] >= 0)` : `if (a !== 0)`
  }

  /** Leaves the entry in `i` and its address in `a`, 0 when the key is not there: `i` is then where it would go. */
  probe(): string {
    return `const x = g.index, m = x.length - 1; let i = h >>> g.shift << 1, a
while ((a = x[i + 1]) !== 0) { if (x[i] === h && same(a, ${this.parts.join(', ')})) break; i = i + 2 & m }`
  }

  /** Before `probe` of a write: room for one more key. */
  room(): string {
    return `if ((g.n + 1) * 8 > g.index.length * 3) g.grow()`
  }

  /** After `write`: the record counts, and the entry points at it. */
  commit(): string {
    return `A.end[S] = o + bytes; x[i + 1] = S << 15 | o >> 3`
  }

  /** Before a record found by `probe` is changed in place: `a` is then where it may be. */
  own(): string {
    return `a = x[i + 1] = A.own(g, a)`
  }

  /** Encodes `r` at the end of g's log without moving that end. Leaves S, o, I, q, u (units) and bytes. */
  write(kind: string, previous: string): void {
    const { code } = this
    const { texts, numbers, previousWord, bitsWord, bitsWords, lengthsWord, fixedBytes } = this.layout
    texts.forEach((text, j) => {
      code.line(`const t${j} = ${this.#textValue(text.of)}`)
    })
    const lengths = texts.map((_, j) => `t${j}.length`)
    const box = `quote([${texts.map((_, j) => `t${j}`).join(', ')}])`
    if (texts.length > 0) {
      code.line(`let s = ${texts.length === 1 ? 't0' : texts.map((_, j) => `t${j}`).join(' + ')}, box = 0`)
      code.line(
        `if (${texts.length === 1 ? 's.length > 65535' : `s.length > 65535 && (${lengths.map((length) => `${length} > 65535`).join(' || ')})`}) { s = ${box}; box = BOXED }`,
      )
      code.line(`let S, o, written`)
      code.line(`for (;;) { const need = FIXED + 8 + (s.length < ${MEASURED} ? s.length * 3 : bytesOf(s)); S = g.seg`)
      code.line(`if (A.end[S] + need > A.size[S]) { A.roll(g, need); S = g.seg } o = A.end[S]`)
      code.line(`written = s.length === 0 ? 0 : SB[S].utf8Write(s, (A.base[S] << 2) + o + FIXED)`)
      code.line(`if (written === s.length || box !== 0 || s.isWellFormed()) break; s = ${box}; box = BOXED }`)
    } else {
      code.line(`const s = '', box = 0, written = 0; let S = g.seg`)
      code.line(
        `if (A.end[S] + ${fixedBytes + 8} > A.size[S]) { A.roll(g, ${fixedBytes + 8}); S = g.seg } const o = A.end[S]`,
      )
    }
    code.line(
      `const I = SI[S], D = SD[S], q = A.base[S] + (o >> 2), bytes = FIXED + written + 7 & ~7, u = A.size[S] > ${SEGMENT_BYTES} ? 0 : bytes >> 3`,
    )
    code.line(`I[q] = u | ${kind} << ${KIND_SHIFT} | (written === s.length ? ONE_BYTE : 0) | box; I[q + 1] = h`)
    for (const [of, place] of numbers) code.line(`D[(q >> 1) + ${1 + place}] = ${this.#numberValue(of)}`)
    if (this.spec.chained) code.line(`I[q + ${previousWord}] = ${previous}`)
    for (let word = 0; word < bitsWords; word++) code.line(`I[q + ${bitsWord + word}] = ${this.#bitsValue(word)}`)
    if (texts.length > 0) {
      code.line(`if (box !== 0) I[q + ${lengthsWord}] = written; else {`)
      for (let j = 0; j < texts.length; j += 2)
        code.line(
          `I[q + ${lengthsWord + (j >> 1)}] = ${lengths[j] ?? '0'}${lengths[j + 1] === undefined ? '' : ` | ${lengths[j + 1] ?? '0'} << 16`}`,
        )
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
    for (const [field, { isNull, isTrue }] of this.layout.bits) {
      const value = `r${this.code.property(field.name)}`
      if (isNull !== undefined && isNull >> 5 === word) terms.push(`(${value} === null ? ${1 << (isNull & 31)} : 0)`)
      if (isTrue !== undefined && isTrue >> 5 === word) terms.push(`(${value} === true ? ${1 << (isTrue & 31)} : 0)`)
    }
    return terms.join(' | ')
  }

  /** A field in `row`, where the texts are variables. */
  decoded(field: Field): string {
    const j = this.layout.texts.findIndex((text) => text.of === field)
    if (j < 0) return this.#fieldAt(field)
    return this.#orNull(field, field.type === 'json' ? `JSON.parse(t${j})` : `t${j}`)
  }

  #fieldAt(field: Field): string {
    if (isNumeric(field)) return this.#orNull(field, this.numberAt(field))
    if (field.type === 'boolean') return this.#orNull(field, this.#bitAt(this.layout.bits.get(field)?.isTrue ?? 0))
    return this.#orNull(field, this.textAt(field))
  }

  #orNull(field: Field, value: string): string {
    const bit = this.layout.bits.get(field)?.isNull
    return bit === undefined ? value : `${this.#bitAt(bit)} ? null : ${value}`
  }

  sameField(field: Field, value: string): string {
    const same = isNumeric(field)
      ? `${this.numberAt(field)} === ${value}`
      : field.type === 'boolean'
        ? `${this.#bitAt(this.layout.bits.get(field)?.isTrue ?? 0)} === ${value}`
        : this.sameText(field, value)
    const bit = this.layout.bits.get(field)?.isNull
    return bit === undefined ? same : `(${value} === null ? ${this.#bitAt(bit)} : !${this.#bitAt(bit)} && ${same})`
  }

  #bitAt(bit: number): string {
    return `((I[q + ${this.layout.bitsWord + (bit >> 5)}] & ${1 << (bit & 31)}) !== 0)`
  }

  numberAt(of: 'at' | 'seq' | 'key' | 'user' | Field): string {
    return `D[(q >> 1) + ${1 + (this.layout.numbers.get(of) ?? 0)}]`
  }

  lengthAt(j: number): string {
    return `(I[q + ${this.layout.lengthsWord + (j >> 1)}] ${j % 2 === 0 ? '& 65535' : '>>> 16'})`
  }

  #place(of: 'key' | 'user' | Field): { j: number; from: string } {
    const j = this.layout.texts.findIndex((text) => text.of === of)
    return { j, from: j === 0 ? '0' : Array.from({ length: j }, (_, before) => this.lengthAt(before)).join(' + ') }
  }

  textAt(of: 'key' | 'user' | Field): string {
    const { j, from } = this.#place(of)
    return `textAt(S, q, w, ${j}, ${from}, ${this.lengthAt(j)})`
  }

  sameText(of: 'key' | 'user' | Field, value: string): string {
    const { j, from } = this.#place(of)
    return `sameText(S, I, q, w, ${j}, ${from}, ${this.lengthAt(j)}, ${value})`
  }
}
