/** MurmurHash2, 64-bit version for 64-bit machines (MurmurHash64A), as Kudu's src/kudu/util/hash_util.h has it. */

const M_HIGH = 0xc6a4a793
const M_LOW = 0x5bd1e995
const M_LOW_0 = M_LOW & 0xffff
const M_LOW_1 = M_LOW >>> 16

/** A product of 64 bits, in halves: JavaScript's numbers hold no 64-bit integer, and BigInt costs ten times as much. */
let high = 0
let low = 0

function multiply(aHigh: number, aLow: number): void {
  const a0 = aLow & 0xffff
  const a1 = aLow >>> 16
  const p00 = a0 * M_LOW_0
  const p01 = a0 * M_LOW_1
  const p10 = a1 * M_LOW_0
  const middle = Math.floor(p00 / 65_536) + (p01 % 65_536) + (p10 % 65_536)
  const carried = a1 * M_LOW_1 + Math.floor(p01 / 65_536) + Math.floor(p10 / 65_536) + Math.floor(middle / 65_536)
  low = ((p00 & 0xffff) | (middle << 16)) >>> 0
  high = (carried + Math.imul(aHigh, M_LOW) + Math.imul(aLow, M_HIGH)) >>> 0
}

/** x ^= x >>> 47 */
function fold(): void {
  low = (low ^ (high >>> 15)) >>> 0
}

/** The hash of bytes[0..length) modulo `buckets`, which is below 2^20. */
export function hashBucket(bytes: Uint8Array, length: number, seed: number, buckets: number): number {
  multiply(0, length)
  let hashHigh = high
  let hashLow = (low ^ seed) >>> 0
  const whole = length - (length % 8)
  for (let at = 0; at < whole; at += 8) {
    multiply(word(bytes, at + 4), word(bytes, at))
    fold()
    multiply(high, low)
    multiply((hashHigh ^ high) >>> 0, (hashLow ^ low) >>> 0)
    hashHigh = high
    hashLow = low
  }
  if (whole < length) {
    let restHigh = 0
    let restLow = 0
    for (let at = length - 1; at >= whole; at--) {
      restHigh = ((restHigh << 8) | (restLow >>> 24)) >>> 0
      restLow = ((restLow << 8) | (bytes[at] ?? 0)) >>> 0
    }
    multiply((hashHigh ^ restHigh) >>> 0, (hashLow ^ restLow) >>> 0)
    hashHigh = high
    hashLow = low
  }
  high = hashHigh
  low = hashLow
  fold()
  multiply(high, low)
  fold()
  return ((high % buckets) * (4_294_967_296 % buckets) + low) % buckets
}

function word(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0
  )
}

/** The whole hash, for tests against the vectors of Kudu. */
export function murmur2(bytes: Uint8Array, seed: number): bigint {
  hashBucket(bytes, bytes.length, seed, 1)
  return (BigInt(high) << 32n) | BigInt(low)
}
