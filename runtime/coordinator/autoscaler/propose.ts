import type { AutoscalerPolicy, ScalingLimit, ScalingProposal } from '../../control/job-report.ts'
import type { ChainLoad } from './chain-load.ts'
import type { ScalingUnit } from './scaling-units.ts'

/** More slots are proposed when so many intervals in a row ask for them: one alone is noise. */
export const UP_INTERVALS = 2
/** Utilization may be so far above what is wanted before more slots are proposed, and below before fewer are. */
const ABOVE = 0.1
const BELOW = 0.3
/** No observation says that more than this times the records would come. */
const MOST_FACTOR = 10
/** Where nobody knows how many records wait, busy slots become so many times as many in one step. */
const MOST_BLIND_STEP = 2
/** Of the growth that more slots should have brought, this share must have come, or still more are of no use. */
const LEAST_GAIN = 0.1

/** The loads of all chains in one interval, by chain; chains that reported nothing are missing. */
export type Interval = ReadonlyMap<string, ChainLoad>

/** More slots were given to a unit, and what its chains read until then. */
export interface EarlierStep {
  readonly operators: readonly string[]
  readonly from: number
  readonly to: number
  /** Records a second, summed over the chains of the unit. */
  readonly recordsPerSecond: number
}

export interface ScalingFacts {
  readonly policy: AutoscalerPolicy
  readonly units: readonly ScalingUnit[]
  /** As `upstreamChains` gives it. */
  readonly upstream: ReadonlyMap<string, readonly string[]>
  /** Of the running attempt since it has warmed up, the newest last. */
  readonly intervals: readonly Interval[]
  /** How many intervals `policy.scaleDownAfterMs` is. */
  readonly downIntervals: number
  readonly maxParallelism: number
  readonly earlier: readonly EarlierStep[]
}

export interface Scaling {
  readonly proposals: readonly ScalingProposal[]
  readonly limits: readonly ScalingLimit[]
}

/** What one interval asks for in one unit. */
interface Demand {
  /** Slots that would work for the wanted share of their time, if the records came that wait to. */
  readonly slots: number
  /** The utilization that the present slots would have then; above 1 they cannot. */
  readonly utilization: number
  /** The share of their time in which they worked. */
  readonly busy: number
  /** How many times the records that were read should be read. */
  readonly factor: number
  readonly recordsPerSecond: number
}

/**
 * How many slots each unit should have, by the work it does and the records that wait for it. Work grows with the records,
 * so what a unit needs is what it works now times how many times the records of now should come (the model of "Three steps
 * is all you need", Kalavri et al., OSDI 2018, which Flink's autoscaler follows, too). More slots follow two intervals in a
 * row, fewer only when all of `downIntervals` would have been content with them, so noise moves nothing. Pure.
 */
export function propose(facts: ScalingFacts): Scaling {
  const seen = facts.intervals.map((interval) => ({ interval, factors: factorsOf(interval, facts) }))
  const scalings = facts.units.map((unit) => {
    const demands = seen.map(({ interval, factors }) => demandOf(unit, interval, { factors, policy: facts.policy }))
    return proposeFor(unit, demands, facts)
  })
  return {
    proposals: scalings.flatMap(({ proposals }) => proposals),
    limits: scalings.flatMap(({ limits }) => limits),
  }
}

const NOTHING: Scaling = { proposals: [], limits: [] }

/** `demands` are those of the intervals; undefined where an interval does not tell. */
function proposeFor(unit: ScalingUnit, demands: readonly (Demand | undefined)[], facts: ScalingFacts): Scaling {
  const { policy, downIntervals } = facts
  const newest = demands.slice(-UP_INTERVALS).filter((demand) => demand !== undefined)
  const isPressed = newest.every(({ utilization }) => utilization > policy.targetUtilization + ABOVE)
  if (newest.length === UP_INTERVALS && isPressed) return more(unit, newest.at(-1), facts)
  const window = demands.slice(-downIntervals).filter((demand) => demand !== undefined)
  if (window.length < downIntervals) return NOTHING
  const highest = window.reduce((a, b) => (a.utilization > b.utilization ? a : b))
  return highest.utilization < policy.targetUtilization - BELOW ? fewer(unit, highest, facts) : NOTHING
}

function more(unit: ScalingUnit, demand: Demand | undefined, facts: ScalingFacts): Scaling {
  if (demand === undefined) return NOTHING
  const needed = wholeSlots(demand)
  const most = Math.min(facts.policy.maxReplicas, unit.splits, facts.maxParallelism)
  const to = evenSlots(Math.min(needed, most), most, facts.maxParallelism)
  const limits = needed > most ? [limitOf(unit, most)] : []
  if (to <= unit.slots) return { proposals: [], limits }
  const useless = facts.earlier.find((step) => isUseless(step, unit, demand))
  if (useless !== undefined) return { proposals: [], limits: [ineffective(unit, useless)] }
  return { proposals: [proposal(unit, to, demand, facts.policy)], limits }
}

