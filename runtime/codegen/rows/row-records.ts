import { recordHead } from '../../memory/row-record.ts'
import { CHUNK_BITS } from '../../memory/row-texts.ts'
import type { Field } from '../../model/schema.ts'
import { type Code, identifier, js, lines, NOTHING } from '../emitter.ts'
import type { RowLogShape } from './row-log.ts'
import { storedRecordFunctions } from './stored-row-code.ts'
import { isKeptAsText } from '../../model/type-traits.ts'

/** Words of a record without its text, or one more. */
export function recordWords(fields: readonly Field[]): number {
  return recordHead(fields).words + 1
}

/**
 * Measure, dump and parse of a snapshot's records. A record is padded to 8 bytes: f64 time, f64 per number (NaN
 * is null), i32 matched (written by version 1 alone) | encoding of the text << 1, i32 bytes of text, i32 per text (its
 * length, −1 for null) and boolean (2 for null) in the order of the fields, the text. `group` is the group of hash h.
 */
export function recordFunctions(shape: RowLogShape, group: Code): Code {
  return shape.isStored
    ? storedRecordFunctions(shape, group)
    : lines([measureAndDump(shape, group), parseFunction(shape)])
}

/** A record's columns of texts and booleans. */
function otherColumn(fields: readonly Field[], index: number): Code {
  return isKeptAsText(fields[index] as Field) ? js`l${index}` : js`c${index}`
}

function measureAndDump({ name, fields, isTimed }: RowLogShape, group: Code): Code {
  const { numbers, others, words } = recordHead(fields)
  const hasText = fields.some(isKeptAsText)
  const size = hasText ? js`(${words + 1} + (t.b[e] + 3 >> 2) & ~1)` : js`${words + (words & 1)}`
  const copyText = js`
    const chunk = t.texts.words[t.o[e] >>> ${CHUNK_BITS}]
    for (let q = t.o[e] & ${(1 << CHUNK_BITS) - 1}, end = q + (t.b[e] + 3 >> 2); q < end; q++) own[p++] = chunk[q]`
  return js`
    function measure${identifier(name)}(t, e, to, words) {
      for (; e < to; e++) {
        const h = t.h[e]
        words[${group}] += ${size}
      }
    }
    function dump${identifier(name)}(t, e, to, places, ints, doubles) {
      for (; e < to; e++) {
        const h = t.h[e], g = ${group}
        let p = places[g]
        places[g] = p + ${size}
        const own = ints[g], numbers = doubles[g]
        let d = p >> 1
        numbers[d++] = ${isTimed ? js`t.time[e]` : 0}
        ${numbers.map((index) => js`numbers[d++] = t.c${index}[e]`)}
        p = d * 2
        own[p++] = ${hasText ? js`t.w[e] << 1` : 0}
        own[p++] = ${hasText ? js`t.b[e]` : 0}
        ${others.map((index) => js`own[p++] = t.${otherColumn(fields, index)}[e]`)}
        ${hasText ? copyText : NOTHING}
      }
    }`
}

/**
 * parse: the record at word p of the views becomes row 0 of log t, its text loaded into the cursor; returns the next
 * p.
 */
function parseFunction({ name, fields, isTimed, isMarked }: RowLogShape): Code {
  const { numbers, others } = recordHead(fields)
  const loadText = js`
    if (q * 4 + size > bytes.length || size < 0) return -1
    const c = cursor${identifier(name)}
    c.$s = textAt(bytes, q * 4, size, flags >> 1)
    c.$st = t
    c.$se = 0
    c.$sv = t.version`
  return js`
    function parse${identifier(name)}(p, ints, doubles, bytes, t) {
      let d = p >> 1
      ${isTimed ? js`t.time[0] = doubles[d]` : NOTHING}
      d++
      ${numbers.map((index) => js`t.c${index}[0] = doubles[d++]`)}
      let q = d * 2
      const flags = ints[q++], size = ints[q++]
      ${isMarked ? js`t.m[0] = flags & 1` : NOTHING}
      ${others.map((index) => js`t.${otherColumn(fields, index)}[0] = ints[q++]`)}
      ${fields.some(isKeptAsText) ? loadText : NOTHING}
      return q + (size + 3 >> 2) + 1 & ~1
    }`
}
