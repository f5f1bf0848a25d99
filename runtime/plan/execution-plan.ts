import { MillraceError } from '../model/errors.ts'
import type { OperatorNode } from '../graph/job-graph.ts'
import type { StateLimit } from '../graph/state-limit.ts'
import type { Schema } from '../model/schema.ts'
import type { ModuleSource } from '../model/user-module.ts'

/** Chains, slots and channels: what runs where. A pure function of the graph (`executionPlan`). */
export interface ExecutionPlan {
  chains: readonly Chain[]
  exchanges: readonly Exchange[]
  maxParallelism: number
  modules?: Readonly<Record<string, ModuleSource>>
  /** Absent: all state is in memory. */
  state?: StateLimit
}

/** Neighbouring operators that run as one subtask, in order; the first is a source or reads exchanges. */
export interface Chain {
  /** The id of its first operator. */
  id: string
  operators: readonly OperatorNode[]
  parallelism: number
}

/** An edge between chains. Channel (p, c) connects producer slot p with consumer slot c. */
export interface Exchange {
  /** `<producing operator>→<consuming operator>`; a side output is `<operator>.<output>`. */
  id: string
  /** The last operator of the producing chain (or an inner one that has several readers). */
  producer: { chain: string; operator: string; output?: string }
  /** `input` is the place in the consumer's `from`. */
  consumer: { chain: string; operator: string; input: number }
  partitioning: Partitioning
  /** Describes the rows that travel: the columns of the producer's rows that the consumer reads. */
  schema: Schema
}

export type Partitioning =
  /** Slot i to slot i; equal parallelism. */
  | { kind: 'forward' }
  /** Round robin over batches. */
  | { kind: 'rebalance' }
  | { kind: 'hash'; keyBy: readonly string[] }
  /** Every row to every slot. */
  | { kind: 'broadcast' }

/** Throws CHAIN_UNKNOWN. */
export function chainOf(plan: ExecutionPlan, id: string): Chain {
  const chain = plan.chains.find((candidate) => candidate.id === id)
  if (!chain) throw new MillraceError('CHAIN_UNKNOWN', `the plan has no chain ${id}`)
  return chain
}
