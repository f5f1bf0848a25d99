import { MillraceError } from '../../model/errors.ts'
import type { Field } from '../../model/schema.ts'
import type { KeyGrouper } from '../contracts.ts'
import { Emitter } from '../emitter.ts'
import { emitHashHelpers, keyGroupExpression, keyHashExpression } from './key-hash.ts'

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
  const code = new Emitter()
  emitHashHelpers(code)
  code.line(`return function groupKeys(rows, count, groups) {`)
  code.line(`for (let i = 0; i < count; i++) {`)
  code.line(`const r = rows[i]`)
  keyFields.forEach((field, index) => code.line(`const k${index} = r${code.property(field.name)}`))
  const hash = keyHashExpression(
    keyFields,
    keyFields.map((_, index) => `k${index}`),
  )
  code.line(`groups[i] = ${keyGroupExpression(hash, maxParallelism)}`)
  code.line(`} }`)
  return code.compile<KeyGrouper>({})
}
