import type { ErrorReport } from '../model/errors.ts'
import type { Attempt } from '../model/ids.ts'
import type { CheckpointReport, Order } from '../model/job.ts'

/**
 * The REST surface of a coordinator (JSON over HTTP, port 8081; only GET is served without the job's token). A target or
 * savepoint with an older order than the newest one obeyed is refused (409 ORDER_OUTDATED):
 *   GET  /v1/job         → JobReport
 *   PUT  /v1/target      JobTarget → JobReport; repeating the same target changes nothing
 *   POST /v1/savepoints  SavepointRequest → SavepointReport; repeating an id asks for the same savepoint
 *   GET  /v1/savepoints/{id} → SavepointReport (404 when unknown)
 *   DELETE /v1/savepoints/{id} deletes its files (204, also when unknown; 409 while the job would restore from it)
 *   POST /v1/changes     ReportWatch → JobReport once it is unlike the digest; 204 when it is not in time
 *   PUT  /v1/autoscaler  AutoscalerPolicy or null → JobReport; the same policy again changes nothing. Gone with the process
 *   GET  /metrics        → Prometheus text      GET /healthz → 200
 */
export type { CheckpointReport, JobTarget, Order } from '../model/job.ts'

/** Where a job is in its life; the legal steps are in coordinator/job-phase.ts. */
export type JobPhase =
  /** No target yet, or the target waits for workers to register. */
  | 'waiting'
  | 'deploying'
  | 'running'
  /** A savepoint is under way, after which the next attempt is deployed (rescale, suspend, changed graph). */
  | 'switching'
  /** A worker was lost or failed; the next attempt starts when all are there. */
  | 'recovering'
  | 'suspended'
  | 'finished'
  | 'failed'

export interface JobReport {
  job: string
  phase: JobPhase
  /** The newest attempt claimed; 0 before the first. */
  attempt: Attempt
  /** The revision that runs (or is being deployed) now, and the one asked for. */
  revision: string | null
  targetRevision: string | null
  /**
   * A target that was taken and then found not to fit the running attempt, and why; the one before it stays in force.
   * Until another one is asked for.
   */
  refused?: { readonly revision: string; readonly error: ErrorReport }
  /** What the target asks to start from, when it does. */
  restore?: string
  /** Subtasks the target needs and those registered: `count-0`, …. */
  expectedWorkers: readonly string[]
  registeredWorkers: readonly string[]
  /** Subtasks of the running attempt: surplus pods outside of it may go. */
  runningWorkers: readonly string[]
  checkpoint: CheckpointReport | null
  /** Checkpoints in a row that did not complete. */
  checkpointFailures: number
  restarts: number
  /** From the last record before this attempt to its first one; null until there is one, and for the first attempt. */
  lastPauseMs: number | null
  recordsIn: number
  recordsOut: number
  badRecords: number
  /** Operators that left out records in this attempt. */
  losses?: readonly OperatorLoss[]
  lateRecords: number
  /**
   * How long functions of the user held up their processes, more than a second at a time, by operator; in this
   * attempt.
   */
  blockedMs?: Readonly<Record<string, number>>
  /**
   * Records that wait in the outside systems, of the sources that report it; the least watermark of all subtasks that
   * have one.
   */
  lagRecords?: number | null
  watermark?: number | null
  /** Splits that wait for others of their alignment group. */
  pausedSplits?: number
  /** Bytes of rows in tables, summed over all subtasks: in memory, and in files on local disks. */
  stateBytes?: { memory: number; disk: number }
  /** Absent from coordinators that cannot watch the load. */
  autoscaler?: AutoscalerReport
  /** Why the job is not running, or why checkpoints fail. */
  error: ErrorReport | null
}

/** What a coordinator is to watch the load for. It proposes; whoever set the policy decides. */
export interface AutoscalerPolicy {
  /** Operators whose parallelism may change; a chain with another one keeps its own. */
  operators: readonly string[]
  minReplicas: number
  maxReplicas: number
  /** The share of its time, 0 to 1, in which a slot is to work. */
  targetUtilization: number
  /** Records that wait are to be worked off in this time. */
  catchUpMs: number
  /** Fewer slots are proposed when they would have been enough for so long. */
  scaleDownAfterMs: number
}

export interface AutoscalerReport {
  /** Of the policy in force (`policyDigest`); null: none. */
  policy: string | null
  /** Empty: the job is as it should be, or it is not known yet. */
  proposals: readonly ScalingProposal[]
  /** Operators that need more slots than they may have, or have more of no use. */
  limits: readonly ScalingLimit[]
}

/** Operators that share chains, or hand rows to each other slot by slot, are proposed together. */
export interface ScalingProposal {
  operators: readonly string[]
  from: number
  to: number
  /** In one sentence, as of when it was proposed first. */
  because: string
}

export interface ScalingLimit {
  operators: readonly string[]
  reason: 'AtMax' | 'AtSplits' | 'Ineffective'
  message: string
}

/** Records that an operator left out in this attempt. */
export interface OperatorLoss {
  operator: string
  /** Records and rows that came to it, bad ones included. */
  seen: number
  skipped: number
  /** Kept as dead letters. */
  deadLettered: number
  /** Why the first one was left out, and its place. One line, without values of secrets. */
  firstReason: string
}

export interface SavepointRequest {
  id: string
  /** As that of a target. */
  order?: Order
}

/** Waits for a report with another digest (report-digest.ts) than the one that is known. */
export interface ReportWatch {
  digest: string
  /** At most a minute counts. */
  waitMs: number
}

export type SavepointReport =
  | { id: string; phase: 'inProgress' }
  | { id: string; phase: 'completed'; checkpoint: CheckpointReport }
  | { id: string; phase: 'failed'; error: ErrorReport }
