import type { Field } from '../../model/schema.ts'
import { BOXED, ONE_BYTE, VALUE } from '../../memory/arena/record-layout.ts'
import { isKeptAsText, storageOf } from '../../model/type-traits.ts'
import { type Code, joined, js, NOTHING } from '../emitter.ts'
import { columnNames, openColumn, readValue, valueName } from '../rows/column-values.ts'
import { LOCATE, type RecordEmitter } from './record-emitter.ts'

/**
 * The functions of the loop `ranked`, over the rows of rankings: under a key that is a number each has a slot. Texts are
 * copied as bytes, from the columns of a batch to records and from records to the columns of another.
 */
export function rankedFunctions(plain: RecordEmitter): Code {
  const { fields } = plain.spec.schema
  const emitter = plain.withFields((field) => valueName(fields.indexOf(field)))
  const fill = emitter.fillBytes(js`${VALUE}`)
  return js`
    let ${fields.flatMap((field, place) => columnNames(field, place))}
    const found = new Int32Array(1024)
    function copyBytes(bytes, from, length, into, to) {
      if (length > 64) into.set(bytes.subarray(from, from + length), to)
      else for (let k = 0; k < length; k++) into[to + k] = bytes[from + k]
    }
    function open(columns) {
      ${fields.map((field, place) => openColumn(field, place))}
    }
    function enter(g, k0, u0, row, seq) {
      ${fields.map((field, place) => readValue(field, place, js`row`))}
      ${declareTexts(emitter)}
      ${hasLongText(emitter)}
      ${emitter.hash()}
      ${emitter.room()}
      ${emitter.probe()}
      ${emitter.promote()}
      ${emitter.measureBytes()}
      if (a !== 0) {
        ${LOCATE}
        const units = head & UNITS
        seq = ${emitter.numberAt('seq')}
        // over the old record where it fits and no barrier has passed, as put does
        if ((a & 32767) << 3 >= arena.frozen[segment] && bytes <= units * 8 && units * 4 <= bytes) {
          ${fill}
          return 0
        }
        arena.kill(segment, units === 0 ? arena.end[segment] : units * 8)
      }
      ${emitter.placeBytes()}
      {
        ${fill}
      }
      if (a === 0) {
        g.n++
        index[i] = h
      }
      ${emitter.commit()}
      if (arena.debt) arena.maintain()
      return a === 0 ? 1 : 0
    }
    ${giveFunction(emitter)}
    const loop = { open, enter, give }`
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
  return tests.length === 0 ? NOTHING : js`if (${joined(tests, ' || ')}) return -1`
}

/** Finds all records first, so that their cache misses overlap. */
function giveFunction(emitter: RecordEmitter): Code {
  const { fields } = emitter.spec.schema
  const numeric = fields.filter((field) => !isKeptAsText(field))
  const openOut = (field: Field): Code => {
    const place = fields.indexOf(field)
    return js`const out${place} = ${storageOf(field) === 'bit' ? js`out.bits(${place})` : js`out.numbers(${place})`}`
  }
  return js`
    function give(g, k0, slots, first, end, out) {
      for (let j = first; j < end; j++) {
        const u0 = slots[j]
        ${emitter.hash()}
        ${emitter.probe()}
        if (a === 0) return -1
        ${emitter.promote()}
        found[j - first] = a
        ${LOCATE}
        if ((head & ${ONE_BYTE | BOXED}) !== ${ONE_BYTE}) return 0
      }
      ${numeric.map(openOut)}
      const ranks = out.numbers(${fields.length})
      let n = out.count
      for (let j = first; j < end; j++, n++) {
        const a = found[j - first]
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
