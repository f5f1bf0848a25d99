import { Autoscaler } from '../../runtime/coordinator/autoscaler/autoscaler.ts'
import type { AutoscalerPolicy, ScalingProposal } from '../../runtime/control/job-report.ts'
import type { SubtaskMetrics } from '../../runtime/control/messages.ts'
import { subtaskId } from '../../runtime/model/ids.ts'
import type { ExecutionPlan } from '../../runtime/plan/execution-plan.ts'
import { ManualClock } from './manual-clock.ts'

/** A job of a source and a keyed chain behind it, as far as an autoscaler sees it. */
export interface ModelJob {
  /** Records a second that come to the source, at a second since the beginning. */
  arrivals: (second: number) => number
  /** How many records a second one slot can handle, working all the time. */
  sourceRate: number
  keyedRate: number
  /** Slots of the keyed chain that have work at all: one key with most of the records keeps it at 1. */
  usefulSlots?: number
  splits?: number
  /** False: the source does not know how many records wait. */
  knowsLag?: boolean
  /** False: proposals are only looked at. */
  applies?: boolean
  policy?: Partial<AutoscalerPolicy>
  /** Operators that may not be scaled. */
  pinned?: readonly string[]
  maxParallelism?: number
  slots?: { source: number; keyed: number }
}

export interface Change extends ScalingProposal {
  second: number
}

const PAUSE_SECONDS = 1

/** Runs the real autoscaler beside a model of a job whose proposals are applied at once. */
export class LoadModel {
  readonly #job: ModelJob
  readonly #clock = new ManualClock()
  readonly #autoscaler = new Autoscaler(this.#clock)
  readonly changes: Change[] = []
  #second = 0
  #attempt = 0
  #slots: { source: number; keyed: number }
  #lag = 0
  #read = { source: 0, keyed: 0 }
  /** By chain, milliseconds since the attempt began: work and waiting for readers. */
  #times = { elapsed: 0, source: 0, keyed: 0, backpressured: 0 }
  #pausedUntil = 0

  constructor(job: ModelJob) {
    this.#job = job
    this.#slots = job.slots ?? { source: 1, keyed: 1 }
    this.#autoscaler.setPolicy({
      operators: ['source', 'keyed'].filter((operator) => !(job.pinned ?? []).includes(operator)),
      minReplicas: 1,
      maxReplicas: 64,
      targetUtilization: 0.7,
      catchUpMs: 600_000,
      scaleDownAfterMs: 300_000,
      ...job.policy,
    })
    this.#deploy()
  }

  get slots(): { source: number; keyed: number } {
    return this.#slots
  }

  get lag(): number {
    return this.#lag
  }

  get second(): number {
    return this.#second
  }

  report(): ReturnType<Autoscaler['report']> {
    return this.#autoscaler.report()
  }

  async run(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left--) {
      this.#second += 1
      this.#work()
      this.#heartbeats()
      await this.#clock.advance(1000)
      this.#apply()
    }
  }

  #deploy(): void {
    this.#attempt += 1
    this.#read = { source: 0, keyed: 0 }
    this.#times = { elapsed: 0, source: 0, keyed: 0, backpressured: 0 }
    this.#autoscaler.begin({
      attempt: this.#attempt,
      plan: modelPlan(this.#slots, this.#job.maxParallelism ?? 128),
      splits: new Map([['source', this.#job.splits ?? Infinity]]),
    })
  }

  #work(): void {
    const { sourceRate, keyedRate, usefulSlots = Infinity } = this.#job
    this.#lag += this.#job.arrivals(this.#second)
    if (this.#second < this.#pausedUntil) return
    const bySource = sourceRate * Math.min(this.#slots.source, this.#job.splits ?? Infinity)
    const byKeyed = keyedRate * Math.min(this.#slots.keyed, usefulSlots)
    const read = Math.min(this.#lag, bySource, byKeyed)
    this.#lag -= read
    this.#read.source += read
    this.#read.keyed += read
    this.#times.elapsed += 1000
    const sourceBusy = read / (sourceRate * this.#slots.source)
    this.#times.source += sourceBusy * 1000
    this.#times.keyed += (read / (keyedRate * this.#slots.keyed)) * 1000
    if (read === byKeyed && read < bySource) this.#times.backpressured += (1 - sourceBusy) * 1000
  }

  #heartbeats(): void {
    for (const chain of ['source', 'keyed'] as const) {
      for (let slot = 0; slot < this.#slots[chain]; slot++)
        this.#autoscaler.observe(subtaskId(chain, slot), this.#metrics(chain))
    }
  }

  #metrics(chain: 'source' | 'keyed'): SubtaskMetrics {
    const { elapsed } = this.#times
    const backpressured = chain === 'source' ? this.#times.backpressured : 0
    const isSource = chain === 'source' && this.#job.knowsLag !== false
    return {
      attempt: this.#attempt,
      recordsIn: this.#read[chain] / this.#slots[chain],
      recordsOut: 0,
      badRecords: 0,
      lateRecords: 0,
      lastRecordAt: null,
      firstRecordAt: null,
      watermark: null,
      lagRecords: isSource ? this.#lag / this.#slots.source : null,
      // counted, so that rounding makes it no less than nothing
      time: { elapsed, idle: Math.max(0, elapsed - this.#times[chain] - backpressured), backpressured },
      trouble: null,
    }
  }

  #apply(): void {
    const { proposals } = this.#autoscaler.report()
    if (proposals.length === 0 || this.#job.applies === false) return
    for (const proposal of proposals) {
      this.changes.push({ ...proposal, second: this.#second })
      for (const chain of ['source', 'keyed'] as const)
        if (proposal.operators.includes(chain)) this.#slots = { ...this.#slots, [chain]: proposal.to }
    }
    this.#autoscaler.rest()
    this.#pausedUntil = this.#second + PAUSE_SECONDS
    this.#deploy()
  }
}

/** Only what the autoscaler reads of a plan. */
export function modelPlan(slots: { source: number; keyed: number }, maxParallelism: number): ExecutionPlan {
  const operator = (id: string, kind: string) => ({ id, verb: { kind } })
  return {
    chains: [
      { id: 'source', operators: [operator('source', 'source')], parallelism: slots.source },
      { id: 'keyed', operators: [operator('keyed', 'aggregate')], parallelism: slots.keyed },
    ],
    exchanges: [
      {
        id: 'source→keyed',
        producer: { chain: 'source', operator: 'source' },
        consumer: { chain: 'keyed', operator: 'keyed', input: 0 },
        partitioning: { kind: 'hash', keyBy: ['key'] },
        schema: { fields: [] },
      },
    ],
    maxParallelism,
  } as unknown as ExecutionPlan
}
