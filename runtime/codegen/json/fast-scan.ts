import { MAX_RUNS, type PassThroughTexts } from '../../memory/pass-through-texts.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Field, Row, Schema } from '../../model/schema.ts'
import { isExact } from '../../expressions/typing.ts'
import { valueReader } from '../../model/logical-values.ts'
import { isoTimestamp } from '../../model/timestamp-text.ts'
import { compile, joined, js, NOTHING, type Code } from '../emitter.ts'
import type { RowClass } from '../rows/row.ts'
import type { JsonLayout } from './json-layout.ts'
import { notPlain } from './plain-bytes.ts'

/**
 * Null: not as expected, take the slow path. `text` are the bytes from `base` on, one character each; empty: cut the
 * record's own out of the bytes.
 */
export type FastScan = (bytes: Buffer, start: number, end: number, text: string, base: number) => Row | null

const POWERS = Float64Array.from({ length: 23 }, (_, n) => Number(`1e${n}`))
/** Bytes at which the scan of a string stops to think: quote, backslash, control characters, all that is not ASCII. */
const STOP = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 32 || byte === 34 || byte === 92 || byte > 127 ? 1 : 0,
)

/** Undefined when the layout lacks a field that may not be missing. */
export function compileFastScan(
  schema: Schema,
  rowClass: RowClass,
  layout: JsonLayout,
  passed: PassThroughTexts | undefined,
): FastScan | undefined {
  const keys = new Set(layout.members.map((member) => member.key))
  if (schema.fields.some((field) => !field.nullable && !keys.has(field.name))) return undefined
  const wanted = new Map(schema.fields.map((field, index) => [field.name, { field, index }]))
  const isPassed = ({ name }: Field): boolean => passed?.source.has(name) === true
  const hasPlace = (field: Field): boolean => field.type === 'string' || isPassed(field)
  const texts = schema.fields.filter((field) => field.type === 'string' && keys.has(field.name) && !isPassed(field))
  const strings = texts.filter((field) => !isExact(field))
  const exacts = texts
    .filter(isExact)
    .map((field) => ({ index: schema.fields.indexOf(field), read: valueReader(field) }))
  const members = layout.members.flatMap(({ key, lead }) => {
    const target = wanted.get(key)
    const read =
      target === undefined
        ? SKIP_VALUE
        : isPassed(target.field)
          ? placePassed(target.field, target.index)
          : readValue(target.field, target.index)
    return [expectBytes(lead), read]
  })
  // one native read for all strings of the record; where a byte is not ASCII, offsets in bytes are no offsets in
  // characters
  const cut = strings.length === 0 ? NOTHING : cutStrings(strings.map((field) => schema.fields.indexOf(field)))
  return compile<FastScan>(
    'json scan',
    js`
      ${HELPERS}
      let viewed, view
      return function scan(bytes, start, end, text, base) {
        let p = start, c = 0, wide = false
        if (bytes !== viewed) {
          viewed = bytes
          view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
        }
        ${passed === undefined ? NOTHING : js`let joined = ${joinedRuns(layout, passed)}`}
        ${schema.fields.map((field, index) => declareValue(index, hasPlace(field) ? 'with place' : 'alone'))}
        ${members}
        ${expectBytes(layout.tail)}
        if (p !== end) return null
        ${cut}
        ${exacts.map(({ index }) => readDigitsOf(index))}
        ${passed === undefined ? NOTHING : notePlaces(schema, passed)}
        return new Row(${schema.fields.map((field, index) => (isPassed(field) ? js`record` : js`v${index}`))})
      }`,
    {
      Row: rowClass,
      isoTimestamp,
      POWERS,
      STOP,
      passed,
      ...Object.fromEntries(exacts.map(({ index, read }) => [`exact${index}`, read])),
    },
  )
}

/** A value v; q and e are where its text begins and ends. */
function declareValue(index: number, place: 'with place' | 'alone'): Code {
  return place === 'alone' ? js`let v${index} = null` : js`let v${index} = null, q${index} = -1, e${index} = -1`
}

