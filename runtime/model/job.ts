import type { Attempt, CheckpointId } from './ids.ts'

/** What a coordinator is asked to run. */
export interface JobTarget {
  /** Changes when and only when `spec` does: the operator's hash of it. */
  revision: string
  /** The StreamJob's spec. */
  spec: unknown
  desiredState: 'running' | 'suspended'
  /** What a job without a checkpoint of its own starts from: where a savepoint or checkpoint of any job lies. */
  restore?: string
}

/** A completed checkpoint, as the log and the reports name it. */
export interface CheckpointReport {
  attempt: Attempt
  id: CheckpointId
  kind: 'checkpoint' | 'savepoint'
  /** What a savepoint was asked for by; one without a name is retired as checkpoints are. */
  savepoint?: string
  /** The manifest, relative to the job's folder in the store. */
  path: string
  completedAt: number
  durationMs: number
  sizeBytes: number
}
