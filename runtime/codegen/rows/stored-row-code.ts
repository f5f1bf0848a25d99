import type { Field } from '../../model/schema.ts'
import type { Emitter } from '../emitter.ts'
import type { RecordArena } from '../../memory/arena/record-arena.ts'
import { SEGMENT_BYTES } from '../../memory/arena/segment-memory.ts'
import type { RowLogShape } from './row-log.ts'
import { isText, recordHead } from '../../memory/row-record.ts'
import { PART_SHIFT } from '../../memory/arena/stored-rows.ts'

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

/** What the emitted code refers to. */
export function storedRowsScope(arena: RecordArena): Readonly<Record<string, unknown>> {
  return {
    A: arena,
    SI: arena.i32,
    SD: arena.f64,
    SB: arena.buffer,
    bytesOf: Buffer.byteLength,
    NO_BYTES: Buffer.alloc(0),
  }
}

/** Within `add` of a log: writes row `r` as its row e. */
export function emitStore(code: Emitter, { fields, isTimed }: RowLogShape): void {
  const { numbers, others, words } = recordHead(fields)
  const texts: string[] = []
  code.line(`{`)
  fields.forEach((field, index) => {
    const value = `r${code.property(field.name)}`
    if (!isText(field)) return
    code.line(
      `const s${index} = ${field.type === 'json' ? (field.nullable ? `${value} === null ? null : printJson(${value})` : `printJson(${value})`) : value}`,
    )
    texts.push(field.nullable ? `(s${index} === null ? '' : s${index})` : `s${index}`)
  })
  if (texts.length > 0) {
    code.line(`const s = ${texts.join(' + ')}; let b = s.length === 0 ? 0 : bytesOf(s), w = 0`)
    code.line(`if (b !== s.length) { if (s.isWellFormed()) w = 1; else { w = 2; b = s.length * 2 } }`)
  }
  code.line(
    `const bytes = ${texts.length > 0 ? `${HEAD_WORDS * 4} + (${words + 1} + (b + 3 >> 2) & ~1) * 4` : `${(HEAD_WORDS + words + (words & 1)) * 4}`}, S = this.rows.room(bytes), o = A.end[S], I = SI[S], D = SD[S], q = A.base[S] + (o >> 2)`,
  )
  code.line(
    `I[q] = (A.size[S] > ${SEGMENT_BYTES} ? 0 : bytes >> 3) | this.part << ${PART_SHIFT}; I[q + 1] = e; I[q + (bytes >> 2) - 1] = I[q + (bytes >> 2) - 2] = 0; let d = q + ${HEAD_WORDS} >> 1; D[d++] = ${isTimed ? 'time' : '0'}`,
  )
  for (const index of numbers) {
    const field = fields[index] as Field
    const value = `r${code.property(field.name)}`
    code.line(field.nullable ? `{ const v = ${value}; D[d++] = v === null ? NaN : v }` : `D[d++] = ${value}`)
  }
  code.line(`let p = d * 2; I[p++] = ${texts.length > 0 ? 'w << 1' : '0'}; I[p++] = ${texts.length > 0 ? 'b' : '0'}`)
  for (const index of others) {
    const field = fields[index] as Field
    const value = isText(field)
      ? `${field.nullable ? `s${index} === null ? -1 : ` : ''}s${index}.length`
      : `${field.nullable ? `r${code.property(field.name)} === null ? 2 : ` : ''}r${code.property(field.name)} ? 1 : 0`
    code.line(`I[p++] = ${value}`)
  }
  if (texts.length > 0)
    code.line(
      `if (b !== 0) { if (w === 0) SB[S].latin1Write(s, p * 4, b); else if (w === 1) SB[S].utf8Write(s, p * 4, b); else SB[S].ucs2Write(s, p * 4, b) } this.rows.taken += b + 3 >> 2`,
    )
  code.line(`A.end[S] = o + bytes; this.a[e] = S << 15 | o >> 3 }`)
}

/** As emitRecords, for rows in an arena: measure and dump; what `parse` of a log does is the cursor's `$at`. */
export function emitStoredRecords(code: Emitter, { name, fields }: RowLogShape, group: string): void {
  const { words } = recordHead(fields)
  const locate = `const a = A.loadAhead(t.a[e]), S = a >>> 15, W = SI[S]; let q = A.base[S] + ((a & 32767) << 1) + ${HEAD_WORDS}`
  const size = fields.some(isText)
    ? `(${words + 1} + (W[q + ${bytesWord(fields)}] + 3 >> 2) & ~1)`
    : `${words + (words & 1)}`
  code.line(
    `function measure${name}(t, e, to, words) { for (; e < to; e++) { const h = t.h[e]; ${fields.some(isText) ? locate : ''}; words[${group}] += ${size} } }`,
  )
  code.line(
    `function dump${name}(t, e, to, places, ints) { for (; e < to; e++) { const h = t.h[e], g = ${group}; ${locate}; const I = ints[g]`,
  )
  code.line(`for (let p = places[g], end = places[g] += ${size}; p < end; p++, q++) I[p] = W[q] } }`)
}

