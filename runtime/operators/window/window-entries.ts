import type { StateWriter } from '../operator.ts'
import { refuseUserCode, resultEntry } from '../result-entry.ts'
import { stateUnreadable } from '../state-unreadable.ts'
import { UserFunctions } from '../user-functions.ts'
import { WindowStage } from './window-stage.ts'
import { compileRowClass } from '../../codegen/rows/row.ts'
import type { WindowVerb } from '../../graph/verbs/window.ts'
import type { Row } from '../../model/schema.ts'
import { MAX_TIMESTAMP } from '../../model/time.ts'
import type { StateEntry } from '../../state/state-entries.ts'
import { MetricRegistry } from '../../telemetry/metric-registry.ts'

/** Every open window with its result so far. Windows that have fired and wait for late rows are left out. */
export async function windowEntries(
  verb: WindowVerb,
  { node, input: inputOf, maxParallelism, clock }: StateWriter,
  group: number,
  blocks: readonly Uint8Array[],
): Promise<StateEntry[]> {
  const input = inputOf(0)
  refuseUserCode(verb.aggregates)
  const rows: Row[] = []
  const stage = new WindowStage(verb, {
    node,
    inputs: [{ schema: input, rowClass: compileRowClass(input) }],
    output: { schema: node.schema, rowClass: compileRowClass(node.schema) },
    next: {
      process: (made) => {
        rows.push(...made.rows().slice(0, made.count))
        return Promise.resolve()
      },
      onWatermark: () => Promise.resolve(),
    },
    side: () => undefined,
    readersOf: () => '',
    slot: 0,
    parallelism: 1,
    maxParallelism,
    clock,
    after: () => () => undefined,
    functions: new UserFunctions(new Map()),
    httpClient: { send: () => Promise.reject(stateUnreadable('a window calls no service')) },
    openTable: () => Promise.reject(stateUnreadable('a window looks up no table')),
    stopping: new AbortController().signal,
    metrics: new MetricRegistry(),
    onBlocked: () => undefined,
    onError: (error) => {
      throw error
    },
    onLate: () => undefined,
  })
  for (const block of blocks) stage.state.restore(group, block)
  stage.state.restored?.()
  await stage.onWatermark(MAX_TIMESTAMP)
  await stage.close()
  return rows.map((row) => resultEntry('windows', node, row))
}
