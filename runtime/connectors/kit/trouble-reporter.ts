import type { Clock } from '../../ports/clock.ts'

/** Shorter trouble, such as a change of leader, is not reported. */
const QUIET_MS = 3000

/** Reports trouble that lasts, once, and reports its end. */
export class TroubleReporter {
  readonly #clock: Clock
  readonly #report: (error: Error | null) => void
  #lastSuccess: number
  #reported = false

  constructor(clock: Clock, report: (error: Error | null) => void) {
    this.#clock = clock
    this.#report = report
    this.#lastSuccess = clock.now()
  }

  works(): void {
    this.#lastSuccess = this.#clock.now()
    if (!this.#reported) return
    this.#reported = false
    this.#report(null)
  }

  /** Called before the first try after a pause: the time in which nothing was tried does not count as trouble. */
  starts(): void {
    if (!this.#reported) this.#lastSuccess = this.#clock.now()
  }

  fails(error: Error): void {
    if (this.#clock.now() - this.#lastSuccess < QUIET_MS) return
    this.#reported = true
    this.#report(error)
  }
}