/** Where in what a snapshot has of a row its bytes of text stand. */
function bytesWord(fields: readonly Field[]): number {
  return 2 + recordHead(fields).numbers.length * 2 + 1
}

/**
 * Emits the class of cursors, which read row $e of log $t like an object of the row's class, and of those that read
 * records of a block. Whatever may have put other bytes where the row was, another cursor's reading too, makes it
 * look again.
 */
export function emitStoredCursor(code: Emitter, { name, fields }: RowLogShape): void {
  const { numbers, others, words } = recordHead(fields)
  const bytesAt = bytesWord(fields)
  const hasText = fields.some(isText)
  code.line(
    `class ${name}Cursor { constructor(reads) { this.$reads = reads; this.$t = null; this.$e = 0; this.$st = null; this.$se = 0; this.$sv = -1; this.$q = 0; this.$I = SI[0]; this.$D = SD[0]; this.$B = NO_BYTES; this.$s = null }`,
  )
  code.line(`$load() {}`)
  code.line(
    `$seek() { const t = this.$t, e = this.$e; if (this.$st === t && this.$se === e && this.$sv === A.moves) return; let a = t.a[e]`,
  )
  code.line(
    `if (A.base[a >>> 15] < 0) { if (this.$reads === 'back') { if (A.debt) { A.maintain(); a = t.a[e] } if (A.base[a >>> 15] < 0) a = t.a[e] = A.promote(t.rows, a) }`,
  )
  code.line(`else a = this.$reads === 'ahead' ? A.loadAhead(a) : A.load(a) }`)
  code.line(
    `const S = a >>> 15; this.$I = SI[S]; this.$D = SD[S]; this.$B = SB[S]; this.$q = A.base[S] + ((a & 32767) << 1) + ${HEAD_WORDS}; this.$st = t; this.$se = e; this.$sv = A.moves; this.$s = null }`,
  )
  if (hasText)
    code.line(
      `$text() { const I = this.$I, q = this.$q, b = I[q + ${bytesAt}]; return this.$s = b === 0 ? '' : textAt(this.$B, (q + ${words}) * 4, b, I[q + ${bytesAt - 1}] >> 1) }`,
    )
  fields.forEach((field, index) => {
    const head = `get ${code.property(field.name).slice(1)}() { this.$seek();`
    const at = bytesAt + 1 + others.indexOf(index)
    if (isText(field)) {
      const before = others
        .filter((other) => other < index && isText(fields[other] as Field))
        .map((other) => `Math.max(0, I[q + ${bytesAt + 1 + others.indexOf(other)}])`)
      const text = `(this.$s === null ? this.$text() : this.$s).slice(a, a + n)`
      code.line(
        `${head} const I = this.$I, q = this.$q, n = I[q + ${at}]; ${field.nullable ? 'if (n < 0) return null; ' : ''}const a = ${before.length === 0 ? '0' : before.join(' + ')}; return ${field.type === 'json' ? `parseJson(${text})` : text} }`,
      )
    } else if (field.type === 'boolean')
      code.line(
        `${head} const v = this.$I[this.$q + ${at}]; return ${field.nullable ? 'v === 2 ? null : ' : ''}v === 1 }`,
      )
    else
      code.line(
        `${head} const v = this.$D[(this.$q >> 1) + ${1 + numbers.indexOf(index)}]; return ${field.nullable ? 'v !== v ? null : ' : ''}v }`,
      )
  })
  code.line(`}`)
  // the record at word p of a block; returns where the next one begins, or -1 when it does not fit
  code.line(`class ${name}Parsed extends ${name}Cursor { $seek() {}`)
  code.line(
    `$at(p, I, D, B) { this.$I = I; this.$D = D; this.$B = B; this.$q = p; this.$s = null; const q = p + ${words}, b = I[q - ${others.length + 1}]`,
  )
  code.line(`return b < 0 || q * 4 + b > B.length ? -1 : q + (b + 3 >> 2) + 1 & ~1 }
$flags() { return this.$I[this.$q + ${bytesAt - 1}] } }`)
}

/** Of a log whose rows are stored, whether the text of key field `field` in row e is `value`. */
export function sameStoredText(code: Emitter, name: string, field: Field, value: string): string {
  return `(finder${name}.$t = this, finder${name}.$e = e, finder${name}${code.property(field.name)} === ${value})`
}
