import { MillraceError } from '../../model/errors.ts'
import { isKeptAsText } from '../../model/type-traits.ts'
import type { Field } from '../../model/schema.ts'
import type { KeyGrouper } from '../contracts.ts'
import { compile, js, property } from '../emitter.ts'
import { columnNames, openColumn, readValue } from '../rows/column-values.ts'
import type { Columns } from '../../memory/batch.ts'
import { declareByteKey } from './byte-key.ts'
import { HASH_BYTES, HASH_HELPERS, keyGroup, keyHash } from './key-hash.ts'

/** As KeyGrouper, of the columns of a batch. */
export type ColumnGrouper = (columns: Columns, count: number, groups: Uint16Array) => void

/** The same for columns of a stream with these fields, of which `keyFields` are some. */
export function compileColumnGrouper(
  fields: readonly Field[],
  keyFields: readonly Field[],
  maxParallelism: number,
): ColumnGrouper {
  const places = keyFields.map((field) => fields.indexOf(field))
  const field = (place: number): Field => fields[place] as Field
  return compile<ColumnGrouper>(
    'key groups of columns',
    js`
      ${HASH_HELPERS}
      ${HASH_BYTES}
      return function groupColumns(columns, count, groups) {
        let ${places.flatMap((place) => columnNames(field(place), place))}
        ${places.map((place) => openColumn(field(place), place))}
        for (let i = 0; i < count; i++) {
          ${places.filter((place) => !isKeptAsText(field(place))).map((place) => readValue(field(place), place))}
          ${declareByteKey(fields, keyFields, maxParallelism)}
          groups[i] = g
        }
      }`,
  )
}

/**
 * Generates the function that gives each row its key group, by the hash documented in key-hash.ts.
 * `maxParallelism` is at most 65 536, so that groups fit a Uint16Array. Throws KEY_TYPE_UNSUPPORTED for json.
 */
export function compileKeyGrouper(keyFields: readonly Field[], maxParallelism: number): KeyGrouper {
  if (keyFields.length === 0) throw new MillraceError('KEY_MISSING', 'a key grouper needs at least one key field')
  if (!Number.isInteger(maxParallelism) || maxParallelism < 1 || maxParallelism > 65_536) {
    throw new MillraceError('MAX_PARALLELISM_INVALID', `maxParallelism ${maxParallelism} is not between 1 and 65536`, {
      domain: 'user',
    })
  }
  const values = keyFields.map((_, index) => js`k${index}`)
  const hash = keyHash(keyFields, values)
  return compile<KeyGrouper>(
    'key groups',
    js`
      ${HASH_HELPERS}
      return function groupKeys(rows, count, groups) {
        for (let i = 0; i < count; i++) {
          const r = rows[i]
          ${keyFields.map((field, index) => js`const k${index} = r${property(field.name)}`)}
          groups[i] = ${keyGroup(hash, maxParallelism)}
        }
      }`,
  )
}
