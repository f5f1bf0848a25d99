/** The n-th start of a job, from 1; the fencing token carried by every message and connection. */
export type Attempt = number
/** Counts up within a job; a checkpoint is identified by (attempt, id). */
export type CheckpointId = number
/** One parallel instance of a chain: `<chain>-<slot>`. */
export type SubtaskId = string

export function subtaskId(chain: string, slot: number): SubtaskId {
  return `${chain}-${slot}`
}
