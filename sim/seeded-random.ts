/** Uniform in [0, 1), equal for equal seeds: mulberry32. */
export function mulberry(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x85ebca6b) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
