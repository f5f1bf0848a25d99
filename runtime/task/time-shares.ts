import type { Metric } from '../telemetry/metric.ts'
import type { MetricRegistry } from '../telemetry/metric-registry.ts'
import type { Clock } from '../ports/clock.ts'

/** How the time of a subtask was spent since its attempt began, in milliseconds. What is left of `elapsed` was work. */
export interface TimeReading {
  readonly elapsed: number
  /** It waited for input. */
  readonly idle: number
  /** It waited for readers of its output. */
  readonly backpressured: number
}

type Wait = 'idle' | 'backpressured'

const BUSY: Metric = {
  name: 'millrace_operator_busy_seconds_total',
  type: 'counter',
  help: 'Time in which the subtask whose first operator this is worked',
  scope: 'subtask',
}

const IDLE: Metric = {
  name: 'millrace_operator_idle_seconds_total',
  type: 'counter',
  help: 'Time in which the subtask whose first operator this is waited for input',
  scope: 'subtask',
}

const BACKPRESSURED: Metric = {
  name: 'millrace_operator_backpressured_seconds_total',
  type: 'counter',
  help: 'Time in which the subtask whose first operator this is waited for readers of its output',
  scope: 'subtask',
}

/**
 * Measures how a subtask spends its time. Only waits are measured, so that work pays nothing for it; calls of the outside
 * that an operator, sink or source waits for count as work, since more slots make more of them (as in Flink's
 * busyTimeMsPerSecond).
 */
export class TimeShares {
  readonly #clock: Clock
  readonly #waited: Record<Wait, number> = { idle: 0, backpressured: 0 }
  #startedAt: number | undefined
  #waiting: { readonly wait: Wait; readonly since: number } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Called when the subtask's loop begins; what was before it does not count. */
  start(): void {
    this.#startedAt = this.#clock.now()
  }

  /** The subtask does nothing but wait for this. Never called while another wait lasts. */
  async during(wait: Wait, until: Promise<void>): Promise<void> {
    this.#waiting = { wait, since: this.#clock.now() }
    try {
      await until
    } finally {
      this.#waited[wait] += Math.max(0, this.#clock.now() - this.#waiting.since)
      this.#waiting = undefined
    }
  }

  /** A wait that lasts counts up to now. A clock that was set back makes a reading late, not negative. */
  read(): TimeReading {
    const now = this.#clock.now()
    const { idle, backpressured } = this.#waited
    const lasting = this.#waiting === undefined ? 0 : Math.max(0, now - this.#waiting.since)
    return {
      elapsed: Math.max(idle + backpressured, now - (this.#startedAt ?? now)),
      idle: idle + (this.#waiting?.wait === 'idle' ? lasting : 0),
      backpressured: backpressured + (this.#waiting?.wait === 'backpressured' ? lasting : 0),
    }
  }

  /** Declares the shares as metrics of the chain that begins with this operator. */
  collectInto(metrics: MetricRegistry, operator: string): void {
    const share = (of: (reading: TimeReading) => number) => () => [{ operator, value: of(this.read()) / 1000 }]
    metrics.collect(
      BUSY,
      share(({ elapsed, idle, backpressured }) => Math.max(0, elapsed - idle - backpressured)),
    )
    metrics.collect(
      IDLE,
      share(({ idle }) => idle),
    )
    metrics.collect(
      BACKPRESSURED,
      share(({ backpressured }) => backpressured),
    )
  }
}
