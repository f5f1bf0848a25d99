const double = new Float64Array(1)
const words = new Int32Array(double.buffer)

/** The finalizer "lowbias32" of Chris Wellons' hash prospector. */
export function mix32(value: number): number {
  let h = value
  h ^= h >>> 16
  h = Math.imul(h, 0x7feb352d)
  h ^= h >>> 15
  h = Math.imul(h, 0x846ca68b)
  return h ^ (h >>> 16)
}

/** 64 bits of a value's hash, as two int32. Part of the state of approxCountDistinct: it must never change. */
export const valueHash = { low: 0, high: 0 }

/** Sets valueHash; equal values give equal hashes in every process. */
export function hashValue(value: number | string | boolean): void {
  if (typeof value === 'string') return hashText(value)
  double[0] = Number(value)
  const low = words[0] ?? 0
  const high = words[1] ?? 0
  valueHash.low = mix32(low ^ mix32(high ^ 0x2545f491))
  valueHash.high = mix32((high + 0x3c6ef372) ^ mix32(low ^ 0x1b873593))
}

function hashText(text: string): void {
  let low = 0x811c9dc5 | 0
  let high = 0x9747b28c | 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    low = Math.imul(low ^ unit, 0x01000193)
    high = Math.imul(high ^ unit, 0x5bd1e995) ^ (high >>> 13)
  }
  valueHash.low = mix32(low)
  valueHash.high = mix32(high ^ text.length)
}
