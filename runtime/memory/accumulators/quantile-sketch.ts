import type { Accumulator } from './accumulator.ts'

/** Values of one bin differ by at most this share from the value that stands for it. */
const ERROR = 0.01
const GAMMA = (1 + ERROR) / (1 - ERROR)
const PER_LOG = 1 / Math.log(GAMMA)

/**
 * percentile: DDSketch (Masson, Rim, Lee, VLDB 2019) with a relative error of 1 %: bin k holds values of (γ^(k−1),
 * γ^k], negative ones mirrored. Merging is exact, so the result does not depend on how rows were spread. Bins are
 * never collapsed: a double has at most 71 000 of them, values between 1 and 10^9 about 1 000.
 */
export class QuantileSketch implements Accumulator {
  #positive = new Map<number, number>()
  #negative = new Map<number, number>()
  #zeros = 0
  #count = 0
  #least = Infinity
  #most = -Infinity

  add(value: number): void {
    this.#count++
    if (value < this.#least) this.#least = value
    if (value > this.#most) this.#most = value
    if (value > 0) raise(this.#positive, binOf(value), 1)
    else if (value < 0) raise(this.#negative, binOf(-value), 1)
    else this.#zeros++
  }

  merge(other: QuantileSketch): void {
    for (const [bin, count] of other.#positive) raise(this.#positive, bin, count)
    for (const [bin, count] of other.#negative) raise(this.#negative, bin, count)
    this.#zeros += other.#zeros
    this.#count += other.#count
    this.#least = Math.min(this.#least, other.#least)
    this.#most = Math.max(this.#most, other.#most)
  }

  /** The value of rank ⌊share·(n−1)⌋, null when there is none; the least and the greatest are exact. */
  result(share: number): number | null {
    if (this.#count === 0) return null
    const rank = Math.floor(share * (this.#count - 1))
    if (rank === 0) return this.#least
    if (rank === this.#count - 1) return this.#most
    return Math.min(this.#most, Math.max(this.#least, this.#valueAt(rank)))
  }

  #valueAt(rank: number): number {
    let left = rank
    for (const [bin, count] of [...this.#negative].sort(([a], [b]) => b - a))
      if ((left -= count) < 0) return -valueOf(bin)
    if ((left -= this.#zeros) < 0) return 0
    for (const [bin, count] of [...this.#positive].sort(([a], [b]) => a - b))
      if ((left -= count) < 0) return valueOf(bin)
    return this.#most
  }

  write(): Uint8Array {
    const numbers = [
      this.#zeros,
      this.#count,
      this.#least,
      this.#most,
      this.#positive.size,
      ...[...this.#positive, ...this.#negative].flat(),
    ]
    return new Uint8Array(Float64Array.from(numbers).buffer)
  }

  static read(bytes: Uint8Array): QuantileSketch {
    const numbers = new Float64Array(new Uint8Array(bytes).buffer)
    const made = new QuantileSketch()
    const [zeros = 0, count = 0, least = Infinity, most = -Infinity, positive = 0] = numbers
    made.#zeros = zeros
    made.#count = count
    made.#least = least
    made.#most = most
    for (let at = 5; at < numbers.length; at += 2) {
      ;(at < 5 + positive * 2 ? made.#positive : made.#negative).set(numbers[at] ?? 0, numbers[at + 1] ?? 0)
    }
    return made
  }
}

function binOf(value: number): number {
  return Math.ceil(Math.log(value) * PER_LOG)
}

function valueOf(bin: number): number {
  return (2 * GAMMA ** bin) / (GAMMA + 1)
}

function raise(bins: Map<number, number>, bin: number, by: number): void {
  bins.set(bin, (bins.get(bin) ?? 0) + by)
}
