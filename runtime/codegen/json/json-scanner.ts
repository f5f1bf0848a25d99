import { isUtf8 } from 'node:buffer'
import { MillraceError } from '../../model/errors.ts'
import type { Field, Row, Schema } from '../../model/schema.ts'
import type { RowScanner } from '../contracts.ts'
import { Emitter } from '../emitter.ts'
import { learnLayout, type JsonLayout } from './json-layout.ts'
import { clipped, compileRecordReader } from './json-record.ts'
import { MAX_RUNS, type PassedTexts } from '../../memory/passed-texts.ts'
import { notPlain } from '../rows/plain-bytes.ts'
import { compileRowClass, type RowClass } from '../rows/row.ts'
import { isoTimestamp } from '../../model/timestamp-text.ts'

/** Slow records in a row before the layout is learned anew, and how often that may happen in all. */
const MISSES_TO_LEARN = 8
const MAX_LAYOUTS = 16

/**
 * Generates the scanner of one stream. Records are read by JSON.parse until a layout is learned from one; then
 * generated code compares the bytes between values with that layout and reads the values in place. It gives up
 * on whatever it does not expect (other keys, escapes, exponents, bad values) and JSON.parse takes that record,
 * so only the slow path ever refuses one. The fields that are `passed` hold the number of their record there.
 */
export function compileJsonScanner(schema: Schema, rowClass: RowClass, passed?: PassedTexts): RowScanner {
  const readRecord =
    passed === undefined ? compileRecordReader(schema, rowClass) : passingReader(schema, rowClass, passed)
  const canBeFast = schema.fields.every((field) => field.type !== 'json' && field.logical === undefined)
  const hasStrings = schema.fields.some((field) => field.type === 'string' && passed?.source.has(field.name) !== true)
  let fast: FastScan | undefined
  let layoutsLeft = canBeFast ? MAX_LAYOUTS : 0
  let misses = MISSES_TO_LEARN
  let opened: Buffer | undefined
  let text = ''
  const slow = (bytes: Buffer, start: number, end: number): Row => {
    const row = readRecord(parseRecord(bytes, start, end), bytes)
    if (++misses >= MISSES_TO_LEARN && layoutsLeft > 0) {
      misses = 0
      layoutsLeft--
      const layout = learnLayout(bytes, start, end)
      if (layout !== undefined) fast = compileFastScan(schema, rowClass, layout, passed) ?? fast
    }
    return row
  }
  return {
    open(bytes) {
      opened = canBeFast ? bytes : undefined
      text = canBeFast && hasStrings ? bytes.toString('latin1') : ''
    },
    row(bytes, start, end) {
      if (fast !== undefined) {
        const row = bytes === opened ? fast(bytes, start, end, text, 0) : fast(bytes, start, end, '', start)
        if (row !== null) {
          misses = 0
          return row
        }
      }
      return slow(bytes, start, end)
    },
  }
}

/**
 * Of records whose passed values are written aside. It reads into rows of their own: both kinds in one class would
 * make it slow.
 */
function passingReader(
  schema: Schema,
  rowClass: RowClass,
  passed: PassedTexts,
): (record: unknown, bytes: Buffer) => Row {
  const read = compileRecordReader(schema, compileRowClass(schema))
  const code = new Emitter()
  code.line(
    `return (o, record) => new Row(${schema.fields.map(({ name }) => (passed.source.has(name) ? 'record' : `o${code.property(name)}`)).join(', ')})`,
  )
  const withRecord = code.compile<(row: Row, record: number) => Row>({ Row: rowClass })
  return (record, bytes) => {
    const row = read(record)
    return withRecord(row, passed.recordOf(bytes, row))
  }
}

function parseRecord(bytes: Buffer, start: number, end: number): unknown {
  const text = bytes.toString('utf8', start, end)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new MillraceError('RECORD_INVALID', `a record is no JSON: ${clipped(text)}`, { domain: 'user', cause })
  }
}

/**
 * Null: not as expected, take the slow path. `text` are the bytes from `base` on, one character each; empty: cut the
 * record's own out of the bytes.
 */
type FastScan = (bytes: Buffer, start: number, end: number, text: string, base: number) => Row | null

const POWERS = Float64Array.from({ length: 23 }, (_, n) => Number(`1e${n}`))
/** Bytes at which the scan of a string stops to think: quote, backslash, control characters, all that is not ASCII. */
const STOP = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 32 || byte === 34 || byte === 92 || byte > 127 ? 1 : 0,
)

