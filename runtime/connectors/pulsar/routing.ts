/** How keys choose partitions; producers that share keys must agree. */
export type Hashing = 'javaStringHash' | 'murmur3'

/** Equal keys go to one partition, as Pulsar's clients choose it (RoundRobinPartitionMessageRouterImpl.java). */
export function partitionOfKey(key: string, partitions: number, hashing: Hashing): number {
  const hash = hashing === 'murmur3' ? murmur3(Buffer.from(key)) : javaHash(key)
  return (hash & 0x7fffffff) % partitions
}

/** String.hashCode of Java. */
function javaHash(text: string): number {
  let hash = 0
  for (let index = 0; index < text.length; index++) hash = (Math.imul(31, hash) + text.charCodeAt(index)) | 0
  return hash
}

/** MurmurHash3_x86_32 with seed 0 (Murmur3Hash32.java of apache/pulsar). */
function murmur3(bytes: Buffer): number {
  let hash = 0
  const whole = bytes.length - (bytes.length % 4)
  for (let at = 0; at < whole; at += 4) {
    hash ^= mixed(bytes.readInt32LE(at))
    hash = (Math.imul(rotated(hash, 13), 5) + 0xe6546b64) | 0
  }
  let tail = 0
  for (let at = bytes.length - 1; at >= whole; at--) tail = (tail << 8) | (bytes[at] ?? 0)
  hash ^= mixed(tail) ^ bytes.length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

function mixed(block: number): number {
  return Math.imul(rotated(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593)
}

function rotated(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}
