import { type Aggregate, fieldsAggregated } from '../../graph/verbs/kit/aggregate-fields.ts'
import { isKeptAsText } from '../../model/type-traits.ts'
import type { Field } from '../../model/schema.ts'
import { type Code, js, NOTHING } from '../emitter.ts'
import { ExpressionEmitter } from '../expression.ts'
import { declareByteKey } from '../keys/byte-key.ts'
import { HASH_BYTES } from '../keys/key-hash.ts'
import { byteKeyArguments } from '../keys/key-table-code.ts'
import { columnNames, openColumn, readValue, valueName } from '../rows/column-values.ts'
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
    fields.every((field) => !read.has(field.name) || !isKeptAsText(field))
  )
}

/** True when all results are numbers and booleans that no code of the user makes. */
export function resultsAreColumns(aggregates: readonly Aggregate[]): boolean {
  return aggregates.every((aggregate) => aggregate.function !== 'user' && !isKeptAsText(aggregate.field))
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
  // without texts their arguments are the same, and `find` does not look at the hash
  const find = keys.some(isKeptAsText) ? js`findBytes` : js`find`
  const places = needed.map((field) => fields.indexOf(field))
  return js`
    ${HASH_BYTES}
    ${codes.map(({ later }) => later?.declare ?? NOTHING)}
    function addColumns(batch, now, host, onError) {
      const columns = batch.columns, count = batch.count
      let ${places.flatMap((place) => columnNames(fields[place] as Field, place))}
      ${places.map((place) => openColumn(fields[place] as Field, place))}
      let i = 0
      while (i < count) {
        try {
          for (; i < count; i++) {
            ${places.filter((place) => !isKeptAsText(fields[place] as Field)).map((place) => readValue(fields[place] as Field, place))}
            ${expressions.declarations()}
            ${declared}
            ${declareByteKey(fields, keys, options.maxParallelism)}
            const s = host.groupAt(g), t = s.table, had = t.n, e = t.${find}(${byteKeyArguments(keys)})
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
