/**
 * The hash of codegen/keys/key-hash.ts once more, from its description and with BigInt and DataView instead of
 * tricks.
 */
export function plainKeyGroup(key: readonly unknown[], maxParallelism: number): number {
  const [first = 0, ...rest] = key.map(hash)
  return Number(
    BigInt(rest.reduce((h, next) => mix32(wrap(BigInt(h) * 31n + BigInt(next))), first)) % BigInt(maxParallelism),
  )
}

const wrap = (value: bigint): number => Number(BigInt.asUintN(32, value))

function mix32(value: number): number {
  let h = BigInt(value)
  h ^= h >> 16n
  h = BigInt.asUintN(32, h * 0x7feb352dn)
  h ^= h >> 15n
  h = BigInt.asUintN(32, h * 0x846ca68bn)
  return wrap(h ^ (h >> 16n))
}

function hash(value: unknown): number {
  if (value === null) return 0x9e3779b9
  if (typeof value === 'boolean') return mix32(value ? 1 : 0)
  if (typeof value === 'string') return hashText(value)
  const number = value as number
  if (Number.isInteger(number) && number >= -(2 ** 31) && number < 2 ** 31) return mix32(wrap(BigInt(number)))
  const bits = new DataView(new ArrayBuffer(8))
  bits.setFloat64(0, number)
  return mix32((bits.getUint32(4) ^ mix32(bits.getUint32(0))) >>> 0)
}

function hashText(text: string): number {
  let h = 0x811c9dc5n
  for (let i = 0; i < text.length; i++) h = BigInt.asUintN(32, (h ^ BigInt(text.charCodeAt(i))) * 0x01000193n)
  return mix32(Number(h))
}
