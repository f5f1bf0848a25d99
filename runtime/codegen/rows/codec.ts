import { MillraceError } from '../../model/errors.ts'
import type { Field, FieldType, Row, Schema } from '../../model/schema.ts'
import { batchOf, corrupt, stageFor, type Stage } from '../../memory/codec-stage.ts'
import type { BatchCodec } from '../contracts.ts'
import { Emitter } from '../emitter.ts'
import type { RowClass } from './row.ts'

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
  for (const field of schema.fields) new Emitter().property(field.name)
  const fixed = schema.fields.filter((field) => NUMERIC.has(field.type))
  const texts = schema.fields.filter((field) => !NUMERIC.has(field.type))
  const encodeStage = compileEncode(fixed, texts)
  const decodeBatch = compileDecode(schema, fixed, texts, rowClass)
  const headBytes = 16 + schema.fields.length * 32
  const rowBytes = fixed.length * 9 + texts.length * 5
  return {
    encode(rows, count) {
      const stage = stageFor(headBytes + count * rowBytes + 64)
      const end = encodeStage(rows, count, stage)
      return stage.built(end)
    },
    decode(bytes, out) {
      return decodeBatch(batchOf(bytes), out)
    },
  }
}

type Encode = (rows: readonly Row[], count: number, stage: Stage) => number
type Decode = (batch: Stage, out: Row[]) => number

function compileEncode(fixed: readonly Field[], texts: readonly Field[]): Encode {
  const code = new Emitter()
  code.line(`return function encode(rows, n, s) {`)
  code.line(`const I = s.i32, U = s.u32, D = s.f64, H = s.u16, B = s.u8`)
  code.line(`let p = 16, i = 0, v, b`)
  for (const field of fixed) {
    code.line(`{ const h = p; p += 16; U[(h >> 2) + 3] = 0`)
    emitNullBitmap(code, field)
    if (field.type === 'boolean') emitBooleans(code, field)
    else emitNumbers(code, field)
    code.line(`}`)
  }
  if (texts.length > 0) code.line(`let blob = ''`)
  for (const field of texts) {
    code.line(`{ const h = p; p += 16; U[(h >> 2) + 3] = 0`)
    emitNullBitmap(code, field)
    emitTexts(code, field)
    code.line(`}`)
  }
  if (texts.length > 0) code.line(`return s.finish(n, blob, p) }`)
  else code.line(`U[0] = n; U[1] = 0; U[2] = 0; U[3] = 0; return p }`)
  return code.compile<Encode>({ quote: JSON.stringify })
}

/** Sets `nulls` and, when there are any, writes the bitmap. */
function emitNullBitmap(code: Emitter, field: Field): void {
  if (!field.nullable) return
  const value = `rows[i]${code.property(field.name)}`
  code.line(`let nulls = false; for (i = 0; i < n; i++) if (${value} === null) { nulls = true; break }`)
  code.line(`if (nulls) { U[(h >> 2) + 3] = 1; const size = (n + 63 >> 6) << 3; B.fill(0, p, p + size)`)
  code.line(`for (; i < n; i++) if (${value} === null) B[p + (i >> 3)] |= 1 << (i & 7)`)
  code.line(`p += size }`)
}

function emitBooleans(code: Emitter, field: Field): void {
  code.line(`U[(h >> 2) + 2] = 0; D[h >> 3] = 0`)
  code.line(`for (i = 0; i < n; i++) B[p + i] = rows[i]${code.property(field.name)} === true ? 1 : 0`)
  code.line(`p += n + 7 & ~7`)
}

function emitNumbers(code: Emitter, field: Field): void {
  const value = `rows[i]${code.property(field.name)}`
  const load = (whenNull: string): string =>
    field.nullable ? `v = ${value}; if (v === null) v = ${whenNull};` : `v = ${value};`
  code.line(`let k = 0; b = 0; const q = p >> 2`)
  code.line(`for (i = 0; i < n; i++) { ${load('0')} if ((v | 0) !== v) break; I[q + i] = v }`)
  code.line(`if (i < n) {`)
  if (field.type !== 'double') {
    code.line(`k = 2; b = Infinity`)
    code.line(`for (i = 0; i < n; i++) { ${load('Infinity')} if (v < b) b = v }`)
    code.line(`for (i = 0; i < n; i++) { ${load('b')} v -= b; if (v >>> 0 !== v) break; U[q + i] = v }`)
  } else code.line(`i = 0`)
  code.line(`if (i < n) { k = 1; const o = p >> 3; for (i = 0; i < n; i++) { ${load('0')} D[o + i] = v } }`)
  code.line(`}`)
  code.line(`D[h >> 3] = b; U[(h >> 2) + 2] = k; p += k === 1 ? n * 8 : n * 4 + 7 & ~7`)
}

