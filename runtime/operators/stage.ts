import type { Batch } from '../memory/batch.ts'
import type { FrozenState, SnapshotExtent } from '../model/snapshot.ts'
import type { Timestamp } from '../model/time.ts'

/**
 * A stretch of a subtask's chain: takes batches and watermarks in order and hands on what comes of them.
 * Never called concurrently; a call resolves when the batch has gone all the way, which is how a slow end
 * holds back the input. The batch is the stage's until it resolves. `input` is the place of the stream in the
 * operator's `from`; it is 0 inside a chain and matters only to operators of several inputs.
 */
export interface Stage {
  /**
   * True when it reads columns where a batch has them, so that making rows for it would be in vain. Asked while batches
   * are processed, not before.
   */
  readonly takesColumns?: boolean
  process(batch: Batch, input: number): Promise<void>
  onWatermark(time: Timestamp): Promise<void>
}

/** The stage of an operator that does more than map rows one by one. */
export interface OperatorStage extends Stage {
  /** What a checkpoint holds of it; absent: it keeps nothing. */
  readonly state?: OperatorState
  /** Present when the stage holds rows back beyond its calls: the newest watermark that it has handed on. */
  passedWatermark?(): Timestamp
  /**
   * Called before a barrier is handed on, and before an input is declared idle. When it resolves, every row taken
   * in has gone out or is in `state`.
   */
  drain?(): Promise<void>
  /** Called once, when the attempt ends, in whatever way. */
  close?(): Promise<void>
}

export interface OperatorState {
  /**
   * keyed: blocks by key group, distributed to the slot that owns the group. broadcast: every slot holds the same;
   * slot 0 writes it as group 0, and every slot restores it.
   */
  readonly scope: 'keyed' | 'broadcast'
  /** Number of live entries, for the metrics. */
  size(): number
  /** Where its bytes lie, for the metrics; absent where that is not known. */
  memory?(): { residentBytes: number; fileBytes: number }
  /**
   * Called at a barrier, and takes no longer than one may: holds fast what there is, so that its blocks can be read
   * while work goes on. Blocks are by key group, only of groups that hold something. State that is small is copied
   * (state/copied-state.ts).
   */
  freeze(extent: SnapshotExtent): FrozenState
  /** True when it does its part for checkpoints of extent `appended`: only such state is restored before a switch. */
  readonly appends?: boolean
  /** Called once, after the last block was restored. */
  restored?(): void
  /**
   * Takes back a block, at any parallelism; before the first batch. Blocks of one group come in the order
   * in which they were given. Throws STATE_CORRUPT, or
   * STATE_INCOMPATIBLE when the operator's state had another shape.
   */
  restore(group: number, bytes: Uint8Array): void
}
