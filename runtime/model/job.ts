import type { Attempt, CheckpointId } from './ids.ts'

/** The state that a coordinator is asked to bring about. */
export interface JobTarget {
  /** Changes when and only when `spec` does: the operator's hash of it. */
  revision: string
  /** The StreamJob's spec. */
  spec: unknown
  desiredState: 'running' | 'suspended'
  /** Where a job without a checkpoint of its own starts: the location of a savepoint or checkpoint of any job. */
  restore?: string
  /**
   * The UID of the job whose state `restore` names, given only when that job is gone for good: what it left open outside
   * may then be ended. Absent where it may still run.
   */
  predecessor?: string
  /** Absent: from an operator that knew no orders. Such a target is never too late. */
  order?: Order
}

/** How much of the world the one who asks had seen: what was decided on less comes too late. */
export interface Order {
  /** Of the job's resource. */
  generation: number
  /** The operator's turn at leading; absent where no lease is held. Turns of different leases are not compared. */
  lease?: { id: string; transitions: number }
}

/** A completed checkpoint, as the log and the reports name it. */
export interface CheckpointReport {
  attempt: Attempt
  id: CheckpointId
  kind: 'checkpoint' | 'savepoint'
  /** The name by which a savepoint was asked for; a savepoint without a name is retired as checkpoints are. */
  savepoint?: string
  /** The manifest, relative to the job's folder in the store. */
  path: string
  completedAt: number
  durationMs: number
  sizeBytes: number
}
