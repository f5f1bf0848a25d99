import { KIND_SHIFT, type RecordLayout, type RecordShape } from '../../memory/arena/record-layout.ts'
import { SEGMENT_BYTES } from '../../memory/arena/segment-memory.ts'
import type { Field } from '../../model/schema.ts'
import { type Code, joined, js, lines, NOTHING, property } from '../emitter.ts'
import { keyHash } from '../keys/key-hash.ts'
import type { RowClass } from '../rows/row.ts'
import { storageOf } from '../../model/type-traits.ts'

/** A table of records is generated from this. */
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
export const LOCATE = js`
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]`

/** The numbers that a record carries. */
export type NumberOf = 'at' | 'seq' | 'key' | 'user' | Field
/** The texts that a record carries. */
export type TextOf = 'key' | 'user' | Field

/**
 * Pieces of generated code that know a table's layout. In them `g` is the group, `r` the row, `h` the hash, `a` an
 * address, `i` the entry of the index.
 */
export class RecordEmitter {
  readonly spec: RecordSpec
  readonly layout: RecordLayout
  /** Whether records may be on disk. */
  readonly #spills: boolean
  /** Names of the key's parts in generated code. */
  readonly parts: readonly Code[]
  /** The JavaScript of a field of the row that is written. */
  readonly #field: (field: Field) => Code

  constructor(
    spec: RecordSpec,
    layout: RecordLayout,
    spills: boolean,
    field = ({ name }: Field): Code => js`r${property(name)}`,
  ) {
    this.#field = field
    this.spec = spec
    this.#spills = spills
    this.layout = layout
    const keyParts = layout.keyFields?.map((_, index) => js`k${index}`) ?? [js`k0`]
    this.parts = spec.user === undefined ? keyParts : [...keyParts, js`u0`]
  }

