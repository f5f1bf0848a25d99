import type { Clock } from '../../ports/clock.ts'
import type { SystemReports } from '../system-reports.ts'

/** Shorter trouble, such as a change of leader, is not reported. */
const QUIET_MS = 3000

/** Counts calls of a system, reports trouble that lasts, once, and reports its end. */
export class TroubleReporter {
  readonly #clock: Clock
  readonly #reports: SystemReports
  #lastSuccess: number
  #reported = false

  constructor(clock: Clock, reports: SystemReports) {
    this.#clock = clock
    this.#reports = reports
    this.#lastSuccess = clock.now()
  }

  /** Called when the system has answered a call, which took this long. */
  answered(tookMs: number): void {
    this.#reports.calls?.answered(tookMs)
    this.works()
  }

  /** Called when the system shows that it works, though no call was answered. */
  works(): void {
    this.#lastSuccess = this.#clock.now()
    if (!this.#reported) return
    this.#reported = false
    this.#reports.reportTrouble(null)
  }

  /** Called before the first try after a pause: the time in which nothing was tried does not count as trouble. */
  starts(): void {
    if (!this.#reported) this.#lastSuccess = this.#clock.now()
  }

  /** Called when a call has failed. */
  fails(error: Error): void {
    this.#reports.calls?.failed()
    this.isSlow(error)
  }

  /** Called while a call goes on for so long that users wait for a reason. */
  isSlow(error: Error): void {
    if (this.#clock.now() - this.#lastSuccess < QUIET_MS) return
    this.#reported = true
    this.#reports.reportTrouble(error)
  }
}