/** Undefined when the layout lacks a field that may not be missing. */
function compileFastScan(
  schema: Schema,
  rowClass: RowClass,
  layout: JsonLayout,
  passed: PassedTexts | undefined,
): FastScan | undefined {
  const keys = new Set(layout.members.map((member) => member.key))
  if (schema.fields.some((field) => !field.nullable && !keys.has(field.name))) return undefined
  const wanted = new Map(schema.fields.map((field, index) => [field.name, { field, index }]))
  const isPassed = ({ name }: Field): boolean => passed?.source.has(name) === true
  const strings = schema.fields.filter((field) => field.type === 'string' && keys.has(field.name) && !isPassed(field))
  const code = new Emitter()
  emitHelpers(code)
  code.line(`let viewed, view`)
  const joined = passed === undefined ? 0 : joinedRuns(layout, passed)
  code.line(`return function scan(b, start, end, text, base) { let p = start, c = 0, wide = false`)
  code.line(`if (b !== viewed) { viewed = b; view = new DataView(b.buffer, b.byteOffset, b.length) }`)
  if (passed !== undefined) code.line(`let joined = ${joined}`)
  schema.fields.forEach((field, index) =>
    code.line(
      `let v${index} = null${field.type === 'string' || isPassed(field) ? `, q${index} = -1, e${index} = -1` : ''}`,
    ),
  )
  for (const { key, lead } of layout.members) {
    emitExpectedBytes(code, lead)
    const target = wanted.get(key)
    if (target === undefined) code.line(`p = skipScalar(b, p, end); if (p < 0) return null`)
    else if (isPassed(target.field)) emitPassed(code, target.field, target.index)
    else emitValue(code, target.field, target.index)
  }
  emitExpectedBytes(code, layout.tail)
  code.line(`if (p !== end) return null`)
  // one native read for all strings of the record; where a byte is not ASCII, offsets in bytes are no offsets in
  // characters
  if (strings.length > 0)
    emitStrings(
      code,
      strings.map((field) => schema.fields.indexOf(field)),
    )
  if (passed !== undefined) emitRecord(code, schema, passed)
  code.line(
    `return new Row(${schema.fields.map((field, index) => (isPassed(field) ? 'record' : `v${index}`)).join(', ')}) }`,
  )
  return code.compile<FastScan>({ Row: rowClass, isoTimestamp, isUtf8, POWERS, STOP, passed })
}

/** Bits of the runs whose texts lie side by side in this layout as the sink writes them. */
function joinedRuns({ members }: JsonLayout, { runs }: PassedTexts): number {
  let bits = 0
  runs.slice(0, MAX_RUNS).forEach((run, index) => {
    const first = members.findIndex(({ key }) => key === run[0]?.source)
    const isJoined =
      first >= 0 &&
      run.every(({ sink, source }, i) => {
        const member = members[first + i]
        return (
          member?.key === source &&
          (i === 0 || Buffer.from(member.lead).equals(Buffer.from(`,${JSON.stringify(sink)}:`)))
        )
      })
    if (isJoined) bits |= 1 << index
  })
  return bits
}

/** Finds q and e, where the text of a value begins and ends, taking and refusing what emitValue does. */
function emitPassed(code: Emitter, field: Field, index: number): void {
  const [q, e] = [`q${index}`, `e${index}`]
  if (field.type !== 'string' && field.type !== 'long' && field.type !== 'timestamp') {
    code.line(`${q} = p`)
    emitValue(code, field, index)
    code.line(`${e} = p`)
    return
  }
  code.line(`if (p + 1 >= end) return null; c = b[p]`)
  if (field.nullable)
    code.line(
      `if (c === 110) { ${q} = p; p = literal(b, p, end, 117, 108, 108); if (p < 0) return null; ${e} = p } else {`,
    )
  if (field.type === 'string') {
    emitStringEnd(code, `${q} = p++`)
    code.line(`${e} = ++p`)
  } else {
    // an ISO time is written aside as the number that it is
    if (field.type === 'timestamp') {
      code.line(
        `if (c === 34) { v${index} = isoAt(b, p + 1, end); if (v${index} !== v${index}) return null; p += b[p + 21] === 34 ? 22 : 26; joined = 0 } else {`,
      )
    }
    code.line(`{ ${q} = p; if (c === 45) c = b[++p]; const k = p; if (!(c >= 48 && c <= 57)) return null`)
    code.line(`while (++p < end && (c = b[p]) >= 48 && c <= 57);`)
    // -0 is written as 0
    code.line(`if (p - k > 15 || (b[k] === 48 && (p - k > 1 || k !== ${q}))) return null`)
    code.line(`${e} = p }`)
    if (field.type === 'timestamp') code.line(`}`)
  }
  if (field.nullable) code.line(`}`)
}

