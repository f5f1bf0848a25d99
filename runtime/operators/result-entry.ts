import type { OperatorNode } from '../graph/job-graph.ts'
import { fieldsOf, type Row } from '../model/schema.ts'
import type { StateEntry } from '../state/state-entries.ts'
import { stateUnreadable } from './state-unreadable.ts'

/** A row that an operator would put out now, as an entry of its state. */
export function resultEntry(table: string, { schema, keyBy = [] }: OperatorNode, row: Row): StateEntry {
  return {
    table,
    key: { fields: fieldsOf(schema, keyBy), row },
    value: { fields: schema.fields.filter(({ name }) => !keyBy.includes(name)), row },
  }
}

/** Throws STATE_UNREADABLE for aggregates whose state only functions of the user can read. */
export function refuseUserCode(aggregates: readonly { user?: unknown }[]): void {
  if (aggregates.some(({ user }) => user !== undefined))
    throw stateUnreadable("only the job's own code knows what an aggregate of its own keeps")
}
