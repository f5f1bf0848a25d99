import type { Batch } from '../memory/batch.ts'
import type { CheckpointId } from '../model/ids.ts'
import type { SnapshotExtent, Split } from '../model/snapshot.ts'
import type { Timestamp } from '../model/time.ts'

/** What a subtask does next. */
export type InputStep =
  /** `input`: the place of the stream in the first operator's `from`. `sides`: those of a source's side outputs. */
  | { kind: 'batch'; batch: Batch; input: number; sides?: Readonly<Record<string, Batch>> }
  | { kind: 'watermark'; time: Timestamp }
  | { kind: 'barrier'; checkpoint: CheckpointId; extent: SnapshotExtent }
  /** No watermark is to be expected before rows come again. */
  | { kind: 'idleInput' }
  /** Nothing now: wait for the signal, or look again after `retryMs`. */
  | { kind: 'idle'; retryMs: number | undefined }

/** Where a subtask's batches come from: a source's reader, or the channels of other subtasks. */
export interface Input {
  /** Never called concurrently. Throws when the input is lost. */
  next(): InputStep | Promise<InputStep>
  /** Makes the next step of a source a barrier; inputs that are fed by channels get theirs in band. */
  trigger(checkpoint: CheckpointId, extent: SnapshotExtent, mode: TriggerMode): void
  /** New splits of a source. Called between steps; inputs that are fed by channels have none. */
  addSplits(splits: readonly Split[]): void
  /**
   * The least watermark of the source's alignment group. Called between steps; only of consequence to aligned
   * sources.
   */
  onGroupMinimum(minimum: Timestamp | null): void
  /** Splits that wait for others of the group. */
  pausedSplits(): number
  /** Positions of the source's splits, by operator id; called right after a barrier step. */
  snapshot(checkpoint: CheckpointId): Readonly<Record<string, readonly Split[]>>
  notifyComplete(checkpoint: CheckpointId): Promise<void>
  lagRecords(): number | undefined
  close(): Promise<void>
}

/** `stopAfter`: nothing is emitted behind the barrier. */
export type TriggerMode = 'continue' | 'stopAfter'
