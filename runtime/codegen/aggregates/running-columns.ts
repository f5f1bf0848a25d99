import { type Aggregate, fieldsAggregated } from '../../graph/verbs/kit/aggregate-fields.ts'
import type { Field } from '../../model/schema.ts'
import { storageOf } from '../../model/type-traits.ts'
import { type Code, js, lines, NOTHING } from '../emitter.ts'
import { ExpressionEmitter } from '../expression.ts'
import { storedKey } from '../keys/key-columns.ts'
import { fieldHash, HASH_BYTES, hashOfHashes, keyGroup } from '../keys/key-hash.ts'
import { byteKeyArguments } from '../keys/key-table-code.ts'
import { addToKey, type AggregateCode } from './aggregate-code.ts'

export interface ColumnLoopOptions {
  fields: readonly Field[]
  keys: readonly Field[]
  aggregates: readonly Aggregate[]
  maxParallelism: number
}

/**
 * True when the rows of a batch are not needed to add it: aggregates read numbers and booleans only, and no code of the
 * user is called with a row.
 */
export function columnsSuffice({ fields, aggregates }: ColumnLoopOptions): boolean {
  const read = new Set(fieldsAggregated(aggregates))
  return (
    aggregates.every((aggregate) => aggregate.function !== 'user') &&
    fields.every((field) => !read.has(field.name) || isNumeric(field))
  )
}

/** True when all results are numbers and booleans that no code of the user makes. */
export function resultsAreColumns(aggregates: readonly Aggregate[]): boolean {
  return aggregates.every((aggregate) => aggregate.function !== 'user' && isNumeric(aggregate.field))
}

/**
 * `addColumns(batch, now, host, onError)`: adds the rows of a batch that has columns, of which no rows are made. Values
 * of a row are the variables r<place>, its key the arguments of findBytes. `before` and `after` stand before a row is
 * added to entry e of table t of group s, and behind it.
 */
export function addColumnsFunction(
  options: ColumnLoopOptions,
  codes: readonly AggregateCode[],
  { before, after }: { before: Code; after: Code },
): Code {
  const { fields, keys } = options
  const read = new Set(fieldsAggregated(options.aggregates))
  const needed = fields.filter((field) => read.has(field.name) || keys.includes(field))
  const expressions = new ExpressionEmitter(js`r`, {}, (_, name) =>
    valueName(fields.findIndex((field) => field.name === name)),
  )
  const declared = codes.map(({ declare }) => declare((expression) => expressions.emit(expression)))
  const places = needed.map((field) => fields.indexOf(field))
  return js`
    ${HASH_BYTES}
    ${codes.map(({ later }) => later?.declare ?? NOTHING)}
    function addColumns(batch, now, host, onError) {
      const columns = batch.columns, count = batch.count
      ${places.map((place) => openColumn(fields[place] as Field, place))}
      let i = 0
      while (i < count) {
        try {
          for (; i < count; i++) {
            ${places.map((place) => readValue(fields[place] as Field, place))}
            ${expressions.declarations()}
            ${declared}
            ${declareByteKey(options)}
            const s = host.groupAt(g), t = s.table, had = t.n, e = t.findBytes(${byteKeyArguments(keys)})
            ${before}
            ${addToKey(codes.map((code) => (code.later === undefined ? code : { ...code, store: code.later.note })))}
            ${after}
          }
        } catch (error) {
          onError(error, batch.rows()[i], operatorId)
          i++
        }
      }
      ${codes.map(({ later }) => later?.settle ?? NOTHING)}
    }`
}

function isNumeric(field: Field): boolean {
  return storageOf(field) === 'number' || storageOf(field) === 'bit'
}

function valueName(place: number): Code {
  return js`r${place}`
}

/** Declares the arrays of a column: c its values, n its nulls; of texts b the bytes and o the offsets. */
function openColumn(field: Field, place: number): Code {
  const nulls = field.nullable ? js`const n${place} = columns.nulls(${place})` : NOTHING
  if (!isNumeric(field))
    return lines([js`const { bytes: bytes${place}, offsets: offsets${place} } = columns.texts(${place})`, nulls])
  const values = storageOf(field) === 'bit' ? js`columns.bits(${place})` : js`columns.numbers(${place})`
  return lines([js`const c${place} = ${values}`, nulls])
}

function isNull(place: number): Code {
  return js`n${place} !== undefined && (n${place}[i >> 3] & 1 << (i & 7)) !== 0`
}

function readValue(field: Field, place: number): Code {
  if (!isNumeric(field)) return NOTHING
  const value = storageOf(field) === 'bit' ? js`c${place}[i] === 1` : js`c${place}[i]`
  return js`const ${valueName(place)} = ${field.nullable ? js`${isNull(place)} ? null : ${value}` : value}`
}

/** Declares the arguments of findBytes of row i, and its key group g. */
function declareByteKey({ fields, keys, maxParallelism }: ColumnLoopOptions): Code {
  const values = keys.map((field, index) => {
    const place = fields.indexOf(field)
    if (isNumeric(field)) return js`const v${index} = ${storedKey(field, valueName(place))}`
    const length = js`offsets${place}[i + 1] - from${index}`
    return js`
      const b${index} = bytes${place}, from${index} = offsets${place}[i]
      const length${index} = ${field.nullable ? js`${isNull(place)} ? -1 : ${length}` : length}`
  })
  const hashes = keys.map((field, index) =>
    isNumeric(field)
      ? fieldHash(field, valueName(fields.indexOf(field)))
      : js`hashBytes(b${index}, from${index}, length${index})`,
  )
  return js`
    ${values}
    const h = ${hashOfHashes(hashes)}
    const g = ${keyGroup(js`h`, maxParallelism)}`
}
