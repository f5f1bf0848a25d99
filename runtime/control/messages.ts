import type { ErrorReport } from '../model/errors.ts'
import type { Attempt, CheckpointId, SubtaskId } from '../model/ids.ts'
import type { Committable } from '../connectors/sink.ts'
import type { Split } from '../connectors/source.ts'
import type { NetAddress } from '../ports/net.ts'

/** What one subtask puts into a checkpoint. State bytes are in the store before this is sent. */
export interface SubtaskSnapshot {
  /** Positions of the source's splits, by source operator id. */
  splits: Readonly<Record<string, readonly Split[]>>
  /** Keyed-state files, by operator id. */
  state: Readonly<Record<string, StateFile>>
  /** What the sinks prepared, by sink operator id. */
  committables: Readonly<Record<string, readonly Committable[]>>
}

/** One subtask's keyed state of one operator: key-group blocks behind each other. */
export interface StateFile {
  path: string
  sizeBytes: number
  sha256: string
  /** [key group, offset, length] in ascending key group. */
  groups: readonly (readonly [number, number, number])[]
}

/** What a subtask starts from: the parts of a checkpoint that are now its own. */
export interface SubtaskRestore {
  splits: Readonly<Record<string, readonly Split[]>>
  /** Files that contain key groups of this subtask, by operator id; it reads only its own groups. */
  state: Readonly<Record<string, readonly StateFile[]>>
  committables: Readonly<Record<string, readonly Committable[]>>
}

/** Everything a worker needs to run its subtask in one attempt. */
export interface Deployment {
  attempt: Attempt
  jobUid: string
  /** The job section of the StreamJob (`spec`), validated by the coordinator; the worker derives the same plan. */
  spec: unknown
  baseDir: string
  store: string
  chain: string
  slot: number
  /** Data addresses of all subtasks that this one reads from. */
  upstream: Readonly<Record<SubtaskId, NetAddress>>
  restore: SubtaskRestore
}

/** Worker → coordinator. The first message of a connection is `register`. */
export type WorkerMessage =
  | { kind: 'register'; worker: string; token: string; chain: string; slot: number; data: NetAddress; seen: Attempt; running: Attempt | null }
  | { kind: 'heartbeat'; metrics: SubtaskMetrics | null }
  | { kind: 'running'; attempt: Attempt }
  | { kind: 'snapshot'; attempt: Attempt; checkpoint: CheckpointId; snapshot: SubtaskSnapshot }
  | { kind: 'declined'; attempt: Attempt; checkpoint: CheckpointId; error: ErrorReport }
  /** All input has ended and everything was emitted; the subtask waits for the final checkpoint. */
  | { kind: 'drained'; attempt: Attempt }
  | { kind: 'committed'; attempt: Attempt; checkpoint: CheckpointId }
  | { kind: 'stopped'; attempt: Attempt }
  | { kind: 'failed'; attempt: Attempt; error: ErrorReport }
  /** The worker has seen a newer attempt than the sender's: claim again or exit. */
  | { kind: 'refused'; attempt: Attempt; seen: Attempt }

/** Coordinator → worker. */
export type CoordinatorMessage =
  /** Stop whatever runs for an older attempt, refuse it from now on, and answer `stopped` with this attempt. */
  | { kind: 'fence'; attempt: Attempt }
  | { kind: 'deploy'; deployment: Deployment }
  /** Sources put the barrier into their streams; with `thenStop` they emit nothing after it. */
  | { kind: 'trigger'; attempt: Attempt; checkpoint: CheckpointId; thenStop: boolean }
  | { kind: 'complete'; attempt: Attempt; checkpoint: CheckpointId }
  | { kind: 'abort'; attempt: Attempt; checkpoint: CheckpointId }
  | { kind: 'stop'; attempt: Attempt }
  | { kind: 'heartbeat' }

/** Counters since the attempt started, and gauges. */
export interface SubtaskMetrics {
  attempt: Attempt
  recordsIn: number
  recordsOut: number
  badRecords: number
  lateRecords: number
  /** Wall time (ms since the epoch) of the last record that left the subtask. */
  lastRecordAt: number | null
  firstRecordAt: number | null
  watermark: number | null
  stateEntries: number
  lagRecords: number | null
  /** What a connector cannot reach right now while it goes on trying. */
  trouble: ErrorReport | null
}
