/** The n-th start of a job, from 1; the fencing token carried by every message and connection. */
export type Attempt = number
/** Counts up within a job; a checkpoint is identified by (attempt, id). */
export type CheckpointId = number
/** One parallel instance of a chain: `<chain>-<slot>`. */
export type SubtaskId = string

export interface CheckpointRef {
  attempt: Attempt
  id: CheckpointId
}

/** Checkpoints are ordered by attempt first: a zombie's later id is older than a newer attempt's first. */
export function compareCheckpoints(a: CheckpointRef, b: CheckpointRef): number {
  return a.attempt - b.attempt || a.id - b.id
}

export function subtaskId(chain: string, slot: number): SubtaskId {
  return `${chain}-${slot}`
}
