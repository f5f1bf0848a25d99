import { RunningAggregates } from './running-aggregates.ts'
import type { StateWriter } from '../operator.ts'
import { refuseUserCode, resultEntry } from '../result-entry.ts'
import { compileRowClass } from '../../codegen/rows/row.ts'
import type { RunningAggregateVerb } from '../../graph/verbs/running-aggregate.ts'
import type { WindowVerb } from '../../graph/verbs/window.ts'
import { fieldsOf } from '../../model/schema.ts'
import { RestoredTables } from '../../state/restored-tables.ts'
import type { StateEntry } from '../../state/state-entries.ts'

/** The aggregates of every key as the rows they would put out now. */
export function aggregateEntries(
  verb: RunningAggregateVerb | WindowVerb,
  { node, input: inputOf, maxParallelism }: StateWriter,
  group: number,
  blocks: readonly Uint8Array[],
): StateEntry[] {
  const input = inputOf(0)
  refuseUserCode(verb.aggregates)
  const ttlMs = verb.kind === 'aggregate' ? verb.ttlMs : undefined
  const table = new RunningAggregates({
    keys: fieldsOf(input, node.keyBy ?? []),
    aggregates: verb.aggregates,
    emission: { kind: verb.kind === 'aggregate' && verb.emit.kind === 'everyRow' ? 'everyRow' : 'changed' },
    inputSchema: input,
    outputRowClass: compileRowClass(node.schema),
    maxParallelism,
    operatorId: node.id,
    ...(ttlMs === undefined ? {} : { ttlMs }),
  })
  const restored = new RestoredTables(table)
  for (const block of blocks) restored.add(group, block)
  restored.finish()
  const entries: StateEntry[] = []
  table.takeAll(
    0,
    Infinity,
    (rows, count) => {
      for (const row of rows.slice(0, count)) entries.push(resultEntry('aggregates', node, row))
    },
    (error) => {
      throw error
    },
  )
  return entries
}