/** Numbers the record and notes its places; what is not there as it is to be written is written aside. */
function emitRecord(code: Emitter, schema: Schema, passed: PassedTexts): void {
  const fields = schema.fields
    .map((field, index) => ({ field, index }))
    .filter(({ field }) => passed.source.has(field.name))
  // what is no UTF-8 has no text of its own: the slow path makes one
  if (fields.some(({ field }) => field.type === 'string'))
    code.line(`if (wide && !isUtf8(b.subarray(start, end))) return null`)
  code.line(`const record = passed.record(b), w = passed.places; w[record + 1] = joined`)
  for (const { field, index } of fields) {
    const at = `record + ${passed.startAt(field.name)}`
    code.line(`if (q${index} >= 0) { w[${at}] = q${index}; w[${at} + 1] = e${index} - q${index} }`)
    code.line(
      `else { const before = passed.sideBytes; w[${at}] = passed.aside(v${index}); w[${at} + 1] = passed.sideBytes - before }`,
    )
  }
}

/** From a byte c that must be a quote to the closing quote, where p then is. */
function emitStringEnd(code: Emitter, begin: string): void {
  code.line(`if (c !== 34) return null; ${begin}`)
  code.line(`while (p + 4 <= end) { const x = view.getInt32(p); if (${notPlain('x')}) break; p += 4 }`)
  code.line(
    `for (;;) { while (STOP[b[p]] === 0) p++; if (p >= end) return null; c = b[p]; if (c === 34) break; if (c < 128) return null; wide = true; p++ }`,
  )
}

function emitExpectedBytes(code: Emitter, expected: Uint8Array): void {
  if (expected.length === 0) return
  const bytes = Buffer.from(expected)
  const at = (index: number): string => (index === 0 ? 'p' : `p + ${index}`)
  const tests: string[] = []
  let index = 0
  for (; index + 4 <= bytes.length; index += 4)
    tests.push(`view.getUint32(${at(index)}) !== ${bytes.readUInt32BE(index)}`)
  for (; index < bytes.length; index++) tests.push(`b[${at(index)}] !== ${bytes.readUInt8(index)}`)
  code.line(`if (p + ${code.literal(expected.length)} > end || ${tests.join(' || ')}) return null`)
  code.line(`p += ${code.literal(expected.length)}`)
}

function emitValue(code: Emitter, field: Field, index: number): void {
  const v = `v${index}`
  code.line(`if (p + 1 >= end) return null; c = b[p]`)
  if (field.nullable)
    code.line(`if (c === 110) { p = literal(b, p, end, 117, 108, 108); if (p < 0) return null } else {`)
  switch (field.type) {
    case 'long':
      code.line(`{`)
      emitInteger(code)
      code.line(`${v} = neg ? 0 - m : m }`)
      break
    case 'double':
      code.line(`{`)
      emitDouble(code, v)
      code.line(`}`)
      break
    case 'timestamp':
      code.line(
        `if (c === 34) { ${v} = isoAt(b, p + 1, end); if (${v} !== ${v}) return null; p += b[p + 21] === 34 ? 22 : 26 } else {`,
      )
      emitInteger(code)
      code.line(`${v} = neg ? 0 - m : m }`)
      break
    case 'boolean':
      code.line(
        `if (c === 116) { p = literal(b, p, end, 114, 117, 101); ${v} = true } else if (c === 102 && b[p + 1] === 97) { p = literal(b, p + 1, end, 108, 115, 101); ${v} = false } else return null`,
      )
      code.line(`if (p < 0) return null`)
      break
    case 'string':
      emitStringEnd(code, `q${index} = ++p`)
      code.line(`e${index} = p++`)
      break
    case 'json':
      throw new MillraceError('SCANNER_TYPE', `json field '${field.name}' has no fast path`)
  }
  if (field.nullable) code.line(`}`)
}

