import { Counter, Gauge, Histogram, Registry } from 'prom-client'

export type PassResult = 'ok' | 'conflict' | 'error'

/** Prometheus metrics of the operator, all with the prefix `millrace_operator_`. */
export class OperatorMetrics {
  readonly registry = new Registry()
  readonly #reconciles: Counter
  readonly #reconcileSeconds: Histogram
  readonly #reconcileOwnSeconds: Histogram
  readonly #watchRestarts: Counter
  readonly #leader: Gauge
  readonly #operationSeconds: Histogram
  readonly #pauseSeconds: Histogram
  #jobs: () => ReadonlyMap<string, number> = () => new Map()

  constructor() {
    const registers = [this.registry]
    const jobs = (): ReadonlyMap<string, number> => this.#jobs()
    new Gauge({
      name: 'millrace_operator_jobs',
      help: 'StreamJobs by phase',
      labelNames: ['phase'],
      registers,
      collect() {
        this.reset()
        for (const [phase, count] of jobs()) this.set({ phase }, count)
      },
    })
    this.#reconciles = new Counter({
      name: 'millrace_operator_reconcile_total',
      help: 'Passes by controller and result',
      labelNames: ['controller', 'result'],
      registers,
    })
    this.#reconcileSeconds = new Histogram({
      name: 'millrace_operator_reconcile_duration_seconds',
      help: 'Duration of a pass',
      labelNames: ['controller'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
      registers,
    })
    this.#reconcileOwnSeconds = new Histogram({
      name: 'millrace_operator_reconcile_own_duration_seconds',
      help: 'Duration of a pass, less the time in which it waited for coordinators and for its turn after them',
      labelNames: ['controller'],
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10],
      registers,
    })
    this.#watchRestarts = new Counter({
      name: 'millrace_operator_watch_restarts_total',
      help: 'Watches begun again, by why they ended',
      labelNames: ['resource', 'reason'],
      registers,
    })
    this.#leader = new Gauge({ name: 'millrace_operator_leader', help: '1 when this process acts', registers })
    this.#operationSeconds = new Histogram({
      name: 'millrace_operator_operation_duration_seconds',
      help: 'Duration of an operation on a job',
      labelNames: ['type', 'result'],
      buckets: [1, 2, 5, 10, 30, 60, 120, 300, 600],
      registers,
    })
    this.#pauseSeconds = new Histogram({
      name: 'millrace_operator_operation_pause_seconds',
      help: 'Last record before to first record after an operation',
      labelNames: ['type'],
      buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60],
      registers,
    })
  }

  /** `asideMs`: of its duration, the part in which others had its place. */
  reconciled(
    controller: string,
    result: PassResult,
    { durationMs, asideMs }: { durationMs: number; asideMs: number },
  ): void {
    this.#reconciles.inc({ controller, result })
    this.#reconcileSeconds.observe({ controller }, durationMs / 1000)
    this.#reconcileOwnSeconds.observe({ controller }, Math.max(0, durationMs - asideMs) / 1000)
  }

  watchRestarted(resource: string, reason: string): void {
    this.#watchRestarts.inc({ resource, reason })
  }

  leading(isLeader: boolean): void {
    this.#leader.set(isLeader ? 1 : 0)
  }

  operationEnded(type: string, result: string, durationMs: number): void {
    this.#operationSeconds.observe({ type, result }, durationMs / 1000)
  }

  paused(type: string, pauseMs: number): void {
    this.#pauseSeconds.observe({ type }, pauseMs / 1000)
  }

  /** `read`: how many StreamJobs there are by phase, when scraped. */
  countJobs(read: () => ReadonlyMap<string, number>): void {
    this.#jobs = read
  }
}
