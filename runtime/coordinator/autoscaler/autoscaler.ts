import type { AutoscalerPolicy, AutoscalerReport, ScalingProposal } from '../../control/job-report.ts'
import type { SubtaskMetrics } from '../../control/messages.ts'
import { policyDigest } from '../../control/digest.ts'
import { type Attempt, subtaskId, type SubtaskId } from '../../model/ids.ts'
import type { ExecutionPlan } from '../../plan/execution-plan.ts'
import type { Clock } from '../../ports/clock.ts'
import { type ChainLoad, LoadCounter } from './chain-load.ts'
import { type EarlierStep, type Interval, propose, type Scaling } from './propose.ts'
import { type ScalingUnit, scalingUnits, upstreamChains } from './scaling-units.ts'

const INTERVAL_MS = 5_000
/** An attempt first restores, compiles its loops and reads what came while it did not run. */
const WARM_UP_MS = 10_000
/** How long it is remembered that more slots brought nothing. */
const REMEMBER_MS = 10 * 60_000
const NOTHING: Scaling = { proposals: [], limits: [] }

/** What runs: an attempt, and how many splits each of its sources has (Infinity: one for each slot, however many). */
export interface ScaledAttempt {
  readonly attempt: Attempt
  readonly plan: ExecutionPlan
  readonly splits: ReadonlyMap<string, number>
}

interface Watched extends ScaledAttempt {
  isRunning: boolean
  readonly counter: LoadCounter
  /** Since it has warmed up, the newest last, as many as the policy looks back. */
  readonly intervals: Interval[]
}

/**
 * Watches the load of the running attempt and proposes other parallelisms, as long as there is a policy. What it knows is
 * in memory: a coordinator that restarts begins anew.
 */
export class Autoscaler {
  readonly #clock: Clock
  #policy: AutoscalerPolicy | undefined
  #watched: Watched | undefined
  #scaling: Scaling = NOTHING
  #earlier: (EarlierStep & { readonly until: number })[] = []
  #cancel: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The same policy again changes nothing; null: propose nothing. */
  setPolicy(policy: AutoscalerPolicy | null): void {
    if (policyDigest(policy) === policyDigest(this.#policy ?? null)) return
    if (policy === null) this.#earlier = []
    this.#policy = policy ?? undefined
    this.#scaling = NOTHING
    const watched = this.#watched
    if (watched?.isRunning !== true) return
    if (policy === null) this.rest()
    else if (this.#cancel === undefined) this.#watch(watched)
    else this.#consider(watched)
  }

  /** An attempt runs from now on. What was proposed for the one before may be what it is. */
  begin(next: ScaledAttempt): void {
    this.#remember(next)
    this.rest()
    this.#watched = { ...next, isRunning: true, counter: new LoadCounter(), intervals: [] }
    if (this.#policy !== undefined) this.#watch(this.#watched)
  }

  /** The attempt is over, or ends: it is watched no more. What it read last is remembered for the next one. */
  rest(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#scaling = NOTHING
    if (this.#watched !== undefined) this.#watched.isRunning = false
  }

  #watch(watched: Watched): void {
    watched.intervals.length = 0
    const tick = (): void => {
      this.#cancel = this.#clock.after(INTERVAL_MS, tick)
      this.#endInterval(watched)
    }
    this.#cancel = this.#clock.after(WARM_UP_MS, () => {
      watched.counter.endInterval()
      this.#cancel = this.#clock.after(INTERVAL_MS, tick)
    })
  }

  /** Heartbeats of other attempts change nothing. */
  observe(subtask: SubtaskId, metrics: SubtaskMetrics): void {
    if (metrics.attempt === this.#watched?.attempt) this.#watched.counter.observe(subtask, metrics)
  }

  report(): AutoscalerReport {
    return { policy: this.#policy === undefined ? null : policyDigest(this.#policy), ...this.#scaling }
  }

  #endInterval(watched: Watched): void {
    const { plan, counter, intervals } = watched
    const loads = plan.chains.flatMap((chain): [string, ChainLoad][] => {
      const subtasks = Array.from({ length: chain.parallelism }, (_, slot) => subtaskId(chain.id, slot))
      const load = counter.load(subtasks)
      return load === undefined ? [] : [[chain.id, load]]
    })
    counter.endInterval()
    intervals.push(new Map(loads))
    const kept = this.#policy === undefined ? 0 : downIntervals(this.#policy)
    intervals.splice(0, Math.max(0, intervals.length - kept))
    this.#consider(watched)
  }

  #consider(watched: Watched): void {
    const policy = this.#policy
    if (policy === undefined) return
    const now = this.#clock.now()
    this.#earlier = this.#earlier.filter(({ until }) => now < until)
    const scaling = propose({
      policy,
      units: this.#units(policy, watched),
      upstream: upstreamChains(watched.plan),
      intervals: watched.intervals,
      downIntervals: downIntervals(policy),
      maxParallelism: watched.plan.maxParallelism,
      earlier: this.#earlier,
    })
    // Figures in its words alone make no new proposal of one: whoever listens has heard it.
    const said = this.#scaling.proposals
    this.#scaling = {
      ...scaling,
      proposals: scaling.proposals.map((next) => said.find((one) => isSame(one, next)) ?? next),
    }
  }

  #units(policy: AutoscalerPolicy, { plan, splits }: ScaledAttempt): ScalingUnit[] {
    return scalingUnits(plan, new Set(policy.operators), (source) => splits.get(source) ?? Infinity)
  }

  /** A unit has more slots from now on: whether they help is seen by what it reads then. */
  #remember(next: ScaledAttempt): void {
    const [policy, watched] = [this.#policy, this.#watched]
    const load = watched?.intervals.at(-1)
    if (policy === undefined || watched === undefined || load === undefined) return
    const slotsNext = new Map(
      this.#units(policy, next).map(({ operators, slots }) => [operators.join(), slots] as const),
    )
    for (const { operators, chains, slots } of this.#units(policy, watched)) {
      const to = slotsNext.get(operators.join())
      if (to === undefined || to <= slots) continue
      const recordsPerSecond = chains.reduce((sum, chain) => sum + rateOf(load.get(chain)), 0)
      this.#earlier.push({ operators, from: slots, to, recordsPerSecond, until: this.#clock.now() + REMEMBER_MS })
    }
  }
}

function downIntervals({ scaleDownAfterMs }: AutoscalerPolicy): number {
  return Math.max(2, Math.ceil(scaleDownAfterMs / INTERVAL_MS))
}

function rateOf(load: ChainLoad | undefined): number {
  return load === undefined ? 0 : (load.recordsIn * 1000) / load.elapsedMs
}

function isSame(one: ScalingProposal, other: ScalingProposal): boolean {
  return one.from === other.from && one.to === other.to && one.operators.join() === other.operators.join()
}
