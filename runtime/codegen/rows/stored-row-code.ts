import type { Field } from '../../model/schema.ts'
import { type Code, identifier, joined, js, NOTHING, property, getter } from '../emitter.ts'
import type { RecordArena } from '../../memory/arena/record-arena.ts'
import { SEGMENT_BYTES } from '../../memory/arena/segment-memory.ts'
import type { RowLogShape } from './row-log.ts'
import { booleanByte, presentText, textLength, textValue } from './row-values.ts'
import { recordHead } from '../../memory/row-record.ts'
import { PART_SHIFT } from '../../memory/arena/stored-rows.ts'
import { isKeptAsText, storageOf } from '../../model/type-traits.ts'

/*
 * Code for row logs whose rows may be on disk. A row is a record in an arena: a word with its units of 8 bytes and
 * the part of its log, its number in that, then what a snapshot has of it (row-log.ts). The log itself keeps in
 * memory what rows are found by: hashes, rings, times, marks, addresses, and keys that are numbers.
 */

/** Words before what a snapshot has of a row. */
const HEAD_WORDS = 2

/**
 * How a cursor reads rows on disk: as they are, together with those that were added next, or bringing them back
 * into memory.
 */
export type CursorReads = 'one' | 'ahead' | 'back'

/** The scope that the code refers to. */
export function storedRowsScope(arena: RecordArena): Readonly<Record<string, unknown>> {
  return {
    arena,
    INTS: arena.i32,
    DOUBLES: arena.f64,
    BUFFERS: arena.buffer,
    bytesOf: Buffer.byteLength,
    NO_BYTES: Buffer.alloc(0),
  }
}

/** Within `add` of a log: writes row `r` as its row e. */
export function storeRow({ fields, isTimed }: RowLogShape): Code {
  const { numbers, others, words } = recordHead(fields)
  const texts = fields.flatMap((field, index) => (isKeptAsText(field) ? [{ field, index }] : []))
  const hasText = texts.length > 0
  const encodeText = js`
    const s = ${joined(
      texts.map(({ field, index }) => presentText(field, index)),
      ' + ',
    )}
    let b = s.length === 0 ? 0 : bytesOf(s), w = 0
    if (b !== s.length) {
      if (s.isWellFormed()) w = 1
      else {
        w = 2
        b = s.length * 2
      }
    }`
  const size = hasText
    ? js`${HEAD_WORDS * 4} + (${words + 1} + (b + 3 >> 2) & ~1) * 4`
    : js`${(HEAD_WORDS + words + (words & 1)) * 4}`
  const writeText = js`
    if (b !== 0) {
      if (w === 0) BUFFERS[segment].latin1Write(s, p * 4, b)
      else if (w === 1) BUFFERS[segment].utf8Write(s, p * 4, b)
      else BUFFERS[segment].ucs2Write(s, p * 4, b)
    }
    this.rows.taken += b + 3 >> 2`
  return js`
    {
      ${texts.map(({ field, index }) => js`const s${index} = ${textValue(field)}`)}
      ${hasText ? encodeText : NOTHING}
      const bytes = ${size}, segment = this.rows.room(bytes), o = arena.end[segment]
      const ints = INTS[segment], doubles = DOUBLES[segment], q = arena.base[segment] + (o >> 2)
      ints[q] = (arena.size[segment] > ${SEGMENT_BYTES} ? 0 : bytes >> 3) | this.part << ${PART_SHIFT}
      ints[q + 1] = e
      ints[q + (bytes >> 2) - 1] = ints[q + (bytes >> 2) - 2] = 0
      let d = q + ${HEAD_WORDS} >> 1
      doubles[d++] = ${isTimed ? js`time` : 0}
      ${numbers.map((index) => storeNumber(fields[index] as Field))}
      let p = d * 2
      ints[p++] = ${hasText ? js`w << 1` : 0}
      ints[p++] = ${hasText ? js`b` : 0}
      ${others.map((index) => {
        const field = fields[index] as Field
        return js`ints[p++] = ${isKeptAsText(field) ? textLength(field, index) : booleanByte(field)}`
      })}
      ${hasText ? writeText : NOTHING}
      arena.end[segment] = o + bytes
      this.a[e] = segment << 15 | o >> 3
    }`
}

function storeNumber(field: Field): Code {
  const value = js`r${property(field.name)}`
  if (!field.nullable) return js`doubles[d++] = ${value}`
  return js`
    {
      const v = ${value}
      doubles[d++] = v === null ? NaN : v
    }`
}

/** As recordFunctions, for rows in an arena: measure and dump; what `parse` of a log does is the cursor's `$at`. */
export function storedRecordFunctions({ name, fields }: RowLogShape, group: Code): Code {
  const { words } = recordHead(fields)
  const hasText = fields.some(isKeptAsText)
  const locate = js`
    const a = arena.loadAhead(t.a[e]), segment = a >>> 15, source = INTS[segment]
    let q = arena.base[segment] + ((a & 32767) << 1) + ${HEAD_WORDS}`
  const size = hasText
    ? js`(${words + 1} + (source[q + ${bytesWord(fields)}] + 3 >> 2) & ~1)`
    : js`${words + (words & 1)}`
  return js`
    function measure${identifier(name)}(t, e, to, words) {
      for (; e < to; e++) {
        const h = t.h[e]
        ${hasText ? locate : NOTHING}
        words[${group}] += ${size}
      }
    }
    function dump${identifier(name)}(t, e, to, places, ints) {
      for (; e < to; e++) {
        const h = t.h[e], g = ${group}
        ${locate}
        const own = ints[g]
        for (let p = places[g], end = places[g] += ${size}; p < end; p++, q++) own[p] = source[q]
      }
    }`
}

