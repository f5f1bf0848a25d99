import { definitionOf } from '../graph/verbs/all.ts'
import type { SpillSettings } from '../memory/arena/cold-segments.ts'
import type { Chain, ExecutionPlan } from '../plan/execution-plan.ts'
import type { OpenScratchFile } from '../ports/scratch.ts'

/** The memory of each operator of a chain: an equal share of the slot's limit. Undefined without a limit. */
export function spillOf(
  plan: ExecutionPlan,
  chain: Chain,
  openScratchFile: OpenScratchFile,
): SpillSettings | undefined {
  const { state } = plan
  if (state === undefined) return undefined
  const sharers = chain.operators.filter((operator) => definitionOf(operator).spills).length
  return { limitBytes: state.memoryBytes / Math.max(1, sharers), open: () => openScratchFile(state.folder) }
}
