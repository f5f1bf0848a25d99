import { MillraceError } from '../../model/errors.ts'
import type { Field, FieldType, Row, Schema } from '../../model/schema.ts'
import { batchOf, corrupt, type Stage, stageFor } from '../../memory/codec-stage.ts'
import { FrameBatch, FrameColumns } from '../../memory/frame-columns.ts'
import type { BatchCodec } from '../contracts.ts'
import { type Code, compile, js, lines, NOTHING, property } from '../emitter.ts'
import type { RowClass } from './row.ts'
import { storageOf } from '../../model/type-traits.ts'

/*
 * A frame is one batch, little-endian, every part 8-byte aligned:
 *   u32 rows | u32 blob bytes | u32 blob chars | u32 blob kind: 0 UTF-8, 1 UTF-16 (lone surrogates)
 *   per column, in the order numbers and booleans, then strings and json:
 *     header: f64 base (numbers) or u32 chars, u32 0 (strings) | u32 kind | u32 1 when a bitmap of nulls follows
 *     bitmap of nulls, one bit a row, only in a nullable column of a batch that holds a null
 *     numbers:  kind 0 i32, 1 f64, 2 u32 above base
 *     booleans: u8, 0 false, 1 true (null by the bitmap)
 *     strings:  length in UTF-16 units, kind 0 u16, 1 u32
 *   blob: the texts of all string columns, column after column
 * Number columns take the narrowest kind that holds the batch; -0 may come back as 0.
 * json is its JSON text; a json null in a field that may not be null is the text `null`.
 */

const NUMERIC: ReadonlySet<FieldType> = new Set(['long', 'double', 'timestamp', 'boolean'])

/** Generates the codec of one stream. */
export function compileBatchCodec(schema: Schema, rowClass: RowClass): BatchCodec {
  const fixed = schema.fields.filter((field) => NUMERIC.has(field.type))
  const texts = schema.fields.filter((field) => !NUMERIC.has(field.type))
  const encodeStage = compileEncode(fixed, texts)
  const decodeBatch = compileDecode(schema, fixed, texts, rowClass)
  const headBytes = 16 + schema.fields.length * 32
  const rowBytes = fixed.length * 9 + texts.length * 5
  const columns = new FrameColumns(schema.fields)
  const read: Row[] = []
  const decodeRows = (stage: Stage): Row[] => {
    decodeBatch(stage, read)
    return read
  }
  return {
    encode(rows, count) {
      const stage = stageFor(headBytes + count * rowBytes + 64)
      const end = encodeStage(rows, count, stage)
      return stage.built(end)
    },
    decode(bytes, out) {
      return decodeBatch(batchOf(bytes), out)
    },
    read(bytes) {
      return new FrameBatch(batchOf(bytes), columns, decodeRows)
    },
  }
}

type Encode = (rows: readonly Row[], count: number, stage: Stage) => number
type Decode = (batch: Stage, out: Row[]) => number

/** Bytes of so many numbers or lengths, padded to 8 bytes. */
const BYTES = js`n + 7 & ~7`
const SHORTS = js`n * 2 + 7 & ~7`
const WORDS = js`n * 4 + 7 & ~7`
const DOUBLES = js`n * 8`
const NULL_BITS = js`(n + 63 >> 6) << 3`

function compileEncode(fixed: readonly Field[], texts: readonly Field[]): Encode {
  const withoutTexts = js`
    words[0] = n
    words[1] = 0
    words[2] = 0
    words[3] = 0
    return at`
  return compile<Encode>(
    'encode',
    js`
      return function encode(rows, n, stage) {
        const ints = stage.i32, words = stage.u32, doubles = stage.f64, shorts = stage.u16, bytes = stage.u8
        let at = 16, i = 0, v, base
        ${fixed.map(encodeColumn)}
        ${texts.length > 0 ? js`let blob = ''` : NOTHING}
        ${texts.map(encodeColumn)}
        ${texts.length > 0 ? js`return stage.finish(n, blob, at)` : withoutTexts}
      }`,
    { quote: JSON.stringify },
  )
}

/** The header of a column begins at `head`. */
function encodeColumn(field: Field): Code {
  return js`
    {
      const head = at
      at += 16
      words[(head >> 2) + 3] = 0
      ${field.nullable ? encodeNullBitmap(field) : NOTHING}
      ${encodeValues(field)}
    }`
}

