import type { Clock } from '../ports/clock.ts'

/** As Flink's heartbeat.timeout: a machine that is short of time answers late, and a closed connection tells at once. */
export const DEFAULT_HEARTBEAT_TIMEOUT_MS = 50_000

/** A peer is silent when so many ticks in a row have heard nothing of it. */
const TICKS = 5

/**
 * Notices that a peer says nothing. It counts ticks of a timer and reads no clock: a step of the machine's time makes
 * nobody silent and hides nobody. A process that slept gets one tick when it wakes, and so hears what its peers have
 * said meanwhile before it calls them silent.
 */
export class SilenceWatch {
  readonly #clock: Clock
  readonly #tickMs: number
  readonly #onSilent: () => void
  #quietTicks = 0
  #cancel: () => void = () => undefined

  /** `onSilent` is called once, when the peer has said nothing for `timeoutMs`. */
  constructor(clock: Clock, timeoutMs: number, onSilent: () => void) {
    this.#clock = clock
    this.#tickMs = timeoutMs / TICKS
    this.#onSilent = onSilent
    this.#wait()
  }

  heard(): void {
    this.#quietTicks = 0
  }

  stop(): void {
    this.#cancel()
  }

  #wait(): void {
    this.#cancel = this.#clock.after(this.#tickMs, () => {
      this.#quietTicks += 1
      if (this.#quietTicks >= TICKS) this.#onSilent()
      else this.#wait()
    })
  }
}
