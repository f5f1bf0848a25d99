import type { Metric } from './metric.ts'
import type { MetricRegistry } from './metric-registry.ts'

const CALLS: Metric = {
  name: 'millrace_operator_calls_total',
  type: 'counter',
  help: 'Calls of the system that the operator uses, by their result; those that failed are tried again',
  scope: 'subtask',
}

const CALL_SECONDS: Metric = {
  name: 'millrace_operator_call_seconds_total',
  type: 'counter',
  help: 'Time that the answered calls took',
  scope: 'subtask',
}

/** Counts the calls that one operator makes of the system that it reads, writes or looks up. */
export class CallTally {
  #answered = 0
  #failed = 0
  #answeredMs = 0

  /** Called with each answer. A clock that was set back meanwhile counts as no time. */
  answered(tookMs: number): void {
    this.#answered += 1
    this.#answeredMs += Math.max(0, tookMs)
  }

  /** Called with each call that failed for a reason that may pass. */
  failed(): void {
    this.#failed += 1
  }

  /** Declares the counts as metrics; an operator that calls nobody has none. */
  collectInto(metrics: MetricRegistry, operator: string): void {
    metrics.collect(CALLS, () =>
      this.#whenCalled([
        { operator, labels: { result: 'answered' }, value: this.#answered },
        { operator, labels: { result: 'failed' }, value: this.#failed },
      ]),
    )
    metrics.collect(CALL_SECONDS, () => this.#whenCalled([{ operator, value: this.#answeredMs / 1000 }]))
  }

  #whenCalled<T>(readings: readonly T[]): readonly T[] {
    return this.#answered + this.#failed === 0 ? [] : readings
  }
}
