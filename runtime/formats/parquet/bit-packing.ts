import { varint } from './thrift-writer.ts'

/** Bits that hold every index below `count`. */
export function bitWidth(count: number): number {
  return Math.max(1, 32 - Math.clz32(Math.max(0, count - 1)))
}

/**
 * One run of Parquet's RLE/bit-packing hybrid (Encodings.md): `width` bits of each of the first `count` values, the
 * lowest first. A page whose values are all the same is one repeated run.
 */
export function packedRun(values: Uint32Array, count: number, width: number): Uint8Array {
  if (count === 0) return new Uint8Array(0)
  if (isConstant(values, count)) return repeatedRun(values[0] as number, count, width)
  const groups = (count + 7) >> 3
  const head = varint(groups * 2 + 1)
  const bytes = new Uint8Array(head.length + groups * width)
  bytes.set(head)
  let at = head.length
  let bits = 0
  let held = 0
  for (let i = 0; i < groups * 8; i++) {
    // at most 7 + 24 bits are held: dictionaries have fewer than 2^24 values
    bits |= (i < count ? (values[i] as number) : 0) << held
    for (held += width; held >= 8; held -= 8, bits >>>= 8) bytes[at++] = bits & 255
  }
  return bytes
}

/** The same value `count` times. */
export function repeatedRun(value: number, count: number, width: number): Uint8Array {
  const head = varint(count * 2)
  const bytes = new Uint8Array(head.length + ((width + 7) >> 3))
  bytes.set(head)
  for (let at = head.length, rest = value; at < bytes.length; at++, rest >>>= 8) bytes[at] = rest & 255
  return bytes
}

/** Bits that are packed already, `count` of them. */
export function packedBits(bits: Uint8Array, count: number): Uint8Array {
  const groups = (count + 7) >> 3
  const head = varint(groups * 2 + 1)
  const bytes = new Uint8Array(head.length + groups)
  bytes.set(head)
  bytes.set(bits.subarray(0, groups), head.length)
  return bytes
}

function isConstant(values: Uint32Array, count: number): boolean {
  for (let i = 1; i < count; i++) if (values[i] !== values[0]) return false
  return true
}
