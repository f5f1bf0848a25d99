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
