import { MillraceError } from '../../model/errors.ts'
import { fieldOf, type Field, type Schema } from '../../model/schema.ts'
import { valueTypeText } from '../../model/value-type.ts'
import type { RowWriter } from '../contracts.ts'
import { compile, joined, js, lines, NOTHING, property, type Code } from '../emitter.ts'
import { valuePrinter } from '../../model/logical-values.ts'
import { notPlain } from './plain-bytes.ts'
import { isoDate } from '../../model/timestamp-text.ts'
import { MAX_RUNS, type PassThroughTexts } from '../../memory/pass-through-texts.ts'

export interface JsonWriterOptions {
  timestampFormat: 'iso' | 'epochMillis'
}

/** Longest forms of a value: -1.7976931348623157e+308, a quoted ISO time of six digits of years. */
const NUMBER_BYTES = 32
/** A UTF-16 unit takes at most six bytes: \u0007; three as UTF-8. */
const UNIT_BYTES = 6
/** Leads up to here in all are stored word by word, which is faster than a call and too much code beyond. */
const MAX_INLINE_LEAD_BYTES = 2000

/**
 * Generates the writer of one stream's JSON records: one object, no newline, fields in schema order, nulls written.
 * Bytes go straight into the buffer; a text per row, flattened and copied, cost three times as much.
 */
export function compileJsonWriter(schema: Schema, options: JsonWriterOptions, passed?: PassThroughTexts): RowWriter {
  const printers = new Map(
    schema.fields.flatMap((field, index) => {
      const print = field.logical === undefined ? undefined : valuePrinter(field, options.timestampFormat)
      return print === undefined ? [] : [[index, print] as const]
    }),
  )
  const runs = passed === undefined ? [] : runsOf(schema, passed)
  if (passed !== undefined) passed.runs = runs.map(({ fields }) => fields)
  const isPassed = (field: Field): boolean => passed?.sink.has(field.name) === true
  const startAt = (field: Field): number => passed?.startAt(passed.sink.get(field.name) ?? '') ?? 0
  const columns = schema.fields.map(
    (field, index): WrittenField => ({
      field,
      index,
      lead: `${index === 0 ? '{' : ','}${JSON.stringify(field.name)}:`,
      isPrinted: printers.has(index) && !isPassed(field),
      passedAt: isPassed(field) ? startAt(field) : undefined,
    }),
  )
  const leadBytes = columns.reduce((total, { lead }) => total + lead.length, 0)
  const body = columns.map((column) => {
    const { lead, index } = column
    const run = runs.findIndex(({ first, fields }) => index >= first && index < first + fields.length)
    const { first = 0, fields = [] } = runs[run] ?? {}
    const own = [writeBytes(lead, leadBytes), writeField(column, options)]
    if (run < 0 || run >= MAX_RUNS || fields.length === 1) return lines(own)
    return index === first ? writeRun(columns.slice(first, first + fields.length), run, leadBytes, options) : NOTHING
  })
  const encodeInto = compile<RowWriter['encodeInto']>(
    'json writer',
    js`
      ${HELPERS}
      return function encodeInto(r, b, at) {
        ${columns.map((column) => js`const v${column.index} = ${loaded(column)}`)}
        ${checkRoom(columns, leadBytes)}
        let p = at
        if (b !== viewed) {
          viewed = b
          view = new DataView(b.buffer, b.byteOffset, b.length)
        }
        ${body}
        ${schema.fields.length === 0 ? js`b[p++] = 123` : NOTHING}
        b[p++] = 125
        return p - at
      }`,
    {
      quote: JSON.stringify,
      isoDate,
      refuseNumber: (name: string, value: number) => refuseNumber(fieldOf(schema, name), value),
      PLAIN,
      passed,
      ...Object.fromEntries([...printers].map(([index, print]) => [`print${index}`, print])),
    },
  )
  return { encodeInto }
}

interface WrittenField {
  field: Field
  index: number
  /** The bytes before its value. */
  lead: string
  /** It is printed from what JSON says of its value. */
  isPrinted: boolean
  /** Where a passed record holds the place of its text. */
  passedAt: number | undefined
}

