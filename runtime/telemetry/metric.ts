/** A metric, declared once, in the file that measures it. docs/metrics.md lists all; a test compares. */
export interface Metric {
  /** With the unit at its end, in base units: seconds, bytes, entries. */
  readonly name: `millrace_operator_${string}`
  readonly type: 'counter' | 'gauge'
  readonly help: string
  /** Whether the coordinator serves each subtask's value, labelled, or for each operator the sum over its subtasks. */
  readonly scope: 'subtask' | 'operator'
}

/** What a metric measures at one moment. */
export interface Reading {
  readonly operator: string
  /** Beside `operator` and `subtask`, which the coordinator adds. */
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

/** A reading as heartbeats carry it. It describes itself: the coordinator knows no metric of a worker by name. */
export interface Series extends Metric, Reading {}
