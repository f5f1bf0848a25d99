import type { SubtaskMetrics } from '../control/messages.ts'
import type { Attempt } from '../model/ids.ts'

/** Measures the pause of a switch or recovery: last record of one attempt to the first of the next. */
export class PauseClock {
  #attempt: Attempt = 0
  #lastRecordAt: number | null = null
  #before: number | null = null
  #lastPauseMs: number | null = null

  get lastPauseMs(): number | null { return this.#lastPauseMs }

  /** Facts from the workers' heartbeats; called as often as one likes. */
  observe(attempt: Attempt, metrics: readonly SubtaskMetrics[]): void {
    if (attempt > this.#attempt) {
      this.#before = this.#lastRecordAt
      this.#attempt = attempt
    }
    const firsts = metrics.map((metric) => metric.firstRecordAt).filter((time) => time !== null)
    if (this.#before !== null && firsts.length > 0) {
      this.#lastPauseMs = Math.max(0, Math.min(...firsts) - this.#before)
      this.#before = null
    }
    for (const { lastRecordAt } of metrics) {
      if (lastRecordAt !== null && lastRecordAt > (this.#lastRecordAt ?? 0)) this.#lastRecordAt = lastRecordAt
    }
  }
}
