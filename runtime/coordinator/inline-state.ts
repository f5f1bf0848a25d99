import { definitionOf } from '../graph/verbs/all.ts'
import type { ExecutionPlan } from '../plan/execution-plan.ts'

/** State of a job that stays in its manifests at most: they are written with every checkpoint. */
export const INLINE_STATE_BYTES = 256 * 1024
/** More is worth a file. */
const SUBTASK_BYTES = 16 * 1024

/**
 * How much state of a subtask stays in the manifest at most (as Flink's state.storage.fs.memory-threshold, 20 kB a
 * handle): where requests to the store cost money and time, small state costs none. Subtasks that keep state share what
 * the job may have.
 */
export function inlineBytesOfSubtask(ofJob: number, { chains }: Pick<ExecutionPlan, 'chains'>): number {
  const sharers = chains
    .filter(({ operators }) => operators.some((node) => typeof definitionOf(node).keeps(node, []) === 'object'))
    .reduce((sum, { parallelism }) => sum + parallelism, 0)
  return Math.min(SUBTASK_BYTES, Math.floor(ofJob / Math.max(1, sharers)))
}