function fewer(unit: ScalingUnit, highest: Demand, facts: ScalingFacts): Scaling {
  const { minReplicas, maxReplicas } = facts.policy
  const needed = Math.min(maxReplicas, Math.max(minReplicas, wholeSlots(highest)))
  const to = Math.max(minReplicas, evenSlots(needed, unit.slots, facts.maxParallelism))
  return to < unit.slots ? { proposals: [proposal(unit, to, highest, facts.policy)], limits: [] } : NOTHING
}

/** What is not a whole number for rounding alone is one. */
function wholeSlots({ slots }: Demand): number {
  return Math.ceil(slots - 1e-9)
}

/** Key groups are distributed evenly to the smallest divisor of their number from `needed` to `most`, where there is one. */
function evenSlots(needed: number, most: number, keyGroups: number): number {
  for (let slots = Math.max(1, needed); slots <= most; slots++) if (keyGroups % slots === 0) return slots
  return Math.max(1, needed)
}

/** Undefined when the interval says nothing: a chain did not report, or reads nothing of what waits. */
function demandOf(
  unit: ScalingUnit,
  interval: Interval,
  { factors, policy }: { factors: ReadonlyMap<string, number | undefined>; policy: AutoscalerPolicy },
): Demand | undefined {
  let slots = 0
  let busy = 0
  let utilization = 0
  let most = 0
  let recordsPerSecond = 0
  for (const chain of unit.chains) {
    const load = interval.get(chain)
    const factor = factors.get(chain)
    if (load === undefined || load.slots < unit.slots || factor === undefined) return undefined
    const needed = (load.busySlots * factor) / policy.targetUtilization
    slots = Math.max(slots, needed)
    busy = Math.max(busy, load.busySlots / load.slots)
    utilization = Math.max(utilization, (load.busySlots * factor) / load.slots)
    most = Math.max(most, factor)
    recordsPerSecond += (load.recordsIn * 1000) / load.elapsedMs
  }
  return { slots, busy, utilization, factor: most, recordsPerSecond }
}

/**
 * How many times the records that each chain read it should read: for a source by its lag, for the others as many times
 * as those that they read from. Undefined where the interval does not tell.
 */
function factorsOf(interval: Interval, { upstream, policy }: ScalingFacts): ReadonlyMap<string, number | undefined> {
  const factors = new Map<string, number | undefined>()
  for (const [chain, before] of upstream) {
    const known = before.map((one) => factors.get(one)).filter((factor) => factor !== undefined)
    if (before.length === 0) factors.set(chain, sourceFactor(interval.get(chain), policy))
    else factors.set(chain, known.length < before.length ? undefined : Math.max(...known))
  }
  return factors
}

function sourceFactor(
  load: ChainLoad | undefined,
  { catchUpMs, targetUtilization }: AutoscalerPolicy,
): number | undefined {
  if (load === undefined) return undefined
  const { lag, recordsIn, elapsedMs, backpressured } = load
  if (lag === null) return Math.min(Math.max(1, MOST_BLIND_STEP * targetUtilization), 1 / (1 - backpressured))
  const wanted = Math.max(0, recordsIn + lag.growth) + (lag.records * elapsedMs) / catchUpMs
  if (recordsIn === 0) return lag.records === 0 ? 1 : undefined
  return Math.min(MOST_FACTOR, wanted / recordsIn)
}

function isUseless({ operators, from, to, recordsPerSecond }: EarlierStep, unit: ScalingUnit, demand: Demand): boolean {
  if (to !== unit.slots || operators.join() !== unit.operators.join()) return false
  return demand.recordsPerSecond < recordsPerSecond * (1 + (to / from - 1) * LEAST_GAIN)
}

function proposal(unit: ScalingUnit, to: number, demand: Demand, policy: AutoscalerPolicy): ScalingProposal {
  const { operators, slots } = unit
  const coming = demand.factor > 1.05 ? ` and records are to be read ${demand.factor.toFixed(1)} times as fast` : ''
  return {
    operators,
    from: slots,
    to,
    because: `${slots} ${slots === 1 ? 'slot is' : 'slots are'} busy for ${percent(demand.busy)} of the time${coming}: for ${percent(policy.targetUtilization)} it takes ${demand.slots.toFixed(1)}.`,
  }
}

function limitOf({ operators, splits, slots }: ScalingUnit, most: number): ScalingLimit {
  const needs = `${operators[0] ?? ''} has ${slots} slots and needs more than ${most}`
  return most === splits
    ? { operators, reason: 'AtSplits', message: `${needs}: its source has no more splits (partitions of a topic).` }
    : { operators, reason: 'AtMax', message: `${needs}: raise spec.autoscaler.maxReplicas.` }
}

function ineffective({ operators }: ScalingUnit, { from, to }: EarlierStep): ScalingLimit {
  return {
    operators,
    reason: 'Ineffective',
    message: `${operators[0] ?? ''} reads no more with ${to} slots than with ${from}: what holds it up is elsewhere (one key with most of the records, a system outside), so it gets no more of them.`,
  }
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
