import { mulberry } from '../../../sim/seeded-random.ts'

/** Draws from random numbers that a seed repeats. */
export class FuzzRandom {
  readonly #next: () => number

  /** Mutation `index` of a seed is the same whichever were made before it. */
  constructor(seed: number, index: number) {
    this.#next = mulberry(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b))
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    return Math.floor(this.#next() * limit)
  }

  /** One of the items, of which there is one at least. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }
}
