const SEED = 0x9747b28c
const M = 0x5bd1e995

/** The hash of Kafka's default partitioner (kafka: Utils.murmur2), as a signed 32-bit integer. */
export function murmur2(bytes: Buffer): number {
  const length = bytes.length
  let hash = SEED ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    let k = Math.imul(bytes.readInt32LE(at), M)
    k = Math.imul(k ^ (k >>> 24), M)
    hash = Math.imul(hash, M) ^ k
  }
  const rest = length - at
  if (rest >= 3) hash ^= (bytes[at + 2] ?? 0) << 16
  if (rest >= 2) hash ^= (bytes[at + 1] ?? 0) << 8
  if (rest >= 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), M)
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}

/** The partition that Java producers choose for a key, so that ours and theirs meet. */
export function partitionOfKey(key: Buffer, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}
