import type { EncodedGraph } from '../graph/encoded-graph.ts'
import type { ErrorReport } from '../model/errors.ts'
import type { Attempt, CheckpointId, SubtaskId } from '../model/ids.ts'
import type { SnapshotExtent, Split, StateFile, SubtaskRestore, SubtaskSnapshot } from '../model/snapshot.ts'
import type { NetAddress } from '../ports/net.ts'
import type { Series } from '../telemetry/metric.ts'

/** Which subtask of what job, whatever the attempt. */
export interface SubtaskSpec {
  /** What the job computes. Coordinator and workers derive the same plan from it. */
  graph: EncodedGraph
  baseDir: string
  store: string
  chain: string
  slot: number
}

/** Everything a worker needs to run its subtask in one attempt. */
export interface Deployment extends SubtaskSpec {
  attempt: Attempt
  jobUid: string
  /** As in the manifest. */
  predecessors: readonly string[]
  /** Sources read for this share of the time until a checkpoint completes: 1, or less after attempts that crashed. */
  readingShare: number
  /** So much of its state stays inline at most (StateFile.inline). */
  inlineStateBytes: number
  /** Data addresses of all subtasks that this one reads from. */
  upstream: Readonly<Record<SubtaskId, NetAddress>>
  restore: SubtaskRestore
}

/** A subtask that is to follow a running attempt, and the files of a checkpoint of that attempt that concern it. */
export interface Preparation extends SubtaskSpec {
  checkpoint: CheckpointId
  state: Readonly<Record<string, readonly StateFile[]>>
}

/**
 * Worker → coordinator. The first message of a connection is `register`; `instance` tells processes of equal names
 * apart.
 */
export type WorkerMessage =
  | {
      kind: 'register'
      worker: string
      instance: string
      token: string
      chain: string
      slot: number
      data: NetAddress
      seen: Attempt
      running: Attempt | null
    }
  | { kind: 'heartbeat'; metrics: SubtaskMetrics | null }
  | { kind: 'running'; attempt: Attempt }
  | { kind: 'snapshot'; attempt: Attempt; checkpoint: CheckpointId; snapshot: SubtaskSnapshot }
  | { kind: 'declined'; attempt: Attempt; checkpoint: CheckpointId; error: ErrorReport }
  /** All input has ended and everything was emitted; the subtask waits for the final checkpoint. */
  | { kind: 'drained'; attempt: Attempt }
  | { kind: 'committed'; attempt: Attempt; checkpoint: CheckpointId }
  /** The least watermark of an aligned source's splits; null when nobody is to wait for them (idle, finished). */
  | { kind: 'aligned'; attempt: Attempt; minimum: number | null }
  /** A preparation makes progress; it is done; it failed, which is not a failure of the attempt. */
  | { kind: 'preparing'; attempt: Attempt; checkpoint: CheckpointId }
  | { kind: 'prepared'; attempt: Attempt; checkpoint: CheckpointId }
  | { kind: 'unprepared'; attempt: Attempt; checkpoint: CheckpointId; error: ErrorReport }
  | { kind: 'stopped'; attempt: Attempt }
  | { kind: 'failed'; attempt: Attempt; error: ErrorReport }
  /** The worker has seen a newer attempt than the sender's: claim again or exit. */
  | { kind: 'refused'; attempt: Attempt; seen: Attempt }

/** Coordinator → worker. */
export type CoordinatorMessage =
  /** Stop whatever runs for an older attempt, refuse it from now on, and answer `stopped` with this attempt. */
  | { kind: 'fence'; attempt: Attempt }
  | { kind: 'deploy'; deployment: Deployment }
  /**
   * Restore this beside whatever runs and keep it ready: a deployment of the same subtask and graph then needs only
   * what came since. `attempt` is the one that runs; it is not to be disturbed. `unprepare`: it will not come.
   */
  | { kind: 'prepare'; attempt: Attempt; preparation: Preparation }
  | { kind: 'unprepare'; attempt: Attempt }
  /**
   * Sources put the barrier into their streams; with `thenStop` they emit nothing after it. `extent`: whether files
   * of earlier checkpoints may be part of this one; of a savepoint with a name they may not.
   */
  | { kind: 'trigger'; attempt: Attempt; checkpoint: CheckpointId; extent: SnapshotExtent; thenStop: boolean }
  /** Splits of a source that came to be while the attempt runs; part of every checkpoint triggered after this. */
  | { kind: 'splits'; attempt: Attempt; operator: string; splits: readonly Split[] }
  | { kind: 'complete'; attempt: Attempt; checkpoint: CheckpointId }
  | { kind: 'abort'; attempt: Attempt; checkpoint: CheckpointId }
  | { kind: 'stop'; attempt: Attempt }
  /** The least watermark of the group that the worker's source is aligned with; null: nothing holds it back. */
  | { kind: 'align'; attempt: Attempt; minimum: number | null }
  | { kind: 'heartbeat' }
  /** Instead of anything else: another process has registered in this one's place since, and this one is to end. */
  | { kind: 'displaced' }

/** What became of the records of one operator of a subtask, since the attempt started. */
export interface OperatorRecords {
  operator: string
  /** Records and rows that came to it, bad ones included. */
  seen: number
  skipped: number
  deadLettered: number
  /** Why the first of these was left out; absent where none was. One line, without values of secrets. */
  firstReason?: string
}

/** Counters since the attempt started, and gauges. */
export interface SubtaskMetrics {
  attempt: Attempt
  recordsIn: number
  recordsOut: number
  badRecords: number
  /** Checked when it arrives. */
  operators?: readonly OperatorRecords[]
  lateRecords: number
  /** How its time was spent, in milliseconds; the rest of `elapsed` was work. Checked when it is used. */
  time?: { elapsed: number; idle: number; backpressured: number }
  /** Wall time (ms since the epoch) of the last record that left the subtask. */
  lastRecordAt: number | null
  firstRecordAt: number | null
  watermark: number | null
  /** Bytes of rows in tables: in memory, and in a file on the local disk. */
  stateBytes?: { memory: number; disk: number }
  lagRecords: number | null
  /** Splits that wait for others of their alignment group. */
  pausedSplits?: number
  /** What the subtask measures beside that, for /metrics. Checked when it arrives. */
  series?: readonly Series[]
  /** The system that a connector cannot reach right now while it keeps trying. */
  trouble: ErrorReport | null
}
