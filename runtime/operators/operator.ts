import type { OperatorNode, VerbData } from '../graph/job-graph.ts'
import type { Verb } from '../graph/verbs/all.ts'
import type { Field, Schema } from '../model/schema.ts'
import type { Clock } from '../ports/clock.ts'
import type { StateEntry } from '../state/state-entries.ts'
import type { OperatorContext } from './operator-context.ts'
import type { OperatorStage } from './stage.ts'

/**
 * What runs one verb: the export `operator` of `operators/<stage>/operator.ts`, where `stage` is what the definition of
 * the verb says. Loaded only by processes that run the verb, or read its state.
 */
export interface Operator<V extends VerbData = Verb> {
  /** The stage of one operator, its code generated for it alone. */
  createStage(verb: V, context: OperatorContext): OperatorStage
  /** How its state is shown as rows. */
  readonly stateEntries: 'none' | TableEntries<V> | StateReader<V>
}

/** State in blocks that say themselves what they hold, but for the meaning of their values. */
export interface TableEntries<V extends VerbData> {
  /** The second key and the row of a table that the job declares; undefined for tables of the operator's own. */
  declared(verb: V, table: string): { readonly userKey: readonly Field[]; readonly schema: Schema } | undefined
}

/**
 * Called with the blocks of one key group, in the order in which a restore takes them. Throws STATE_UNREADABLE where
 * only the running job could read them.
 */
export type StateReader<V extends VerbData> = (
  verb: V,
  by: StateWriter,
  group: number,
  blocks: readonly Uint8Array[],
) => StateEntry[] | Promise<StateEntry[]>

/** The operator that wrote a state, and the job around it. */
export interface StateWriter {
  readonly node: OperatorNode
  readonly maxParallelism: number
  readonly clock: Clock
  /** The schema of the input at that place of `from`. Throws STATE_UNREADABLE when there is none. */
  input(place: number): Schema
}
