import type { Clock } from '../ports/clock.ts'

/** A source rests for so long at a time at most: barriers and the end of an attempt wait for nobody, but a lag shows. */
const LONGEST_REST_MS = 1_000

/**
 * Lets a source read for a share of the time only, until it is lifted: a job that dies again and again before a
 * checkpoint completes takes smaller bites. What a batch costs downstream counts as reading, since the loop of a subtask
 * does one thing at a time.
 */
export class SourcePace {
  readonly #clock: Clock
  #share: number
  #busySince: number | undefined
  #restUntil = -Infinity

  /** `share`: above 0, at most 1. */
  constructor(share: number, clock: Clock) {
    this.#share = share
    this.#clock = clock
  }

  /** How long no poll is due, in milliseconds; 0 when one is. */
  restMs(): number {
    if (this.#share === 1) return 0
    const now = this.#clock.now()
    const busyMs = this.#busySince === undefined ? 0 : now - this.#busySince
    // Shorter ones add up: the clock may be no finer.
    if (busyMs >= 1) {
      this.#busySince = undefined
      this.#restUntil = now + Math.min(LONGEST_REST_MS, busyMs * (1 / this.#share - 1))
    }
    return Math.max(0, this.#restUntil - now)
  }

  /** After each poll. */
  polled(outcome: 'rows' | 'nothing'): void {
    if (this.#share === 1) return
    this.#busySince = outcome === 'nothing' ? undefined : (this.#busySince ?? this.#clock.now())
  }

  lift(): void {
    this.#share = 1
  }
}
