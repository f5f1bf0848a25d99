import type { Rng } from '../../ports/rng.ts'

const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 2000

/** Back-off with jitter: doubling from 50 ms to 2 s. */
export class Backoff {
  #waitMs = FIRST_WAIT_MS

  reset(): void {
    this.#waitMs = FIRST_WAIT_MS
  }

  nextMs(rng: Rng): number {
    const wait = this.#waitMs * (0.5 + rng.next() / 2)
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS)
    return wait
  }
}
