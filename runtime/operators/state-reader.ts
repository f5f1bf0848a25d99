import { loadOperators } from './load-operators.ts'
import type { Operator } from './operator.ts'
import { stateUnreadable } from './state-unreadable.ts'
import type { OperatorNode } from '../graph/job-graph.ts'
import type { Field, Schema } from '../model/schema.ts'
import type { Clock } from '../ports/clock.ts'
import { isTableBlock } from '../state/state-block.ts'
import { tableEntries, type StateEntry, type TypedRow } from '../state/state-entries.ts'

/** The operator that wrote a state, and the schemas of its inputs; undefined when the job can no longer be read. */
export type WrittenBy = { node: OperatorNode; inputs: readonly Schema[]; maxParallelism: number } | undefined

/**
 * The entries of one key group of an operator's state, from its blocks in the order in which a restore takes them.
 * Windows and aggregates come as the rows that they would put out now. Throws STATE_UNREADABLE where only the
 * running job could read the state, and what a restore would throw.
 */
export async function stateEntries(
  by: WrittenBy,
  group: number,
  blocks: readonly Uint8Array[],
  clock: Clock,
): Promise<StateEntry[]> {
  const inTables = blocks.every(isTableBlock)
  if (by === undefined) {
    if (inTables) return tableEntries(group, blocks)
    throw stateUnreadable(
      'the operator that wrote it is not known: this version does not take the job of the savepoint',
    )
  }
  const { node, inputs, maxParallelism } = by
  const operator = (await loadOperators([node.verb.kind])).find(node.verb.kind)
  if (operator !== undefined && inTables)
    return tableEntries(group, blocks).map((entry) => withMeanings(entry, by, operator))
  if (typeof operator?.stateEntries !== 'function')
    throw stateUnreadable(`operator ${node.id} is a ${node.verb.kind} and keeps none`)
  const input = (place: number): Schema => {
    const schema = inputs[place]
    if (schema === undefined) throw stateUnreadable(`${node.verb.kind} ${node.id} has ${inputs.length} inputs`)
    return schema
  }
  return operator.stateEntries(node.verb, { node, maxParallelism, clock, input }, group, blocks)
}

/** Blocks say only what JavaScript makes of a value: that a number is a date, and a text bytes, the job says. */
function withMeanings(entry: StateEntry, by: NonNullable<WrittenBy>, operator: Operator): StateEntry {
  const { node, inputs } = by
  const { stateEntries: reads } = operator
  const known = [...inputs, node.schema].flatMap(({ fields }) => fields)
  const declared = typeof reads === 'object' ? reads.declared(node.verb, entry.table) : undefined
  const meant = (typed: TypedRow | undefined, fields: readonly Field[]): TypedRow | undefined =>
    typed && {
      ...typed,
      fields: typed.fields.map(
        (field) =>
          fields.find(
            ({ name, type, nullable }) => name === field.name && type === field.type && nullable === field.nullable,
          ) ?? field,
      ),
    }
  const [key, member, value] = [
    meant(entry.key, known),
    meant(entry.member, declared?.userKey ?? known),
    meant(entry.value, declared?.schema.fields ?? known),
  ]
  return { ...entry, ...(key && { key }), ...(member && { member }), ...(value && { value }) }
}
