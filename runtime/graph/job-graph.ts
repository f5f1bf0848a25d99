import type { Expression } from '../expressions/ast.ts'
import type { Field, Schema } from '../model/schema.ts'
import type { FunctionRef, ModuleSource } from '../model/user-module.ts'
import type { AsyncMapVerb } from './verbs/async-map.ts'
import type { BroadcastVerb } from './verbs/broadcast.ts'
import type { DedupeVerb } from './verbs/dedupe.ts'
import type { FlatMapVerb } from './verbs/flat-map.ts'
import type { JoinVerb } from './verbs/join/join.ts'
import type { LookupVerb } from './verbs/join/lookup.ts'
import type { PatternVerb } from './verbs/pattern/pattern.ts'
import type { ProcessVerb } from './verbs/process.ts'
import type { ReduceVerb } from './verbs/reduce.ts'
import type { RunningAggregateVerb } from './verbs/running-aggregate.ts'
import type { SideOutputVerb } from './verbs/side-output.ts'
import type { StateLimit } from './state-limit.ts'
import type { TopNVerb } from './verbs/top-n.ts'
import type { WindowVerb } from './verbs/window.ts'

export const DEFAULT_MAX_PARALLELISM = 128
/** Key groups are numbered in 16 bits, as in Flink. */
export const LARGEST_MAX_PARALLELISM = 32_768

/**
 * What the user wrote, checked and typed: the output of `validateJob` (job-spec.ts) and the input of the
 * execution plan. Every front end produces this. Operators stand in topological order.
 */
export interface JobGraph {
  operators: readonly OperatorNode[]
  parallelism: number
  maxParallelism: number
  /** Where the user's functions lie, by the name of the module. */
  modules?: Readonly<Record<string, ModuleSource>>
  /** Absent: all state lies in memory. */
  state?: StateLimit
}

export interface OperatorNode {
  /** The user's id: state is matched by it for ever. */
  id: string
  /**
   * The inputs: ids of operators, or `id.output` for a side output. Empty for a source. What several mean is the
   * verb's.
   */
  from: readonly string[]
  /** Schema of what comes out; a sink repeats its input's. */
  schema: Schema
  /** Own parallelism, when it differs from the job's default. */
  parallelism?: number
  /** Schemas of what comes out of the side outputs, by name. */
  sideOutputs?: Readonly<Record<string, Schema>>
  /** Field names by which the inputs are partitioned; absent: no exchange is asked for. */
  keyBy?: readonly string[]
  /** Of operators whose inputs are spread in different ways, in the order of `from`; instead of keyBy. */
  distribution?: readonly Distribution[]
  verb: Verb
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
export function keysOfInput(node: OperatorNode, input: number): readonly string[] | undefined {
  const distribution = node.distribution?.[input]
  if (distribution !== undefined) return distribution.kind === 'hash' ? distribution.keyBy : undefined
  return node.keyBy
}

export type Verb =
  | SourceVerb
  | { kind: 'filter'; condition: Expression }
  /** A function of the user instead of an expression. */
  | { kind: 'userFilter'; function: FunctionRef }
  | { kind: 'userMap'; function: FunctionRef }
  /** A new row: its fields in schema order, each computed from the input row. `map` and `set` both end here. */
  | { kind: 'map'; fields: readonly { field: Field; value: Expression }[] }
  | { kind: 'keyBy' }
  | { kind: 'union' }
  | WindowVerb
  | RunningAggregateVerb
  | ReduceVerb
  | JoinVerb
  | LookupVerb
  | DedupeVerb
  | TopNVerb
  | PatternVerb
  | ProcessVerb
  | AsyncMapVerb
  | BroadcastVerb
  | FlatMapVerb
  | SideOutputVerb
  | { kind: 'sink'; connector: string; options: Readonly<Record<string, unknown>> }

export interface SourceVerb {
  kind: 'source'
  connector: string
  /** As written under the connector's name; checked by the connector's own options.ts. */
  options: Readonly<Record<string, unknown>>
  /** `idleAfterMs`: a split that gives nothing for so long no longer holds the watermark back. */
  eventTime?: { field: string; outOfOrdernessMs: number; idleAfterMs?: number; align?: WatermarkAlignment }
  onError: ErrorPolicy
  /** Replay pace of a bounded source. */
  rate?: { kind: 'replay'; speed: number } | { kind: 'records'; perSecond: number }
}

/** A split that is more than `maxDriftMs` ahead of the slowest one of all sources of the group waits for it. */
export interface WatermarkAlignment {
  group: string
  maxDriftMs: number
}

/** What happens to a record that does not parse, lacks its event time, or makes an expression throw. */
export type ErrorPolicy =
  | { kind: 'fail' }
  | { kind: 'skip' }
  | { kind: 'deadLetter'; connector: string; options: Readonly<Record<string, unknown>> }
