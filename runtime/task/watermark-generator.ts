import { MAX_TIMESTAMP, MIN_TIMESTAMP, type Timestamp } from '../model/time.ts'

/**
 * Bounded out-of-orderness per split, as Flink's BoundedOutOfOrdernessWatermarks: a split's watermark is its
 * largest event time − bound − 1; the source's is the smallest of its unfinished splits, and the end of time
 * when all have finished. Splits that have given nothing yet hold it back.
 */
export class WatermarkGenerator {
  readonly #outOfOrdernessMs: number
  readonly #largest = new Map<string, Timestamp>()
  #current: Timestamp = MIN_TIMESTAMP

  constructor(outOfOrdernessMs: number, splits: Iterable<string>) {
    this.#outOfOrdernessMs = outOfOrdernessMs
    for (const split of splits) this.#largest.set(split, MIN_TIMESTAMP)
  }

  onEventTime(split: string, largest: Timestamp): void {
    if (largest > (this.#largest.get(split) ?? MIN_TIMESTAMP)) this.#largest.set(split, largest)
  }

  /** A split that came to be later holds the watermark where it is until it has given something. */
  onAdded(split: string): void { this.#largest.set(split, MIN_TIMESTAMP) }

  onFinished(split: string): void { this.#largest.delete(split) }

  /** The new watermark when it has advanced since the last call. */
  advance(): Timestamp | undefined {
    let smallest = MAX_TIMESTAMP
    for (const largest of this.#largest.values()) smallest = Math.min(smallest, largest)
    const watermark = smallest === MAX_TIMESTAMP || smallest === MIN_TIMESTAMP ? smallest : smallest - this.#outOfOrdernessMs - 1
    if (watermark <= this.#current) return undefined
    this.#current = watermark
    return watermark
  }
}
