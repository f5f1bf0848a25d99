import { MillraceError } from '../../model/errors.ts'
import type { Field } from '../../model/schema.ts'
import { type Code, js } from '../emitter.ts'
import { storageOf } from '../../model/type-traits.ts'

/**
 * The hash of keys. It decides the place of state in every checkpoint ever written, so it must never change:
 *   mix32    the finalizer "lowbias32" of Chris Wellons' hash prospector (https://github.com/skeeto/hash-prospector)
 *   number   an int32: mix32(v); any other: mix32(low word ^ mix32(high word)) of its IEEE 754 bits; -0 counts as 0
 *   string   FNV-1a over UTF-16 code units (each 16-bit unit in one step), then mix32
 *   boolean  as the numbers 0 and 1
 *   null     0x9e3779b9
 *   several  h = hash of the first; then for each further field h = mix32(imul(h, 31) + hash of the field)
 * The key group is (h >>> 0) % maxParallelism.
 *
 * The functions that `keyHash` calls stand at the top of every generated unit instead of being called across units, so
 * that each stream has type feedback of its own (one stream of doubles would slow down all streams of small integers).
 */
export const HASH_HELPERS = js`
  const hashDouble = new Float64Array(1), hashWords = new Uint32Array(hashDouble.buffer)
  function mix32(h) {
    h ^= h >>> 16; h = Math.imul(h, 0x7feb352d)
    h ^= h >>> 15; h = Math.imul(h, 0x846ca68b)
    return h ^ h >>> 16
  }
  function hashNumber(v) {
    if ((v | 0) === v) return mix32(v | 0)
    hashDouble[0] = v
    return mix32(hashWords[0] ^ mix32(hashWords[1]))
  }
  function hashString(s) {
    let h = 0x811c9dc5 | 0
    for (let i = 0, n = s.length; i < n; i++) h = Math.imul(h ^ s.charCodeAt(i), 0x01000193)
    return mix32(h)
  }`

const NULL_HASH = js`(0x9e3779b9 | 0)`

/** The int32 hash of the key whose field values are `values`, in key order. Needs HASH_HELPERS. */
export function keyHash(keys: readonly Field[], values: readonly Code[]): Code {
  return hashOfHashes(keys.map((field, index) => fieldHash(field, values[index] ?? js`undefined`)))
}

/** The hash of a key from those of its fields, in key order. */
export function hashOfHashes(hashes: readonly Code[]): Code {
  return hashes.reduce((left, right) => js`mix32(Math.imul(${left}, 31) + ${right} | 0)`)
}

/** hashString of a text whose characters are the `length` bytes from `from` on; of length -1 the hash of null. */
export const HASH_BYTES = js`
  function hashBytes(bytes, from, length) {
    if (length < 0) return ${NULL_HASH}
    let h = 0x811c9dc5 | 0
    for (let i = from, end = from + length; i < end; i++) h = Math.imul(h ^ bytes[i], 0x01000193)
    return mix32(h)
  }`

/** The key group of a hash held in the variable; the same that a key grouper gives. */
export function keyGroup(hash: Code, maxParallelism: number): Code {
  const isPowerOfTwo = (maxParallelism & (maxParallelism - 1)) === 0
  return isPowerOfTwo ? js`${hash} & ${maxParallelism - 1}` : js`(${hash} >>> 0) % ${maxParallelism}`
}

/** The same outside of generated code. */
export function keyGroupOf(hash: number, maxParallelism: number): number {
  return (hash >>> 0) % maxParallelism
}

/** The hash of one field of a key. Needs HASH_HELPERS. */
export function fieldHash(field: Field, value: Code): Code {
  const hash = presentHash(field, value)
  return field.nullable ? js`(${value} === null ? ${NULL_HASH} : ${hash})` : hash
}

function presentHash(field: Field, value: Code): Code {
  switch (storageOf(field)) {
    case 'text':
      return js`hashString(${value})`
    case 'bit':
      return js`mix32(${value} ? 1 : 0)`
    case 'number':
      return js`hashNumber(${value})`
    case 'json':
      throw new MillraceError('KEY_TYPE_UNSUPPORTED', `field '${field.name}' is json and cannot be a key`, {
        domain: 'user',
        hint: 'compute a string or number from it with map and key by that',
      })
  }
}
