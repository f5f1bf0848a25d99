import type { SubtaskMetrics } from '../control/messages.ts'
import type { Attempt } from '../model/ids.ts'

/** Measures the pause of a switch or recovery: last record of one attempt to the first of the next. */
export class PauseClock {
  #attempt: Attempt = 0
  /** Newest record of the running attempt, and of the one before it. */
  #lastRecordAt: number | null = null
  #before: number | null = null
  #firstRecordAt: number | null = null
  #lastPauseMs: number | null = null

  /** The pause before that attempt; null until a record of it was seen, and when nothing ran before it. */
  pauseBefore(attempt: Attempt): number | null {
    return attempt === this.#attempt ? this.#lastPauseMs : null
  }

  /** Facts of one subtask, from its heartbeats and from the last one before it stops. */
  observe({ attempt, firstRecordAt, lastRecordAt }: SubtaskMetrics): void {
    if (attempt < this.#attempt || firstRecordAt === null || lastRecordAt === null) return
    if (attempt > this.#attempt) {
      this.#attempt = attempt
      this.#before = this.#lastRecordAt
      this.#firstRecordAt = null
      this.#lastPauseMs = null
    }
    this.#lastRecordAt = Math.max(this.#lastRecordAt ?? lastRecordAt, lastRecordAt)
    this.#firstRecordAt = Math.min(this.#firstRecordAt ?? firstRecordAt, firstRecordAt)
    if (this.#before !== null) this.#lastPauseMs = Math.max(0, this.#firstRecordAt - this.#before)
  }
}
