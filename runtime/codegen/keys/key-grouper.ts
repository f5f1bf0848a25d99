import { MillraceError } from '../../model/errors.ts'
import type { Field } from '../../model/schema.ts'
import type { KeyGrouper } from '../contracts.ts'
import { compile, js, property } from '../emitter.ts'
import { HASH_HELPERS, keyGroup, keyHash } from './key-hash.ts'

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