/** Where in what a snapshot has of a row its bytes of text stand. */
function bytesWord(fields: readonly Field[]): number {
  return 2 + recordHead(fields).numbers.length * 2 + 1
}

/**
 * The class of cursors, which read row $e of log $t like an object of the row's class, and of those that read
 * records of a block. A cursor looks for its row again when other bytes may be where it was; reading through another
 * cursor may have put them there.
 */
export function storedCursorClasses({ name, fields }: RowLogShape): Code {
  const { others, words } = recordHead(fields)
  const bytesAt = bytesWord(fields)
  const hasText = fields.some(isKeptAsText)
  const textMethod = js`
    $text() {
      const ints = this.$ints, q = this.$start, b = ints[q + ${bytesAt}]
      return this.$s = b === 0 ? '' : textAt(this.$bytes, (q + ${words}) * 4, b, ints[q + ${bytesAt - 1}] >> 1)
    }`
  return js`
    class ${identifier(name)}Cursor {
      constructor(reads) {
        this.$reads = reads
        this.$t = null
        this.$e = 0
        this.$seenLog = null
        this.$seenRow = 0
        this.$seenMoves = -1
        this.$start = 0
        this.$ints = INTS[0]
        this.$doubles = DOUBLES[0]
        this.$bytes = NO_BYTES
        this.$s = null
      }
      $load() {}
      $seek() {
        const t = this.$t, e = this.$e
        if (this.$seenLog === t && this.$seenRow === e && this.$seenMoves === arena.moves) return
        let a = t.a[e]
        if (arena.base[a >>> 15] < 0) {
          if (this.$reads === 'back') {
            if (arena.debt) {
              arena.maintain()
              a = t.a[e]
            }
            if (arena.base[a >>> 15] < 0) a = t.a[e] = arena.promote(t.rows, a)
          } else a = this.$reads === 'ahead' ? arena.loadAhead(a) : arena.load(a)
        }
        const segment = a >>> 15
        this.$ints = INTS[segment]
        this.$doubles = DOUBLES[segment]
        this.$bytes = BUFFERS[segment]
        this.$start = arena.base[segment] + ((a & 32767) << 1) + ${HEAD_WORDS}
        this.$seenLog = t
        this.$seenRow = e
        this.$seenMoves = arena.moves
        this.$s = null
      }
      ${hasText ? textMethod : NOTHING}
      ${fields.map(
        (field, index) => js`
          get ${getter(field.name)}() {
            this.$seek()
            ${getField(fields, field, index)}
          }`,
      )}
    }
    class ${identifier(name)}Parsed extends ${identifier(name)}Cursor {
      $seek() {}
      // reads the record at word p of a block; returns where the next one begins, or -1 when it does not fit
      $at(p, ints, doubles, bytes) {
        this.$ints = ints
        this.$doubles = doubles
        this.$bytes = bytes
        this.$start = p
        this.$s = null
        const q = p + ${words}, b = ints[q - ${others.length + 1}]
        return b < 0 || q * 4 + b > bytes.length ? -1 : q + (b + 3 >> 2) + 1 & ~1
      }
      $flags() { return this.$ints[this.$start + ${bytesAt - 1}] }
    }`
}

function getField(fields: readonly Field[], field: Field, index: number): Code {
  const { numbers, others } = recordHead(fields)
  const first = bytesWord(fields) + 1
  const at = first + others.indexOf(index)
  if (storageOf(field) === 'bit')
    return js`
      const v = this.$ints[this.$start + ${at}]
      return ${field.nullable ? js`v === 2 ? null : v === 1` : js`v === 1`}`
  if (!isKeptAsText(field))
    return js`
      const v = this.$doubles[(this.$start >> 1) + ${1 + numbers.indexOf(index)}]
      return ${field.nullable ? js`v !== v ? null : v` : js`v`}`
  const before = others
    .filter((other) => other < index && isKeptAsText(fields[other] as Field))
    .map((other) => js`Math.max(0, ints[q + ${first + others.indexOf(other)}])`)
  const text = js`(this.$s === null ? this.$text() : this.$s).slice(a, a + n)`
  return js`
    const ints = this.$ints, q = this.$start, n = ints[q + ${at}]
    ${field.nullable ? js`if (n < 0) return null` : NOTHING}
    const a = ${before.length === 0 ? js`0` : joined(before, ' + ')}
    return ${storageOf(field) === 'json' ? js`parseJson(${text})` : text}`
}

/** The test that the text of key field `field` in row e of a stored log is `value`. */
export function sameStoredText(name: string, field: Field, value: Code): Code {
  const finder = js`finder${identifier(name)}`
  return js`(${finder}.$t = this, ${finder}.$e = e, ${finder}${property(field.name)} === ${value})`
}