  /** The same layout, whose row has its fields in other places. */
  withFields(field: (field: Field) => Code): RecordEmitter {
    return new RecordEmitter(this.spec, this.layout, this.#spills, field)
  }

  /** Declares the parts of a key that is a StateKey. */
  keyFromParameters(): Code {
    const { keyFields } = this.layout
    const user = this.spec.user === undefined ? NOTHING : js`const u0 = user`
    if (keyFields === undefined) return lines([js`const k0 = key`, user])
    return lines([
      js`const v = keys.values(key)`,
      ...keyFields.map((_, index) => js`const k${index} = v[${index}]`),
      user,
    ])
  }

  /** Declares the parts of the key of a row that carries it. */
  keyFromRow(row = js`r`): Code {
    return lines((this.layout.keyFields ?? []).map(({ name }, index) => js`const k${index} = ${row}${property(name)}`))
  }

  /** Declares the parts of record `a`'s own key, read after LOCATE. */
  keyFromRecord(): Code {
    const { keyFields, keyKind } = this.layout
    const key =
      keyFields === undefined
        ? [js`const k0 = ${keyKind === 'number' ? this.numberAt('key') : this.textAt('key')}`]
        : keyFields.map((field, index) => js`const k${index} = ${this.#fieldAt(field)}`)
    if (this.spec.user === undefined) return lines(key)
    return lines([...key, js`const u0 = ${this.spec.user === 'number' ? this.numberAt('user') : this.textAt('user')}`])
  }

  hash(): Code {
    const { keyFields, keyKind } = this.layout
    const key =
      keyFields === undefined
        ? hashOf(keyKind === 'number' ? 'number' : 'text', js`k0`)
        : keyHash(keyFields, this.parts)
    const { user } = this.spec
    const all = user === undefined ? key : js`mix32(Math.imul(${key}, 31) + ${hashOf(user, js`u0`)} | 0)`
    return js`const h = Math.imul(${all}, 0x9e3779b1)`
  }

  /**
   * LOCATE for a record that may be on disk: `a` is then a copy of it, only to be read, until the next one is
   * located.
   */
  locate(): Code {
    return lines([this.#spills ? js`if (arena.base[a >>> 15] < 0) a = arena.load(a)` : NOTHING, LOCATE])
  }

  /** Before a row of a batch, when no address is held: what reading on disk has put into memory is paid for. */
  settle(): Code {
    return this.#spills ? js`if (arena.debt) arena.maintain()` : NOTHING
  }

  /** After `probe` found a record that is to be read on: on disk, it is not to be read from there again. */
  promote(): Code {
    return this.#spills && !this.spec.chained
      ? js`if (a !== 0 && arena.base[a >>> 15] < 0) a = index[i + 1] = arena.promote(g, a)`
      : NOTHING
  }

  /**
   * A record found by `probe` was superseded; `inMemory` may see to it otherwise: statements over its segment
   * `oldSegment`, words `oldInts`, first word `oldStart` and `oldUnits`.
   */
  supersede(inMemory: Code): Code {
    const kill = js`
      {
        const oldSegment = a >>> 15, oldInts = INTS[oldSegment]
        const oldStart = arena.base[oldSegment] + ((a & 32767) << 1), oldUnits = oldInts[oldStart] & UNITS
        ${inMemory}
        arena.kill(oldSegment, oldUnits === 0 ? arena.end[oldSegment] : oldUnits * 8)
      }`
    return this.#spills
      ? js`if (arena.base[a >>> 15] < 0) arena.kill(a >>> 15, arena.recordBytes(a)); else ${kill}`
      : kill
  }

  /**
   * For `supersede` behind `write`: statements that end by `done` with what was written over the old record, where it
   * fits and no barrier has passed. The old record keeps its size, so a row of less than half of it is written behind
   * instead: else every record would end as large as its key's largest row.
   */
  overwrite(done: Code): Code {
    return js`
      if ((a & 32767) << 3 >= arena.frozen[oldSegment] && units !== 0 && units <= oldUnits && oldUnits <= units * 2) {
        const head = ints[start] & ~UNITS | oldUnits
        for (let c = 1; c < units * 2; c++) oldInts[oldStart + c] = ints[start + c]
        oldInts[oldStart] = head
        ${done}
      }`
  }

  /** Statements over records that may be on disk; nothing where none can be. */
  eachCold(statements: Code): Code {
    return this.#spills ? statements : NOTHING
  }

  /** A look at record `a` of a batch, for its cache lines; `seen` keeps it from being optimized away. */
  look(seen: Code): Code {
    const isInMemory = this.#spills ? js`a !== 0 && arena.base[a >>> 15] >= 0` : js`a !== 0`
    return js`if (${isInMemory}) ${seen} ^= INTS[a >>> 15][arena.base[a >>> 15] + ((a & 32767) << 1)]`
  }

  /** Leaves the entry in `i` and its address in `a`, 0 when the key is not there: `i` is then where it would go. */
  probe(): Code {
    return js`
      const index = g.index, mask = index.length - 1
      let i = h >>> g.shift << 1, a
      while ((a = index[i + 1]) !== 0) {
        if (index[i] === h && same(a, ${this.parts})) break
        i = i + 2 & mask
      }`
  }

  /** Before `probe` of a write: room for one more key. */
  room(): Code {
    return js`if ((g.n + 1) * 8 > g.index.length * 3) g.grow()`
  }

  /** After `write`: the record counts, and the entry points at it. */
  commit(): Code {
    return js`
      arena.end[segment] = offset + bytes
      index[i + 1] = segment << 15 | offset >> 3`
  }

  /** Before a record found by `probe` is changed in place: `a` is then where it may be. */
  own(): Code {
    return js`a = index[i + 1] = arena.own(g, a)`
  }

  /**
   * Encodes `r` at the end of g's log without moving that end. Leaves segment, offset, ints, start, units and bytes.
   */
  write(kind: Code, previous: Code): Code {
    const { texts, numbers, previousWord, bitsWord, bitsWords } = this.layout
    return js`
      ${texts.map((text, j) => js`const t${j} = ${this.#textValue(text.of)}`)}
      ${texts.length === 0 ? this.#placeNumbers() : this.#placeTexts()}
      const ints = INTS[segment], doubles = DOUBLES[segment], start = arena.base[segment] + (offset >> 2)
      const bytes = FIXED + written + 7 & ~7, units = arena.size[segment] > ${SEGMENT_BYTES} ? 0 : bytes >> 3
      ints[start] = units | ${kind} << ${KIND_SHIFT} | (written === s.length ? ONE_BYTE : 0) | box
      ints[start + 1] = h
      ${[...numbers].map(([of, place]) => js`doubles[(start >> 1) + ${1 + place}] = ${this.#numberValue(of)}`)}
      ${this.spec.chained ? js`ints[start + ${previousWord}] = ${previous}` : NOTHING}
      ${Array.from({ length: bitsWords }, (_, word) => js`ints[start + ${bitsWord + word}] = ${this.#bitsValue(word)}`)}
      ${texts.length === 0 ? NOTHING : this.#writeLengths()}`
  }

  /** Declares the bytes of the record of a row whose texts are `length<j>` bytes: `written` of texts, `bytes` in all. */
  measureBytes(): Code {
    const lengths = this.layout.texts.map((_, j) => js`length${j}`)
    return js`
      const written = ${lengths.length === 0 ? 0 : joined(lengths, ' + ')}
      const bytes = FIXED + written + 7 & ~7`
  }

  /** Leaves the place of such a record at the end of g's log, as `write` does, without moving that end. */
  placeBytes(): Code {
    return js`
      let segment = g.seg
      if (arena.end[segment] + bytes > arena.size[segment]) {
        arena.roll(g, bytes)
        segment = g.seg
      }
      const offset = arena.end[segment]
      const start = arena.base[segment] + (offset >> 2), units = arena.size[segment] > ${SEGMENT_BYTES} ? 0 : bytes >> 3`
  }

  /**
   * Writes the record of `units` at `start` of `segment`. Its texts are ASCII: text j is the length<j> bytes of b<j>, which is view<j>
   * too, at from<j>, none longer than the layout can say.
   */
  fillBytes(kind: Code): Code {
    const { texts, numbers, bitsWord, bitsWords, lengthsWord } = this.layout
    const words = Array.from({ length: (texts.length + 1) >> 1 }, (_, word) => {
      const [low, high] = [js`length${word * 2}`, js`length${word * 2 + 1}`]
      return js`ints[start + ${lengthsWord + word}] = ${word * 2 + 1 < texts.length ? js`${low} | ${high} << 16` : low}`
    })
    return js`
      const ints = INTS[segment], doubles = DOUBLES[segment], into = BUFFERS[segment], target = VIEWS[segment]
      ints[start] = units | ${kind} << ${KIND_SHIFT} | ONE_BYTE
      ints[start + 1] = h
      ${[...numbers].map(([of, place]) => js`doubles[(start >> 1) + ${1 + place}] = ${this.#numberValue(of)}`)}
      ${Array.from({ length: bitsWords }, (_, word) => js`ints[start + ${bitsWord + word}] = ${this.#bitsValue(word)}`)}
      ${words}
      let to = (start << 2) + FIXED
      ${texts.map(
        (_, j) => js`
          copyBytes(b${j}, view${j}, from${j}, length${j}, into, target, to)
          to += length${j}`,
      )}`
  }

  #placeNumbers(): Code {
    const need = this.layout.fixedBytes + 8
    return js`
      const s = '', box = 0, written = 0
      let segment = g.seg
      if (arena.end[segment] + ${need} > arena.size[segment]) {
        arena.roll(g, ${need})
        segment = g.seg
      }
      const offset = arena.end[segment]`
  }

  /**
   * Writes the texts to their place first, for only then their bytes are known; boxes them when they are too long or
   * not UTF-8.
   */
  #placeTexts(): Code {
    const texts = this.layout.texts.map((_, j) => js`t${j}`)
    const isLong = joined(
      texts.map((text) => js`${text}.length > 65535`),
      ' || ',
    )
    const [first = NOTHING] = texts
    return js`
      let s = ${texts.length === 1 ? first : joined(texts, ' + ')}, box = 0
      if (${texts.length === 1 ? js`s.length > 65535` : js`s.length > 65535 && (${isLong})`}) {
        s = quote([${texts}])
        box = BOXED
      }
      let segment, offset, written
      for (;;) {
        const need = FIXED + 8 + (s.length < ${MEASURED} ? s.length * 3 : bytesOf(s))
        segment = g.seg
        if (arena.end[segment] + need > arena.size[segment]) {
          arena.roll(g, need)
          segment = g.seg
        }
        offset = arena.end[segment]
        written = s.length === 0 ? 0 : BUFFERS[segment].utf8Write(s, (arena.base[segment] << 2) + offset + FIXED)
        if (written === s.length || box !== 0 || s.isWellFormed()) break
        s = quote([${texts}])
        box = BOXED
      }`
  }

  #writeLengths(): Code {
    const { texts, lengthsWord } = this.layout
    const words = Array.from({ length: (texts.length + 1) >> 1 }, (_, word) => {
      const [low, high] = [js`t${word * 2}.length`, js`t${word * 2 + 1}.length`]
      return js`ints[start + ${lengthsWord + word}] = ${word * 2 + 1 < texts.length ? js`${low} | ${high} << 16` : low}`
    })
    return js`
      if (box !== 0) ints[start + ${lengthsWord}] = written
      else {
        ${words}
      }`
  }

  #textValue(of: TextOf): Code {
    if (of === 'key') return js`k0`
    if (of === 'user') return js`u0`
    const value = this.#field(of)
    const text = storageOf(of) === 'json' ? js`quote(${value})` : value
    return of.nullable ? js`${value} === null ? '' : ${text}` : text
  }

  #numberValue(of: NumberOf): Code {
    switch (of) {
      case 'at':
        return js`at`
      case 'seq':
        return js`seq`
      case 'key':
        return js`k0`
      case 'user':
        return js`u0`
    }
    const value = this.#field(of)
    return of.nullable ? js`${value} === null ? 0 : ${value}` : value
  }

  #bitsValue(word: number): Code {
    const terms: Code[] = []
    for (const [field, { isNull, isTrue }] of this.layout.bits) {
      const value = this.#field(field)
      if (isNull !== undefined && isNull >> 5 === word) terms.push(js`(${value} === null ? ${1 << (isNull & 31)} : 0)`)
      if (isTrue !== undefined && isTrue >> 5 === word) terms.push(js`(${value} === true ? ${1 << (isTrue & 31)} : 0)`)
    }
    return joined(terms, ' | ')
  }

  /** A field in `row`, where the texts are variables. */
  decoded(field: Field): Code {
    const j = this.layout.texts.findIndex((text) => text.of === field)
    if (j < 0) return this.#fieldAt(field)
    return this.#orNull(field, storageOf(field) === 'json' ? js`JSON.parse(t${j})` : js`t${j}`)
  }

  #fieldAt(field: Field): Code {
    if (storageOf(field) === 'number') return this.#orNull(field, this.numberAt(field))
    if (storageOf(field) === 'bit') return this.#orNull(field, this.#bitAt(this.layout.bits.get(field)?.isTrue ?? 0))
    return this.#orNull(field, this.textAt(field))
  }

  #orNull(field: Field, value: Code): Code {
    const bit = this.layout.bits.get(field)?.isNull
    return bit === undefined ? value : js`${this.#bitAt(bit)} ? null : ${value}`
  }

  /** The test that record `a` has null in the field; undefined where that cannot be. */
  isNull(field: Field): Code | undefined {
    const bit = this.layout.bits.get(field)?.isNull
    return bit === undefined ? undefined : this.#bitAt(bit)
  }

  sameField(field: Field, value: Code): Code {
    const same =
      storageOf(field) === 'number'
        ? js`${this.numberAt(field)} === ${value}`
        : storageOf(field) === 'bit'
          ? js`${this.#bitAt(this.layout.bits.get(field)?.isTrue ?? 0)} === ${value}`
          : this.sameText(field, value)
    const bit = this.layout.bits.get(field)?.isNull
    if (bit === undefined) return same
    return js`(${value} === null ? ${this.#bitAt(bit)} : !${this.#bitAt(bit)} && ${same})`
  }

  #bitAt(bit: number): Code {
    return js`((ints[start + ${this.layout.bitsWord + (bit >> 5)}] & ${1 << (bit & 31)}) !== 0)`
  }

  numberAt(of: NumberOf): Code {
    return js`doubles[(start >> 1) + ${1 + (this.layout.numbers.get(of) ?? 0)}]`
  }

  lengthAt(j: number): Code {
    const word = js`ints[start + ${this.layout.lengthsWord + (j >> 1)}]`
    return j % 2 === 0 ? js`(${word} & 65535)` : js`(${word} >>> 16)`
  }

  #place(of: TextOf): { j: number; from: Code } {
    const j = this.layout.texts.findIndex((text) => text.of === of)
    const before = Array.from({ length: j }, (_, earlier) => this.lengthAt(earlier))
    return { j, from: j === 0 ? js`0` : joined(before, ' + ') }
  }

  textAt(of: TextOf): Code {
    const { j, from } = this.#place(of)
    return js`textAt(segment, start, head, ${j}, ${from}, ${this.lengthAt(j)})`
  }

  sameText(of: TextOf, value: Code): Code {
    const { j, from } = this.#place(of)
    return js`sameText(segment, ints, start, head, ${j}, ${from}, ${this.lengthAt(j)}, ${value})`
  }
}

function hashOf(kind: 'number' | 'text', value: Code): Code {
  return kind === 'number' ? js`hashNumber(${value})` : js`hashString(${value})`
}