/** Leaves with -1 unless the longest form of the row fits. */
function checkRoom(columns: readonly WrittenField[], leadBytes: number): Code {
  const room = js`${2 + leadBytes + columns.length * NUMBER_BYTES}`
  const texts = columns.flatMap(({ field, index, isPrinted, passedAt }) => {
    if (passedAt !== undefined || !(field.type === 'string' || field.type === 'json' || isPrinted)) return []
    return [
      js`${UNIT_BYTES} * ${field.nullable ? js`(v${index} === null ? 0 : v${index}.length)` : js`v${index}.length`}`,
    ]
  })
  const passed = columns.flatMap(({ index, passedAt }) =>
    passedAt === undefined ? [] : [js`places[v${index} + ${passedAt + 1}]`],
  )
  return js`
    ${passed.length > 0 ? js`const places = passed.places` : NOTHING}
    if (at + ${joined([room, ...texts, ...passed], ' + ')} > b.length) return -1`
}

/** Passed fields side by side: one copy where the record has them so, else one by one. */
function writeRun(columns: readonly WrittenField[], run: number, leadBytes: number, options: JsonWriterOptions): Code {
  const [first, ...rest] = columns as [WrittenField, ...WrittenField[]]
  const last = columns.at(-1) as WrittenField
  return js`
    ${writeBytes(first.lead, leadBytes)}
    if ((places[v${first.index} + 1] & ${1 << run}) !== 0)
      p = passed.writeRun(v${first.index}, ${first.passedAt ?? 0}, ${last.passedAt ?? 0}, view, p)
    else {
      ${writeField(first, options)}
      ${rest.map((column) => lines([writeBytes(column.lead, leadBytes), writeField(column, options)]))}
    }`
}

/** Where passed fields stand side by side. */
function runsOf(
  schema: Schema,
  { sink }: PassThroughTexts,
): { first: number; fields: { sink: string; source: string }[] }[] {
  const runs: { first: number; fields: { sink: string; source: string }[] }[] = []
  schema.fields.forEach(({ name }, index) => {
    const source = sink.get(name)
    if (source === undefined) return
    const last = runs.at(-1)
    if (last !== undefined && last.first + last.fields.length === index) last.fields.push({ sink: name, source })
    else runs.push({ first: index, fields: [{ sink: name, source }] })
  })
  return runs
}

/** Bytes that stand for themselves in a JSON text. */
const PLAIN = Uint8Array.from({ length: 128 }, (_, byte) => (byte < 32 || byte === 34 || byte === 92 ? 0 : 1))

/** The value of a field of row r; the text of what is printed. */
function loaded({ field, index, isPrinted }: WrittenField): Code {
  const value = js`r${property(field.name)}`
  if (!isPrinted && field.type !== 'json') return value
  const text = js`quote(${isPrinted ? js`print${index}(${value})` : value})`
  return field.nullable ? js`${value} === null ? null : ${text}` : text
}

function writeBytes(text: string, leadBytes: number): Code {
  if (leadBytes > MAX_INLINE_LEAD_BYTES) return js`p += b.latin1Write(${text}, p)`
  const bytes = Buffer.from(text)
  const at = (index: number): Code => (index === 0 ? js`p` : js`p + ${index}`)
  const stores: Code[] = []
  let index = 0
  for (; index + 4 <= bytes.length; index += 4)
    stores.push(js`view.setUint32(${at(index)}, ${bytes.readUInt32BE(index)})`)
  for (; index < bytes.length; index++) stores.push(js`b[${at(index)}] = ${bytes.readUInt8(index)}`)
  return lines([...stores, js`p += ${bytes.length}`])
}

function writeField({ field, index, isPrinted, passedAt }: WrittenField, options: JsonWriterOptions): Code {
  const value = js`v${index}`
  if (passedAt !== undefined) return js`p = passed.write(${value}, ${passedAt}, view, p)`
  const write = isPrinted ? js`p += b.utf8Write(${value}, p)` : writeValue(field, value, options)
  if (!field.nullable) return write
  return js`
    if (${value} === null) p = word(b, p, 'null')
    else {
      ${write}
    }`
}

function writeValue(field: Field, value: Code, options: JsonWriterOptions): Code {
  const refusal = js`if (${value} - ${value} !== 0) refuseNumber(${field.name}, ${value})`
  switch (field.type) {
    case 'string':
      return js`p = quoted(b, p, ${value})`
    case 'json':
      return js`p += b.utf8Write(${value}, p)`
    case 'boolean':
      return js`p = word(b, p, ${value} ? 'true' : 'false')`
    case 'timestamp':
      return lines([
        refusal,
        options.timestampFormat === 'iso' ? js`p = iso(b, p, ${value})` : js`p = integer(b, p, ${value})`,
      ])
    case 'long':
      return lines([refusal, js`p = integer(b, p, ${value})`])
    case 'double':
      return js`
        if ((${value} | 0) === ${value}) p = integer(b, p, ${value})
        else {
          ${refusal}
          p = decimal(b, p, ${value})
        }`
  }
}

