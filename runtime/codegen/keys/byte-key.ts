import { isKeptAsText } from '../../model/type-traits.ts'
import type { Field } from '../../model/schema.ts'
import { type Code, js } from '../emitter.ts'
import { isNullAt, valueName } from '../rows/column-values.ts'
import { storedKey } from './key-columns.ts'
import { fieldHash, hashOfHashes, keyGroup } from './key-hash.ts'

/**
 * Declares the key of row i of columns: of texts their bytes (b, from, length; of null -1 bytes), the stored values of
 * the others (v), its hash h and its key group g. Values of numbers and booleans are read before; needs HASH_HELPERS and
 * HASH_BYTES.
 */
export function declareByteKey(fields: readonly Field[], keys: readonly Field[], maxParallelism: number): Code {
  const values = keys.map((field, index) => {
    const place = fields.indexOf(field)
    if (!isKeptAsText(field)) return js`const v${index} = ${storedKey(field, valueName(place))}`
    const length = js`ends${place}[i] - from${index}`
    return js`
      const b${index} = bytes${place}, from${index} = starts${place}[i]
      const length${index} = ${field.nullable ? js`${isNullAt(place)} ? -1 : ${length}` : length}`
  })
  const hashes = keys.map((field, index) =>
    !isKeptAsText(field)
      ? fieldHash(field, valueName(fields.indexOf(field)))
      : js`hashBytes(b${index}, from${index}, length${index})`,
  )
  return js`
    ${values}
    const h = ${hashOfHashes(hashes)}
    const g = ${keyGroup(js`h`, maxParallelism)}`
}