function encodeValues(field: Field): Code {
  if (storageOf(field) === 'bit') return encodeBooleans(field)
  return NUMERIC.has(field.type) ? encodeNumbers(field) : encodeTexts(field)
}

function encodeNullBitmap(field: Field): Code {
  const isNull = js`rows[i]${property(field.name)} === null`
  return js`
    let nulls = false
    for (i = 0; i < n; i++) {
      if (${isNull}) {
        nulls = true
        break
      }
    }
    if (nulls) {
      words[(head >> 2) + 3] = 1
      const size = ${NULL_BITS}
      bytes.fill(0, at, at + size)
      for (; i < n; i++) if (${isNull}) bytes[at + (i >> 3)] |= 1 << (i & 7)
      at += size
    }`
}

function encodeBooleans(field: Field): Code {
  return js`
    words[(head >> 2) + 2] = 0
    doubles[head >> 3] = 0
    for (i = 0; i < n; i++) bytes[at + i] = rows[i]${property(field.name)} === true ? 1 : 0
    at += ${BYTES}`
}

function encodeNumbers(field: Field): Code {
  const load = (whenNull: Code): Code => js`
    v = rows[i]${property(field.name)}
    ${field.nullable ? js`if (v === null) v = ${whenNull}` : NOTHING}`
  const aboveBase = js`
    kind = 2
    base = Infinity
    for (i = 0; i < n; i++) {
      ${load(js`Infinity`)}
      if (v < base) base = v
    }
    for (i = 0; i < n; i++) {
      ${load(js`base`)}
      v -= base
      if (v >>> 0 !== v) break
      words[from + i] = v
    }`
  return js`
    let kind = 0
    base = 0
    const from = at >> 2
    for (i = 0; i < n; i++) {
      ${load(js`0`)}
      if ((v | 0) !== v) break
      ints[from + i] = v
    }
    if (i < n) {
      ${field.type === 'double' ? js`i = 0` : aboveBase}
      if (i < n) {
        kind = 1
        const fromDoubles = at >> 3
        for (i = 0; i < n; i++) {
          ${load(js`0`)}
          doubles[fromDoubles + i] = v
        }
      }
    }
    doubles[head >> 3] = base
    words[(head >> 2) + 2] = kind
    at += kind === 1 ? ${DOUBLES} : ${WORDS}`
}

function encodeTexts(field: Field): Code {
  const text = storageOf(field) === 'json' ? js`quote(v)` : js`v`
  const load = js`
    v = rows[i]${property(field.name)}
    ${field.nullable ? js`v = v === null ? '' : ${text}` : storageOf(field) === 'json' ? js`v = ${text}` : NOTHING}`
  return js`
    const before = blob, start = blob.length
    let kind = 0
    const from = at >> 1
    for (i = 0; i < n; i++) {
      ${load}
      base = v.length
      if (base > 65535) break
      shorts[from + i] = base
      blob += v
    }
    if (i < n) {
      kind = 1
      blob = before
      const fromWords = at >> 2
      for (i = 0; i < n; i++) {
        ${load}
        words[fromWords + i] = v.length
        blob += v
      }
    }
    words[head >> 2] = blob.length - start
    words[(head >> 2) + 1] = 0
    words[(head >> 2) + 2] = kind
    at += kind === 1 ? ${WORDS} : ${SHORTS}`
}