function refuseNumber(field: Field | undefined, value: number): never {
  const named = field === undefined ? 'a field' : `field '${field.name}' (${valueTypeText(field)})`
  throw new MillraceError('VALUE_INVALID', `${named} is ${String(value)}, which JSON cannot say`, {
    domain: 'user',
    hint: 'a number must be finite',
  })
}

/**
 * Functions that write one value at p and return the place behind it. Nine digits stay in an int32. A unit of a
 * text that is cut from another one costs several nanoseconds to ask for, a call a hundred: longer texts are
 * written by a call and checked after.
 */
const HELPERS = js`
  function word(b, p, s) { const n = s.length; for (let i = 0; i < n; i++) b[p + i] = s.charCodeAt(i); return p + n }
  function integer(b, p, v) {
    if (v < 0) { b[p++] = 45; v = -v }
    if (v > 999999999) {
      const high = Math.floor(v / 1e9)
      p = integer(b, p, high)
      return nine(b, p, v - high * 1e9 | 0, 9)
    }
    const w = v | 0
    return nine(b, p, w, w < 10 ? 1 : w < 100 ? 2 : w < 1000 ? 3 : w < 10000 ? 4 : w < 100000 ? 5
      : w < 1000000 ? 6 : w < 10000000 ? 7 : w < 100000000 ? 8 : 9)
  }
  // Three decimals are enough for most. One number of at most 15 digits, and no other, is printed for a double (IEEE
  // 754, 5.12.2), so it is the shortest.
  function decimal(b, p, v) {
    const m = Math.round(v * 1000)
    if (m / 1000 !== v || m > 999999999999999 || m < -999999999999999) return word(b, p, '' + v)
    if (v < 0) b[p++] = 45
    const size = m < 0 ? -m : m, whole = Math.floor(size / 1000), rest = size - whole * 1000
    p = integer(b, p, whole)
    if (rest === 0) return p
    b[p++] = 46
    return rest % 100 === 0 ? nine(b, p, rest / 100, 1)
      : rest % 10 === 0 ? nine(b, p, rest / 10, 2) : nine(b, p, rest, 3)
  }
  function nine(b, p, w, n) {
    for (let k = p + n - 1; k >= p; k--) { const tens = w / 10 | 0; b[k] = 48 + w - tens * 10; w = tens }
    return p + n
  }
  let viewed, view
  function quoted(b, p, s) {
    const n = s.length
    b[p] = 34
    if (n > 24) {
      let q = p + 1
      const end = q + n
      if (b.utf8Write(s, q) !== n) return p + b.utf8Write(quote(s), p)
      while (q + 4 <= end) { const x = view.getInt32(q); if (${notPlain(js`x`)}) break; q += 4 }
      while (q < end && PLAIN[b[q]] === 1) q++
      if (q < end) return p + b.utf8Write(quote(s), p)
      b[end] = 34
      return end + 1
    }
    for (let i = 0, q = p + 1; i < n; i++, q++) {
      const c = s.charCodeAt(i)
      if (c > 127 || PLAIN[c] === 0) return p + b.utf8Write(quote(s), p)
      b[q] = c
    }
    b[p + n + 1] = 34
    return p + n + 2
  }
  let lastDay = NaN, date = ''
  function iso(b, p, t) {
    const day = Math.floor(t / 86400000)
    b[p++] = 34
    if (day !== lastDay) { date = isoDate(t); lastDay = date === undefined ? NaN : day }
    if (date === undefined) p = word(b, p, '' + t)
    else {
      p = word(b, p, date)
      const ms = t - day * 86400000, s = ms / 1000 | 0, m = s / 60 | 0, h = m / 60 | 0
      b[p] = 84; p = nine(b, p + 1, h, 2)
      b[p] = 58; p = nine(b, p + 1, m - h * 60, 2)
      b[p] = 58; p = nine(b, p + 1, s - m * 60, 2)
      b[p] = 46; p = nine(b, p + 1, ms - s * 1000, 3)
      b[p++] = 90
    }
    b[p++] = 34
    return p
  }`
