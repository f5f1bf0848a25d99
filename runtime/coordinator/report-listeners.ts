import { reportDigest } from '../control/report-digest.ts'
import type { JobReport } from '../control/job-report.ts'
import type { Clock } from '../ports/clock.ts'
import { sleep } from '../ports/clock.ts'

const LOOK_MS = 250
const LONGEST_WAIT_MS = 60_000
/** Operators listen, one at a time but for a handover. More are answered at once. */
const MOST_LISTENERS = 8

/** Lets an operator wait until the report of a job says something else, instead of asking again and again. */
export class ReportListeners {
  readonly #clock: Clock
  readonly #report: () => JobReport
  #waiting = 0
  #closed = false

  constructor(clock: Clock, report: () => JobReport) {
    this.#clock = clock
    this.#report = report
  }

  close(): void {
    this.#closed = true
  }

  /** Resolves with the report once its digest is not `digest` any more; undefined after `waitMs`, at most a minute. */
  async unlike(digest: string, waitMs: number): Promise<JobReport | undefined> {
    if (this.#waiting >= MOST_LISTENERS) return this.#report()
    this.#waiting += 1
    try {
      const until = this.#clock.now() + Math.min(waitMs, LONGEST_WAIT_MS)
      for (;;) {
        const report = this.#report()
        if (reportDigest(report) !== digest) return report
        const left = until - this.#clock.now()
        if (left <= 0 || this.#closed) return undefined
        await sleep(this.#clock, Math.min(left, LOOK_MS))
      }
    } finally {
      this.#waiting -= 1
    }
  }
}