/** Variables of a column end with its number: kind, base, nulls (where the bitmap is, or -1), from, chars, text. */
function compileDecode(schema: Schema, fixed: readonly Field[], texts: readonly Field[], rowClass: RowClass): Decode {
  const columns = new Map<Field, number>([...fixed, ...texts].map((field, index) => [field, index]))
  const columnOf = (field: Field): number => columns.get(field) ?? 0
  const textStarts = texts.map((field, index) => {
    const c = columnOf(field)
    const before = texts[index - 1]
    const start = before === undefined ? js`0` : js`text${columnOf(before)} + chars${columnOf(before)}`
    return js`
      let text${c} = ${start}
      const stop${c} = text${c} + chars${c}`
  })
  const checks = texts.map((field) => {
    const c = columnOf(field)
    return js`if (text${c} !== stop${c}) corrupt('the lengths of a string column do not add up')`
  })
  // the null test is out of the row's way when the batch has no null in that column: nulls is -1 then
  return compile<Decode>(
    'decode',
    js`
      return function decode(stage, out) {
        const ints = stage.i32, words = stage.u32, doubles = stage.f64, shorts = stage.u16, bytes = stage.u8
        const end = stage.size
        if (end < 16) corrupt('the frame has ' + end + ' bytes, a header has 16')
        const n = words[0]
        if (n > 16777216) corrupt('it claims ' + n + ' rows')
        let at = 16, chars = 0
        ${[...fixed, ...texts].map((field) => decodeColumnHead(field, columnOf(field)))}
        ${texts.length > 0 ? js`const blob = stage.blob(at, chars)` : NOTHING}
        ${textStarts}
        ${texts.length > 0 ? js`let start` : NOTHING}
        for (let i = 0; i < n; i++) {
          ${schema.fields.map((field) => decodeValue(field, columnOf(field)))}
          out[i] = new Row(${schema.fields.map((field) => js`v${columnOf(field)}`)})
        }
        ${checks}
        return n
      }`,
    { Row: rowClass, corrupt, parse: parseJsonField },
  )
}

/** Reads the header of column c and checks that its data is inside the frame. */
function decodeColumnHead(field: Field, c: number): Code {
  const isText = !NUMERIC.has(field.type)
  const first = isText
    ? js`
        const chars${c} = words[at >> 2]
        chars += chars${c}`
    : js`const base${c} = doubles[at >> 3]`
  const nulls = js`
    let nulls${c} = -1
    if (hasNulls${c} === 1) {
      nulls${c} = at
      at += ${NULL_BITS}
    }`
  return js`
    if (at + 16 > end) corrupt('a column header lies beyond its end')
    ${first}
    const kind${c} = words[(at >> 2) + 2], hasNulls${c} = words[(at >> 2) + 3]
    at += 16
    if (kind${c} > ${isText ? 1 : 2} || hasNulls${c} > 1) corrupt('a column is of an unknown kind')
    ${field.nullable ? nulls : js`if (hasNulls${c} === 1) corrupt('a column that may not be null has nulls')`}
    ${decodePlace(field, c)}
    if (at > end) corrupt('a column lies beyond its end')`
}

/** Declares where the data of column c begins, in units of its kind, and steps over it. */
function decodePlace(field: Field, c: number): Code {
  if (storageOf(field) === 'bit')
    return js`
      const from${c} = at
      at += ${BYTES}`
  if (!NUMERIC.has(field.type))
    return js`
      const from${c} = kind${c} === 1 ? at >> 2 : at >> 1
      at += kind${c} === 1 ? ${WORDS} : ${SHORTS}`
  return js`
    const from${c} = kind${c} === 1 ? at >> 3 : at >> 2
    at += kind${c} === 1 ? ${DOUBLES} : ${WORDS}`
}

function decodeValue(field: Field, c: number): Code {
  const orNull = (value: Code): Code =>
    field.nullable ? js`nulls${c} >= 0 && (bytes[nulls${c} + (i >> 3)] & 1 << (i & 7)) !== 0 ? null : ${value}` : value
  const nextText = js`
    start = text${c}
    text${c} += kind${c} === 0 ? shorts[from${c} + i] : words[from${c} + i]`
  switch (storageOf(field)) {
    case 'number': {
      const aboveBase = js`base${c} + words[from${c} + i]`
      const wide = js`kind${c} === 1 ? doubles[from${c} + i] : ${aboveBase}`
      return js`const v${c} = ${orNull(js`kind${c} === 0 ? ints[from${c} + i] : ${wide}`)}`
    }
    case 'bit':
      return js`const v${c} = ${orNull(js`bytes[from${c} + i] === 1`)}`
    case 'text':
      return lines([nextText, js`const v${c} = ${orNull(js`blob.slice(start, text${c})`)}`])
    case 'json':
      return lines([nextText, js`const v${c} = ${orNull(js`parse(blob.slice(start, text${c}))`)}`])
  }
}

function parseJsonField(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new MillraceError('FRAME_CORRUPT', `a frame carries JSON that does not parse: ${text.slice(0, 80)}`, {
      cause,
    })
  }
}
