import { MAX_SERIES } from './checked-series.ts'
import type { Metric, Reading, Series } from './metric.ts'

/** The metrics of one subtask in one attempt. */
export class MetricRegistry {
  readonly #collectors: (() => Series[])[] = []

  /** From now on, `read` is called for every heartbeat: it must be cheap and must not throw. */
  collect(metric: Metric, read: () => Iterable<Reading>): void {
    this.#collectors.push(() => Array.from(read(), (reading) => ({ ...metric, ...reading })))
  }

  /** At most MAX_SERIES; those of the metrics that were declared last are left out. */
  series(): Series[] {
    return this.#collectors.flatMap((collect) => collect()).slice(0, MAX_SERIES)
  }
}
