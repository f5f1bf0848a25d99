import type { Expression } from '../expressions/ast.ts'
import type { Field, Schema } from '../model/schema.ts'

/**
 * What the user wrote, checked and typed: the output of `validateJob` (job-spec.ts) and the input of the
 * execution plan. Every front end produces this. Operators stand in topological order.
 */
export interface JobGraph {
  operators: readonly OperatorNode[]
  parallelism: number
  maxParallelism: number
}

export interface OperatorNode {
  /** The user's id: state is matched by it for ever. */
  id: string
  /** Ids of the inputs; empty for a source; more than one is a union of equal schemas. */
  from: readonly string[]
  /** Schema of what comes out; a sink repeats its input's. */
  schema: Schema
  /** Own parallelism, when it differs from the job's default. */
  parallelism?: number
  /** Field names by which the input is partitioned; absent: no exchange is asked for. */
  keyBy?: readonly string[]
  verb: Verb
}

export type Verb =
  | SourceVerb
  | { kind: 'filter'; condition: Expression }
  /** A new row: its fields in schema order, each computed from the input row. `map` and `set` both end here. */
  | { kind: 'map'; fields: readonly { field: Field; value: Expression }[] }
  | { kind: 'keyBy' }
  | WindowVerb
  | { kind: 'sink'; connector: string; options: Readonly<Record<string, unknown>> }

export interface SourceVerb {
  kind: 'source'
  connector: string
  /** As written under the connector's name; checked by the connector's own options.ts. */
  options: Readonly<Record<string, unknown>>
  eventTime?: { field: string; outOfOrdernessMs: number }
  onError: ErrorPolicy
  /** Replay pace of a bounded source. */
  rate?: { kind: 'replay'; speed: number } | { kind: 'records'; perSecond: number }
}

/** What happens to a record that does not parse, lacks its event time, or makes an expression throw. */
export type ErrorPolicy =
  | { kind: 'fail' }
  | { kind: 'skip' }
  | { kind: 'deadLetter'; connector: string; options: Readonly<Record<string, unknown>> }

export interface WindowVerb {
  kind: 'window'
  /** A tumbling window has slideMs = sizeMs. Windows are aligned to the epoch: [start, start + sizeMs). */
  window: { sizeMs: number; slideMs: number }
  /**
   * The field of the input that carries its event time, followed by the validator from the source through
   * maps; behind another window it is `windowEnd` with offset -1 (the last instant of that window, as in Flink).
   */
  eventTime: { field: string; offsetMs: number }
  aggregates: readonly Aggregate[]
}

export interface Aggregate {
  /** The output field. */
  field: Field
  function: 'count' | 'sum' | 'min' | 'max' | 'avg'
  /** Absent for count(): rows are counted. Otherwise nulls are skipped. */
  argument?: Expression
}