const SKIP_VALUE = js`
  p = skipScalar(bytes, p, end)
  if (p < 0) return null`

/** Bits of the runs whose texts lie side by side in this layout as the sink writes them. */
function joinedRuns({ members }: JsonLayout, { runs }: PassThroughTexts): number {
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

/** Leaves the first byte of a value in c; `read` it, unless it is null where it may be. */
function readPresent({ nullable }: Field, readNull: Code, read: Code): Code {
  const orNull = js`
    if (c === 110) {
      ${readNull}
    } else {
      ${read}
    }`
  return js`
    if (p + 1 >= end) return null
    c = bytes[p]
    ${nullable ? orNull : read}`
}

const READ_NULL = js`
  p = literal(bytes, p, end, 117, 108, 108)
  if (p < 0) return null`

/** Finds q and e, where the text of a value begins and ends, taking and refusing what readValue does. */
function placePassed(field: Field, index: number): Code {
  const [q, e] = [js`q${index}`, js`e${index}`]
  if (field.type !== 'string' && field.type !== 'long' && field.type !== 'timestamp')
    return js`
      ${q} = p
      ${readValue(field, index)}
      ${e} = p`
  const placeNull = js`
    ${q} = p
    ${READ_NULL}
    ${e} = p`
  const placeString = js`
    ${findStringEnd(js`${q} = p++`)}
    ${e} = ++p`
  // -0 is written as 0
  const placeInteger = js`
    {
      ${q} = p
      if (c === 45) c = bytes[++p]
      const k = p
      if (!(c >= 48 && c <= 57)) return null
      while (++p < end && (c = bytes[p]) >= 48 && c <= 57);
      if (p - k > 15 || (bytes[k] === 48 && (p - k > 1 || k !== ${q}))) return null
      ${e} = p
    }`
  // an ISO time is written aside as the number that it is
  const placeTime = js`
    if (c === 34) {
      ${readIso(index)}
      joined = 0
    } else {
      ${placeInteger}
    }`
  const place = field.type === 'string' ? placeString : field.type === 'timestamp' ? placeTime : placeInteger
  return readPresent(field, placeNull, place)
}

/** Numbers the record and notes its places; what is not there as it is to be written is written aside. */
function notePlaces(schema: Schema, passed: PassThroughTexts): Code {
  const fields = schema.fields
    .map((field, index) => ({ field, index }))
    .filter(({ field }) => passed.source.has(field.name))
  const notes = fields.map(({ field, index }) => {
    const at = js`record + ${passed.startAt(field.name)}`
    return js`
      if (q${index} >= 0) {
        places[${at}] = q${index}
        places[${at} + 1] = e${index} - q${index}
      } else {
        const before = passed.sideBytes
        places[${at}] = passed.aside(v${index})
        places[${at} + 1] = passed.sideBytes - before
      }`
  })
  return js`
    const record = passed.record(bytes), places = passed.places
    places[record + 1] = joined
    ${notes}`
}

/** From a byte c that must be a quote to the closing quote, where p then is. */
function findStringEnd(begin: Code): Code {
  return js`
    if (c !== 34) return null
    ${begin}
    while (p + 4 <= end) {
      const x = view.getInt32(p)
      if (${notPlain(js`x`)}) break
      p += 4
    }
    for (;;) {
      while (STOP[bytes[p]] === 0) p++
      if (p >= end) return null
      c = bytes[p]
      if (c === 34) break
      if (c < 128) return null
      wide = true
      p = behindWide(bytes, p)
      if (p < 0) return null
    }`
}

function expectBytes(expected: Uint8Array): Code {
  if (expected.length === 0) return NOTHING
  const bytes = Buffer.from(expected)
  const at = (index: number): Code => (index === 0 ? js`p` : js`p + ${index}`)
  const tests: Code[] = []
  let index = 0
  for (; index + 4 <= bytes.length; index += 4)
    tests.push(js`view.getUint32(${at(index)}) !== ${bytes.readUInt32BE(index)}`)
  for (; index < bytes.length; index++) tests.push(js`bytes[${at(index)}] !== ${bytes.readUInt8(index)}`)
  return js`
    if (p + ${expected.length} > end || ${joined(tests, ' || ')}) return null
    p += ${expected.length}`
}

function readValue(field: Field, index: number): Code {
  return readPresent(field, READ_NULL, readOfType(field, index))
}

function readOfType(field: Field, index: number): Code {
  const value = js`v${index}`
  switch (field.type) {
    case 'long':
      return js`
        {
          ${readInteger(value)}
        }`
    case 'double':
      return js`
        {
          ${readDouble(value)}
        }`
    case 'timestamp':
      return js`
        if (c === 34) {
          ${readIso(index)}
        } else {
          ${readInteger(value)}
        }`
    case 'boolean':
      return js`
        if (c === 116) {
          p = literal(bytes, p, end, 114, 117, 101)
          ${value} = true
        } else if (c === 102 && bytes[p + 1] === 97) {
          p = literal(bytes, p + 1, end, 108, 115, 101)
          ${value} = false
        } else return null
        if (p < 0) return null`
    case 'string': {
      const readString = js`
        ${findStringEnd(js`q${index} = ++p`)}
        e${index} = p++`
      if (!isExact(field)) return readString
      return js`
        if (c === 34) {
          ${readString}
        } else {
          q${index} = p
          p = skipScalar(bytes, p, end)
          if (p < 0) return null
          e${index} = p
        }`
    }
    case 'json':
      throw new MillraceError('SCANNER_TYPE', `json field '${field.name}' has no fast path`)
  }
}

function readIso(index: number): Code {
  return js`
    v${index} = isoAt(bytes, p + 1, end)
    if (v${index} !== v${index}) return null
    p += bytes[p + 21] === 34 ? 22 : 26`
}

/**
 * Declares m, |value|, and neg, its sign. At most 15 digits, so m is exact; `01` and `-` are left to JSON.parse.
 * The first nine digits stay in an int32: half the latency of the same in a double.
 */
const READ_DIGITS = js`
  const neg = c === 45
  if (neg) c = bytes[++p]
  const k = p
  let w = c - 48 | 0
  if (!(c >= 48 && c <= 57)) return null
  const nine = p + 9 < end ? p + 9 : end
  while (++p < nine && (c = bytes[p]) >= 48 && c <= 57) w = Math.imul(w, 10) + (c - 48) | 0
  let m = w
  if (p === nine) {
    p--
    while (++p < end && (c = bytes[p]) >= 48 && c <= 57) m = m * 10 + (c - 48)
  }
  if (p - k > 15 || (p - k > 1 && bytes[k] === 48)) return null`

function readInteger(value: Code): Code {
  return js`
    ${READ_DIGITS}
    ${value} = neg ? 0 - m : m`
}

/**
 * Digits up to 2^53 divided by an exact power of ten round once, so the result is the nearest double:
 * W. D. Clinger, "How to Read Floating Point Numbers Accurately", 1990, the fast case.
 */
function readDouble(value: Code): Code {
  return js`
    ${READ_DIGITS}
    if (p < end && bytes[p] === 46) {
      const point = p
      while (++p < end && (c = bytes[p]) >= 48 && c <= 57) m = m * 10 + (c - 48)
      if (p - point < 2 || p - k > 16) return null
      m /= POWERS[p - point - 1]
    }
    ${value} = neg ? 0 - m : m`
}

/** A decimal or bigint of the digits between q and e, which any scalar may be; the slow path refuses others. */
function readDigitsOf(index: number): Code {
  const [value, q, e] = [js`v${index}`, js`q${index}`, js`e${index}`]
  return js`
    if (${q} >= 0) {
      ${value} = exact${index}(text === '' ? bytes.latin1Slice(${q}, ${e}) : text.slice(${q} - base, ${e} - base))
      if (${value} === undefined) return null
    }`
}

function cutStrings(indexes: readonly number[]): Code {
  return js`
    if (wide) {
      ${indexes.map((index) => js`if (q${index} >= 0) v${index} = bytes.toString('utf8', q${index}, e${index})`)}
    } else {
      if (text === '') text = bytes.latin1Slice(start, end)
      ${indexes.map((index) => js`if (q${index} >= 0) v${index} = text.slice(q${index} - base, e${index} - base)`)}
    }`
}

/** Functions that a scan calls for what is rare or too long to repeat in it. */
const HELPERS = js`
  function literal(bytes, p, end, x, y, z) {
    return p + 4 <= end && bytes[p + 1] === x && bytes[p + 2] === y && bytes[p + 3] === z ? p + 4 : -1
  }
  // Behind the character that begins with a byte of no ASCII; -1 when it is not UTF-8 (RFC 3629, 4)
  function behindWide(bytes, p) {
    const c = bytes[p], d = bytes[p + 1] ^ 128
    if (c < 0xe0) return c > 0xc1 && d < 64 ? p + 2 : -1
    if (d > 63 || (bytes[p + 2] ^ 128) > 63) return -1
    if (c < 0xf0) return (c === 0xe0 ? d > 31 : c !== 0xed || d < 32) ? p + 3 : -1
    return (bytes[p + 3] ^ 128) < 64 && (c === 0xf0 ? d > 15 : c < 0xf4 || (c === 0xf4 && d < 16)) ? p + 4 : -1
  }
  function skipScalar(bytes, p, end) {
    let c = bytes[p]
    if (c === 34) {
      for (p++; ; ) {
        while (STOP[bytes[p]] === 0) p++
        if (p >= end) return -1
        c = bytes[p]
        if (c === 34) return p + 1
        if (c < 128) return -1
        if (c < 0xe0 && c > 0xc1 && (bytes[p + 1] & 0xc0) === 128) p += 2
        else if ((p = behindWide(bytes, p)) < 0) return -1
      }
    }
    if (c === 116) return literal(bytes, p, end, 114, 117, 101)
    if (c === 110) return literal(bytes, p, end, 117, 108, 108)
    if (c === 102) return p + 1 < end && bytes[p + 1] === 97 ? literal(bytes, p + 1, end, 108, 115, 101) : -1
    if (c === 45) c = bytes[++p]
    const first = p
    if (!(c >= 48 && c <= 57)) return -1
    while (++p < end && (c = bytes[p]) >= 48 && c <= 57);
    if (p - first > 1 && bytes[first] === 48) return -1
    if (p < end && bytes[p] === 46) {
      const point = p
      while (++p < end && (c = bytes[p]) >= 48 && c <= 57);
      if (p - point < 2) return -1
    }
    return p < end && (bytes[p] === 101 || bytes[p] === 69) ? -1 : p
  }
  function digits(bytes, p, n) {
    let v = 0
    for (let i = 0; i < n; i++) {
      const c = bytes[p + i] - 48
      if (!(c >= 0 && c <= 9)) return NaN
      v = v * 10 + c
    }
    return v
  }
  function isoAt(bytes, p, end) {
    if (p + 20 >= end || bytes[p + 4] !== 45 || bytes[p + 7] !== 45 || bytes[p + 10] !== 84
      || bytes[p + 13] !== 58 || bytes[p + 16] !== 58) return NaN
    let ms = 0
    if (bytes[p + 19] === 46) {
      if (p + 24 >= end || bytes[p + 23] !== 90 || bytes[p + 24] !== 34) return NaN
      ms = digits(bytes, p + 20, 3)
    } else if (bytes[p + 19] !== 90 || bytes[p + 20] !== 34) return NaN
    const year = digits(bytes, p, 4), month = digits(bytes, p + 5, 2), day = digits(bytes, p + 8, 2)
    const hour = digits(bytes, p + 11, 2), minute = digits(bytes, p + 14, 2), second = digits(bytes, p + 17, 2)
    return isoTimestamp(year, month, day, hour, minute, second, ms)
  }`
