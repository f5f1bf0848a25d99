import type { SpillSettings } from '../memory/arena/cold-segments.ts'
import type { RowErrorHandler } from '../codegen/contracts.ts'
import type { RowClass } from '../codegen/rows/row.ts'
import type { Options } from '../graph/connector-declaration.ts'
import type { Field, Schema } from '../model/schema.ts'
import type { OperatorNode } from '../graph/job-graph.ts'
import type { Clock } from '../ports/clock.ts'
import type { HttpClient } from '../ports/http-client.ts'
import type { Table, TableKey } from '../ports/table.ts'
import type { MetricRegistry } from '../telemetry/metric-registry.ts'
import type { Stage } from './stage.ts'
import type { UserFunctions } from './user-functions.ts'

/** A stream as generated code sees it: decoded rows are instances of the class. */
export interface StreamCode {
  schema: Schema
  rowClass: RowClass
}

/** A table of a connector, and what is looked up in it. */
export interface TableAsked {
  readonly connector: string
  readonly options: Options
  readonly operatorId: string
  readonly key: readonly TableKey[]
  /** The columns that are wanted, with the types that their values must have in a row. */
  readonly output: readonly Field[]
}

/** What an operator's stage is made from, and all it may touch of the world. */
export interface OperatorContext {
  node: OperatorNode
  /** In the order of `node.from`; a chained operator has one. */
  inputs: readonly StreamCode[]
  /** Makes rows of `node.schema`. */
  output: StreamCode
  /** Takes what comes out. */
  next: Stage
  /**
   * The stage behind a named side output; undefined when nobody reads it. Its watermarks are not the operator's
   * business.
   */
  side(name: string): Stage | undefined
  /** Tells those who read a side output apart from others: another text when what stands behind it is another. */
  readersOf(name: string): string
  /** Which of how many slots this is. */
  slot: number
  parallelism: number
  maxParallelism: number
  /** The limit of the rows that the operator keeps in memory; absent: no limit. */
  spill?: SpillSettings | undefined
  /** Reads time; anything timed goes through `after`. */
  clock: Clock
  /**
   * Processing time: `action` runs once, between two batches of this subtask and never during one, at the earliest
   * after
   * `delayMs`. An error of it fails the subtask. Nothing runs any more once the attempt has ended. Returns how to
   * cancel.
   */
  after(delayMs: number, action: () => Promise<void>): () => void
  /** The user's code, loaded. */
  functions: UserFunctions
  httpClient: HttpClient
  /** Opens a table of a connector for this operator. Rejects as TableConnector.open does. */
  openTable(call: TableAsked): Promise<Table>
  /** Aborts when the attempt ends: everything that waits for the outside then stops waiting. */
  stopping: AbortSignal
  /** Where the operator's own metrics are declared. */
  metrics: MetricRegistry
  /** Code of the user held up everything else in this process for so long. `name` is the function's. */
  onBlocked(operatorId: string, name: string, ms: number): void
  /** Rows that make an operator throw: its `onError` decides (plan/effective-error-policy.ts). */
  onError: RowErrorHandler
  /** Rows that came too late. */
  onLate(count: number): void
}
