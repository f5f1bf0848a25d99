import type { CheckpointId } from '../model/ids.ts'

/** The gate's next step after a barrier came in on a channel. */
export type Alignment =
  /** Take nothing more from this channel until the others have caught up. */
  | { kind: 'block' }
  /** All channels are at the barrier: snapshot now, then take from all again. */
  | { kind: 'aligned' }
  /** A barrier of an aborted checkpoint: ignore it. */
  | { kind: 'late' }

/**
 * Aligned barriers after Chandy–Lamport as in Flink (SingleCheckpointBarrierHandler): what comes after the
 * barrier on one channel is not processed before the barrier has come on all. A newer checkpoint's barrier
 * ends the alignment of an older one.
 */
export class BarrierAligner {
  readonly #channels: number
  #checkpoint: CheckpointId = 0
  #arrived = new Set<number>()
  /** Checkpoints up to this one are over: aligned or aborted. */
  #over: CheckpointId = 0

  constructor(channels: number) {
    this.#channels = channels
  }

  isBlocked(channel: number): boolean {
    return this.#arrived.has(channel)
  }

  onBarrier(channel: number, checkpoint: CheckpointId): Alignment {
    if (checkpoint <= this.#over || checkpoint < this.#checkpoint) return { kind: 'late' }
    if (checkpoint > this.#checkpoint) {
      this.#checkpoint = checkpoint
      this.#arrived = new Set()
    }
    this.#arrived.add(channel)
    if (this.#arrived.size < this.#channels) return { kind: 'block' }
    this.#arrived = new Set()
    this.#over = checkpoint
    return { kind: 'aligned' }
  }
}
