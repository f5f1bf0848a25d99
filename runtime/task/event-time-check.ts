import { MIN_TIMESTAMP, type Timestamp } from '../model/time.ts'

/** 1980-01-01 and 2100-01-01. Seconds read as milliseconds are times of 1970, microseconds those of far futures. */
const USUAL = { from: 315_532_800_000, to: 4_102_444_800_000 }

/**
 * Reports the first time of a source that is so far off that its unit must be another one. Nothing else is wrong with
 * such a record: it is read, and its windows are those of its time.
 */
export class EventTimeCheck {
  readonly #report: (time: Timestamp, hint: string) => void
  #hasReported = false

  constructor(report: (time: Timestamp, hint: string) => void) {
    this.#report = report
  }

  /** Called with the largest event time of each batch; MIN_TIMESTAMP of one without any. */
  see(time: Timestamp): void {
    if (this.#hasReported || time === MIN_TIMESTAMP || (time >= USUAL.from && time <= USUAL.to)) return
    this.#hasReported = true
    this.#report(time, time < USUAL.from ? SECONDS : MICROSECONDS)
  }
}

const FORMS = 'a timestamp is milliseconds since the epoch, or an ISO 8601 text'
const SECONDS = `The records seem to have seconds; ${FORMS}: multiply by 1000 where the records are made.`
const MICROSECONDS = `The records seem to have micro- or nanoseconds; ${FORMS}: divide where the records are made.`