/**
 * Declares m, |value|, and neg, its sign. At most 15 digits, so m is exact; `01` and `-` are left to JSON.parse.
 * The first nine digits stay in an int32: half the latency of the same in a double.
 */
function emitInteger(code: Emitter): void {
  code.line(
    `const neg = c === 45; if (neg) c = b[++p]; const k = p; let w = c - 48 | 0; if (!(c >= 48 && c <= 57)) return null`,
  )
  code.line(
    `const nine = p + 9 < end ? p + 9 : end; while (++p < nine && (c = b[p]) >= 48 && c <= 57) w = Math.imul(w, 10) + (c - 48) | 0`,
  )
  code.line(
    `let m = w; if (p === nine) { p--; while (++p < end && (c = b[p]) >= 48 && c <= 57) m = m * 10 + (c - 48) }`,
  )
  code.line(`if (p - k > 15 || (p - k > 1 && b[k] === 48)) return null`)
}

/**
 * Digits up to 2^53 divided by an exact power of ten round once, so the result is the nearest double:
 * W. D. Clinger, "How to Read Floating Point Numbers Accurately", 1990, the fast case.
 */
function emitDouble(code: Emitter, v: string): void {
  emitInteger(code)
  code.line(
    `if (p < end && b[p] === 46) { const point = p; while (++p < end && (c = b[p]) >= 48 && c <= 57) m = m * 10 + (c - 48)`,
  )
  code.line(`if (p - point < 2 || p - k > 16) return null; m /= POWERS[p - point - 1] }`)
  code.line(`${v} = neg ? 0 - m : m`)
}

function emitStrings(code: Emitter, indexes: readonly number[]): void {
  code.line(`if (wide) {`)
  for (const index of indexes) code.line(`if (q${index} >= 0) v${index} = b.toString('utf8', q${index}, e${index})`)
  code.line(`} else {`)
  code.line(`if (text === '') text = b.latin1Slice(start, end)`)
  for (const index of indexes)
    code.line(`if (q${index} >= 0) v${index} = text.slice(q${index} - base, e${index} - base)`)
  code.line(`}`)
}

/** Functions that a scan calls for what is rare or too long to repeat in it. */
function emitHelpers(code: Emitter): void {
  code.line(`
function literal(b, p, end, x, y, z) { return p + 4 <= end && b[p + 1] === x && b[p + 2] === y && b[p + 3] === z ? p + 4 : -1 }
function skipScalar(b, p, end) {
  let c = b[p]
  if (c === 34) {
    while (++p < end && (c = b[p]) !== 34) if (c < 32 || c === 92) return -1
    return p < end ? p + 1 : -1
  }
  if (c === 116) return literal(b, p, end, 114, 117, 101)
  if (c === 110) return literal(b, p, end, 117, 108, 108)
  if (c === 102) return p + 1 < end && b[p + 1] === 97 ? literal(b, p + 1, end, 108, 115, 101) : -1
  if (c === 45) c = b[++p]
  const first = p
  if (!(c >= 48 && c <= 57)) return -1
  while (++p < end && (c = b[p]) >= 48 && c <= 57);
  if (p - first > 1 && b[first] === 48) return -1
  if (p < end && b[p] === 46) { const point = p; while (++p < end && (c = b[p]) >= 48 && c <= 57); if (p - point < 2) return -1 }
  return p < end && (b[p] === 101 || b[p] === 69) ? -1 : p
}
function digits(b, p, n) { let v = 0; for (let i = 0; i < n; i++) { const c = b[p + i] - 48; if (!(c >= 0 && c <= 9)) return NaN; v = v * 10 + c } return v }
function isoAt(b, p, end) {
  if (p + 20 >= end || b[p + 4] !== 45 || b[p + 7] !== 45 || b[p + 10] !== 84 || b[p + 13] !== 58 || b[p + 16] !== 58) return NaN
  let ms = 0
  if (b[p + 19] === 46) { if (p + 24 >= end || b[p + 23] !== 90 || b[p + 24] !== 34) return NaN; ms = digits(b, p + 20, 3) }
  else if (b[p + 19] !== 90 || b[p + 20] !== 34) return NaN
  return isoTimestamp(digits(b, p, 4), digits(b, p + 5, 2), digits(b, p + 8, 2), digits(b, p + 11, 2), digits(b, p + 14, 2), digits(b, p + 17, 2), ms)
}`)
}
