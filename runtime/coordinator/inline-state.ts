/** State of a job that stays in its manifests at most: they are written with every checkpoint. */
export const INLINE_STATE_BYTES = 128 * 1024
/** More is worth a file. */
const SUBTASK_BYTES = 16 * 1024

/**
 * How much state of one of so many subtasks stays in the manifest at most (as Flink's state.storage.fs.memory-threshold,
 * 20 kB a handle): where requests to the store cost money and time, small state costs none.
 */
export function inlineBytesOfSubtask(ofJob: number, subtasks: number): number {
  return Math.min(SUBTASK_BYTES, Math.floor(ofJob / Math.max(1, subtasks)))
}
