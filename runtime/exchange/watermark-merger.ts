import { MIN_TIMESTAMP, type Timestamp } from '../model/time.ts'

/** The watermark of several inputs is the smallest of theirs; it never goes back. */
export class WatermarkMerger {
  readonly #inputs: Timestamp[]
  #current: Timestamp = MIN_TIMESTAMP

  constructor(inputs: number) { this.#inputs = new Array<Timestamp>(inputs).fill(MIN_TIMESTAMP) }

  get current(): Timestamp { return this.#current }

  /** Returns the new merged watermark when it has advanced. A watermark that goes back on one input is ignored. */
  advance(input: number, time: Timestamp): Timestamp | undefined {
    if (time <= (this.#inputs[input] ?? MIN_TIMESTAMP)) return undefined
    this.#inputs[input] = time
    const merged = Math.min(...this.#inputs)
    if (merged <= this.#current) return undefined
    this.#current = merged
    return merged
  }
}
