import type { ExecutionPlan } from '../../plan/execution-plan.ts'

/** Chains that have the same number of slots for good: rows go from slot i of one to slot i of the next, in order. */
export interface ScalingUnit {
  readonly chains: readonly string[]
  readonly operators: readonly string[]
  readonly slots: number
  /** More slots would have nothing to read; Infinity: none of its chains begins with a source, or it takes any number. */
  readonly splits: number
}

/**
 * The units of a plan whose operators may all change, in the order of the plan. `splitsOf` says how many splits a source
 * has.
 */
export function scalingUnits(
  { chains, exchanges }: Pick<ExecutionPlan, 'chains' | 'exchanges'>,
  scalable: ReadonlySet<string>,
  splitsOf: (source: string) => number,
): ScalingUnit[] {
  const unitOf = new Map(chains.map(({ id }) => [id, id]))
  for (const { partitioning, producer, consumer } of exchanges) {
    if (partitioning.kind !== 'forward') continue
    const [kept, joined] = [unitOf.get(producer.chain), unitOf.get(consumer.chain)]
    for (const [chain, unit] of unitOf) if (unit === joined && kept !== undefined) unitOf.set(chain, kept)
  }
  const units = Map.groupBy(chains, ({ id }) => unitOf.get(id) ?? id)
  return [...units.values()]
    .map((members) => ({
      chains: members.map(({ id }) => id),
      operators: members.flatMap(({ operators }) => operators.map(({ id }) => id)),
      slots: members[0]?.parallelism ?? 1,
      splits: Math.min(
        ...members.flatMap(({ operators }) =>
          operators.flatMap(({ id, verb }) => (verb.kind === 'source' ? [splitsOf(id)] : [])),
        ),
      ),
    }))
    .filter(({ operators }) => operators.every((operator) => scalable.has(operator)))
}

/** For each chain in the order of the plan, in which chains stand behind those whose rows they read, the latter. */
export function upstreamChains({
  chains,
  exchanges,
}: Pick<ExecutionPlan, 'chains' | 'exchanges'>): ReadonlyMap<string, readonly string[]> {
  return new Map(
    chains.map(({ id }) => [
      id,
      exchanges.flatMap(({ producer, consumer }) => (consumer.chain === id ? [producer.chain] : [])),
    ]),
  )
}