function emitTexts(code: Emitter, field: Field): void {
  const value = `rows[i]${code.property(field.name)}`
  const text = field.type === 'json' ? `quote(v)` : `v`
  const load = `v = ${value}; ${field.nullable ? `v = v === null ? '' : ${text}` : field.type === 'json' ? `v = ${text}` : ''}`
  code.line(`const before = blob, at = blob.length; let k = 0; const q = p >> 1`)
  code.line(`for (i = 0; i < n; i++) { ${load}; b = v.length; if (b > 65535) break; H[q + i] = b; blob += v }`)
  code.line(
    `if (i < n) { k = 1; blob = before; const w = p >> 2; for (i = 0; i < n; i++) { ${load}; U[w + i] = v.length; blob += v } }`,
  )
  code.line(
    `U[h >> 2] = blob.length - at; U[(h >> 2) + 1] = 0; U[(h >> 2) + 2] = k; p += k === 1 ? n * 4 + 7 & ~7 : n * 2 + 7 & ~7`,
  )
}

function compileDecode(schema: Schema, fixed: readonly Field[], texts: readonly Field[], rowClass: RowClass): Decode {
  const code = new Emitter()
  const nameOf = new Map<Field, string>([...fixed, ...texts].map((field, index) => [field, `${index}`]))
  code.line(`return function decode(s, out) {`)
  code.line(`const I = s.i32, U = s.u32, D = s.f64, H = s.u16, B = s.u8, end = s.size`)
  code.line(`if (end < 16) corrupt('the frame has ' + end + ' bytes, a header has 16')`)
  code.line(`const n = U[0]; if (n > 16777216) corrupt('it claims ' + n + ' rows')`)
  code.line(`let p = 16, chars = 0`)
  for (const field of [...fixed, ...texts]) emitColumnHead(code, field, nameOf.get(field) ?? '')
  if (texts.length > 0) code.line(`const blob = s.blob(p, chars)`)
  texts.forEach((field, index) => {
    const c = nameOf.get(field) ?? ''
    const previous = index === 0 ? undefined : nameOf.get(texts[index - 1] as Field)
    code.line(
      `let e${c} = ${previous === undefined ? '0' : `e${previous} + chars${previous}`}; const stop${c} = e${c} + chars${c}`,
    )
  })
  if (texts.length > 0) code.line(`let a`)
  // the null test is out of the row's way when the batch has no null in that column: z is -1 then
  code.line(`for (let i = 0; i < n; i++) {`)
  for (const field of schema.fields) emitColumnValue(code, field, nameOf.get(field) ?? '')
  code.line(`out[i] = new Row(${schema.fields.map((field) => `v${nameOf.get(field) ?? ''}`).join(', ')})`)
  code.line(`}`)
  for (const field of texts) {
    const c = nameOf.get(field) ?? ''
    code.line(`if (e${c} !== stop${c}) corrupt('the lengths of a string column do not add up')`)
  }
  code.line(`return n }`)
  return code.compile<Decode>({ Row: rowClass, corrupt, parse: parseJsonField })
}

/** Reads a column's header, checks that its data lies inside the frame, and leaves its place in `o…` and `z…`. */
function emitColumnHead(code: Emitter, field: Field, c: string): void {
  code.line(`if (p + 16 > end) corrupt('a column header lies beyond its end')`)
  const isText = !NUMERIC.has(field.type)
  if (isText) code.line(`const chars${c} = U[p >> 2]; chars += chars${c}`)
  else code.line(`const b${c} = D[p >> 3]`)
  code.line(`const k${c} = U[(p >> 2) + 2], f${c} = U[(p >> 2) + 3]; p += 16`)
  code.line(`if (k${c} > ${isText ? 1 : 2} || f${c} > 1) corrupt('a column is of an unknown kind')`)
  if (field.nullable) code.line(`let z${c} = -1; if (f${c} === 1) { z${c} = p; p += (n + 63 >> 6) << 3 }`)
  else code.line(`if (f${c} === 1) corrupt('a column that may not be null has nulls')`)
  if (field.type === 'boolean') code.line(`const o${c} = p; p += n + 7 & ~7`)
  else if (isText)
    code.line(`const o${c} = k${c} === 1 ? p >> 2 : p >> 1; p += k${c} === 1 ? n * 4 + 7 & ~7 : n * 2 + 7 & ~7`)
  else code.line(`const o${c} = k${c} === 1 ? p >> 3 : p >> 2; p += k${c} === 1 ? n * 8 : n * 4 + 7 & ~7`)
  code.line(`if (p > end) corrupt('a column lies beyond its end')`)
}

function emitColumnValue(code: Emitter, field: Field, c: string): void {
  const nulled = (value: string): string =>
    field.nullable ? `z${c} >= 0 && (B[z${c} + (i >> 3)] & 1 << (i & 7)) !== 0 ? null : ${value}` : value
  switch (field.type) {
    case 'long':
    case 'timestamp':
    case 'double':
      code.line(
        `const v${c} = ${nulled(`k${c} === 0 ? I[o${c} + i] : k${c} === 1 ? D[o${c} + i] : b${c} + U[o${c} + i]`)}`,
      )
      return
    case 'boolean':
      code.line(`const v${c} = ${nulled(`B[o${c} + i] === 1`)}`)
      return
    case 'string':
      code.line(`a = e${c}; e${c} += k${c} === 0 ? H[o${c} + i] : U[o${c} + i]`)
      code.line(`const v${c} = ${nulled(`blob.slice(a, e${c})`)}`)
      return
    case 'json':
      code.line(`a = e${c}; e${c} += k${c} === 0 ? H[o${c} + i] : U[o${c} + i]`)
      code.line(`const v${c} = ${nulled(`parse(blob.slice(a, e${c}))`)}`)
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
