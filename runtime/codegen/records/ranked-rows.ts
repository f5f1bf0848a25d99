import type { Field } from '../../model/schema.ts'
import { BOXED, ONE_BYTE, VALUE } from '../../memory/arena/record-layout.ts'
import { isKeptAsText, storageOf } from '../../model/type-traits.ts'
import { type Code, joined, js, NOTHING } from '../emitter.ts'
import { columnNames, openColumn, readValue, valueName } from '../rows/column-values.ts'
import { LOCATE, type RecordEmitter } from './record-emitter.ts'
import type { RankedLoop } from './record-loops.ts'

/**
 * The functions of the loop `ranked`, over the rows of rankings. Texts of columns are copied as bytes, from a batch to
 * records and from records to another batch.
 */
export function rankedFunctions(plain: RecordEmitter, { from }: RankedLoop): Code {
  return js`
    ${from === 'columns' ? enterFunctions(plain) : NOTHING}
    ${putFunction(plain)}
    ${promoteFunction(plain)}
    ${giveFunction(plain)}
    const loop = { put: putRow, promote, give${from === 'columns' ? js`, open, enter` : NOTHING} }`
}

function enterFunctions(plain: RecordEmitter): Code {
  const { fields } = plain.spec.schema
  const emitter = plain.withFields((field) => valueName(fields.indexOf(field)))
  const fill = emitter.fillBytes(js`${VALUE}`)
  return js`
    let ${fields.flatMap((field, place) => columnNames(field, place))}
    ${textFields(emitter).map((_, j) => js`let view${j}`)}
    ${COPY_BYTES}
    function open(columns) {
      ${fields.map((field, place) => openColumn(field, place))}
      ${textFields(emitter).map((field, j) => js`view${j} = viewOf(bytes${fields.indexOf(field)})`)}
    }
    function enter(g, a, u0, row) {
      ${fields.map((field, place) => readValue(field, place, js`row`))}
      ${declareTexts(emitter)}
      ${hasLongText(emitter)}
      ${(emitter.layout.keyFields ?? []).map((field, index) => js`const k${index} = ${valueName(fields.indexOf(field))}`)}
      ${emitter.hash()}
      ${emitter.measureBytes()}
      if (a !== 0) ${emitter.supersede(js`
        // over the old record where it fits and no barrier has passed, as put does
        if ((a & 32767) << 3 >= arena.frozen[oldSegment] && bytes <= oldUnits * 8 && oldUnits * 4 <= bytes) {
          const segment = oldSegment, start = oldStart, units = oldUnits
          ${fill}
          return a
        }`)}
      ${emitter.placeBytes()}
      ${fill}
      arena.end[segment] = offset + bytes
      return segment << 15 | offset >> 3
    }`
}

/** Copies bytes that are ASCII: no number that they make is one that a copy would change. */
const COPY_BYTES = js`
  function viewOf({ buffer, byteOffset, byteLength }) {
    return new DataView(buffer, byteOffset, byteLength)
  }
  function copyBytes(bytes, view, from, length, into, target, to) {
    if (length < 8) {
      for (let k = 0; k < length; k++) into[to + k] = bytes[from + k]
      return
    }
    const last = length - 8
    for (let k = 0; k < last; k += 8) target.setFloat64(to + k, view.getFloat64(from + k, true), true)
    target.setFloat64(to + last, view.getFloat64(from + last, true), true)
  }`

function putFunction(emitter: RecordEmitter): Code {
  return js`
    function putRow(g, a, u0, r) {
      ${emitter.keyFromRow()}
      ${emitter.hash()}
      ${emitter.write(js`${VALUE}`, js`0`)}
      if (a !== 0) ${emitter.supersede(emitter.overwrite(js`return a`))}
      arena.end[segment] = offset + bytes
      return segment << 15 | offset >> 3
    }`
}

function promoteFunction(emitter: RecordEmitter): Code {
  return js`
    function promote(g, addresses, first, end) {
      let moved = false
      ${emitter.eachCold(js`
        for (let j = first; j < end; j++) {
          const a = addresses[j]
          if (a === 0 || arena.base[a >>> 15] >= 0) continue
          addresses[j] = arena.promote(g, a)
          moved = true
        }`)}
      return moved
    }`
}

function textFields({ layout }: RecordEmitter): Field[] {
  return layout.texts.flatMap(({ of }) => (typeof of === 'string' ? [] : [of]))
}

function declareTexts(emitter: RecordEmitter): Code[] {
  return textFields(emitter).map((field, j) => {
    const place = emitter.spec.schema.fields.indexOf(field)
    return js`
      const b${j} = bytes${place}, from${j} = starts${place}[row], length${j} = ends${place}[row] - from${j}`
  })
}

/** Such a row has to be written in another way. */
function hasLongText(emitter: RecordEmitter): Code {
  const tests = textFields(emitter).map((_, j) => js`length${j} > 65535`)
  return tests.length === 0 ? NOTHING : js`if (${joined(tests, ' || ')}) return 0`
}

/** Looks at all records first, so that their cache misses overlap. */
function giveFunction(emitter: RecordEmitter): Code {
  const { fields } = emitter.spec.schema
  const numeric = fields.filter((field) => !isKeptAsText(field))
  const openOut = (field: Field): Code => {
    const place = fields.indexOf(field)
    return js`const out${place} = ${storageOf(field) === 'bit' ? js`out.bits(${place})` : js`out.numbers(${place})`}`
  }
  return js`
    function give(addresses, first, end, out) {
      for (let j = first; j < end; j++) {
        const a = addresses[j]
        if (a === 0) return -1
        ${LOCATE}
        if ((head & ${ONE_BYTE | BOXED}) !== ${ONE_BYTE}) return 0
      }
      ${numeric.map(openOut)}
      const ranks = out.numbers(${fields.length})
      let n = out.count
      for (let j = first; j < end; j++, n++) {
        const a = addresses[j]
        ${LOCATE}
        ${numeric.map((field) => giveNumber(emitter, field, fields.indexOf(field)))}
        ${giveTexts(emitter)}
        ranks[n] = j + 1
      }
      out.count = n
      return 1
    }`
}

function giveNumber(emitter: RecordEmitter, field: Field, place: number): Code {
  const stored = (value: Code): Code => (storageOf(field) === 'bit' ? js`${value} ? 1 : 0` : value)
  if (!field.nullable) return js`out${place}[n] = ${stored(emitter.decoded(field))}`
  return js`
    {
      const value = ${emitter.decoded(field)}
      if (value === null) out.setNull(${place}, n)
      out${place}[n] = ${stored(js`value`)}
    }`
}

/** The texts of a record lie behind each other, from a word on. */
function giveTexts(emitter: RecordEmitter): Code {
  const { fields } = emitter.spec.schema
  const texts = textFields(emitter)
  if (texts.length === 0) return NOTHING
  const all = joined(
    texts.map((_, j) => emitter.lengthAt(j)),
    ' + ',
  )
  return js`
    let from = out.putWords(ints, start + (FIXED >> 2), ${all} + 3 >> 2)
    ${texts.map((field, j) => giveText(emitter, field, j, fields.indexOf(field)))}`
}

function giveText(emitter: RecordEmitter, field: Field, j: number, place: number): Code {
  const isNull = emitter.isNull(field)
  return js`
    ${isNull === undefined ? NOTHING : js`if (${isNull}) out.setNull(${place}, n)`}
    out.placeText(${place}, n, from, ${emitter.lengthAt(j)})
    from += ${emitter.lengthAt(j)}`
}
