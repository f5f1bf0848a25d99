import type { Accumulator } from './accumulator.ts'

/** histogram: how many values lie in each of n equally wide buckets of [from, to), below, and at or above. */
export class Histogram implements Accumulator {
  readonly #from: number
  readonly #to: number
  readonly #perUnit: number
  /** below, the buckets, above */
  readonly #counts: Float64Array

  constructor(from: number, to: number, buckets: number) {
    this.#from = from
    this.#to = to
    this.#perUnit = buckets / (to - from)
    this.#counts = new Float64Array(buckets + 2)
  }

  add(value: number): void {
    const last = this.#counts.length - 1
    // rounding must not carry a value over either end
    const at =
      value < this.#from
        ? 0
        : value >= this.#to
          ? last
          : Math.min(Math.floor((value - this.#from) * this.#perUnit) + 1, last - 1)
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
  }

  merge(other: Histogram): void {
    for (let at = 0; at < this.#counts.length; at++)
      this.#counts[at] = (this.#counts[at] ?? 0) + (other.#counts[at] ?? 0)
  }

  result(): { below: number; counts: number[]; above: number } {
    const counts = [...this.#counts]
    return { below: counts[0] ?? 0, counts: counts.slice(1, -1), above: counts.at(-1) ?? 0 }
  }

  write(): Uint8Array {
    return new Uint8Array(this.#counts.buffer.slice(0))
  }

  /** Takes back what `write` gave, into an empty one of the same shape. */
  fill(bytes: Uint8Array): this {
    new Uint8Array(this.#counts.buffer).set(bytes)
    return this
  }
}
