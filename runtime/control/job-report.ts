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
  /** Why the job is not running, or why checkpoints fail. */
  error: ErrorReport | null
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
