import { MIN_TIMESTAMP, type Timestamp } from '../model/time.ts'

/**
 * The watermark of several inputs is the smallest of theirs, idle ones left out; it never goes back. All idle is idle
 * (Flink's StatusWatermarkValve).
 */
export class WatermarkMerger {
  readonly #inputs: Timestamp[]
  readonly #idle: boolean[]
  #current: Timestamp = MIN_TIMESTAMP
  #isIdle = false

  constructor(inputs: number) {
    this.#inputs = new Array<Timestamp>(inputs).fill(MIN_TIMESTAMP)
    this.#idle = new Array<boolean>(inputs).fill(false)
  }

  get current(): Timestamp {
    return this.#current
  }

  /**
   * Returns the new merged watermark when it has advanced, or when time continues after idleness. A watermark that goes
   * back on an input changes nothing.
   */
  advance(input: number, time: Timestamp): Timestamp | undefined {
    this.#idle[input] = false
    if (time > (this.#inputs[input] ?? MIN_TIMESTAMP)) this.#inputs[input] = time
    return this.#merge()
  }

  /** The input has nothing to say for now. Returns what that makes of the whole. */
  idle(input: number): Timestamp | 'idle' | undefined {
    this.#idle[input] = true
    if (!this.#idle.every((idle) => idle)) return this.#merge()
    if (this.#isIdle) return undefined
    this.#isIdle = true
    return 'idle'
  }

  #merge(): Timestamp | undefined {
    const merged = Math.min(...this.#inputs.filter((_, input) => this.#idle[input] !== true))
    const wakes = this.#isIdle && merged > MIN_TIMESTAMP
    if (merged <= this.#current && !wakes) return undefined
    this.#isIdle = false
    this.#current = Math.max(this.#current, merged)
    return this.#current
  }
}
