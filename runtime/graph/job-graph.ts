import type { Schema } from '../model/schema.ts'
import type { ModuleSource } from '../model/user-module.ts'
import type { StateLimit } from './state-limit.ts'
import type { Verb } from './verbs/all.ts'
import type { ErrorPolicy } from './verbs/kit/error-policy.ts'

export const DEFAULT_MAX_PARALLELISM = 128
/** Key groups are numbered in 16 bits, as in Flink. */
export const LARGEST_MAX_PARALLELISM = 32_768

/**
 * A job as its user wrote it, checked and typed: every front end produces this, and everything behind it reads this.
 * Plain JSON data (encoded-graph.ts). Operators are in topological order.
 */
export interface JobGraph {
  operators: readonly OperatorNode[]
  parallelism: number
  maxParallelism: number
  checkpoints: CheckpointSettings
  /** Where the user's functions lie, by the name of the module. */
  modules?: Readonly<Record<string, ModuleSource>>
  /** Absent: all state is in memory. */
  state?: StateLimit
  /** The job fails at its end when an operator has skipped a larger share of its records (0 to 1); absent: the default. */
  maxBadShare?: number
}

export interface CheckpointSettings {
  intervalMs: number
  /** URL or path as written; absent: where the one who runs the job keeps checkpoints. */
  store?: string
}

/** What an operator does: plain JSON data. Each kind is defined in a file of `verbs/`. */
export interface VerbData {
  readonly kind: string
}

export interface OperatorNode<V extends VerbData = Verb> {
  /** The user's id: state is matched by it for ever. */
  id: string
  /**
   * The inputs: ids of operators, or `id.output` for a side output. Empty for a source. The verb defines what several
   * inputs mean.
   */
  from: readonly string[]
  /** Schema of what comes out; a sink repeats its input's. */
  schema: Schema
  /** As written; absent: what plan/effective-error-policy.ts says for the verb. */
  onError?: ErrorPolicy
  /** Own parallelism, when it differs from the job's default. */
  parallelism?: number
  /** Schemas of what comes out of the side outputs, by name. */
  sideOutputs?: Readonly<Record<string, Schema>>
  /** Field names by which the inputs are partitioned; absent: no exchange is asked for. */
  keyBy?: readonly string[]
  /** Replaces keyBy where the inputs of an operator are spread in different ways; in the order of `from`. */
  distribution?: readonly Distribution[]
  verb: V
}

/** How an input is spread over the slots of the operator that reads it. */
export type Distribution = { kind: 'hash'; keyBy: readonly string[] } | { kind: 'broadcast' } | { kind: 'any' }

/** The operator of an input as `from` names it: `late-ones.late` is an output of `late-ones`. */
export function operatorOfInput(input: string): string {
  return input.split('.', 1)[0] ?? input
}

/** The side output an input names. */
export function outputOfInput(input: string): string | undefined {
  return input.split('.')[1]
}

/** By which fields an input is hashed; undefined where it is not. */
export function keysOfInput(node: OperatorNode<VerbData>, input: number): readonly string[] | undefined {
  const distribution = node.distribution?.[input]
  if (distribution !== undefined) return distribution.kind === 'hash' ? distribution.keyBy : undefined
  return node.keyBy
}
