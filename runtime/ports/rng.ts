/** Randomness: jitter and ids. A seed makes it repeatable in the simulation. */
export interface Rng {
  /** Uniform in [0, 1). */
  next(): number
  /** A fresh identifier of 16 hex digits. */
  id(): string
}
