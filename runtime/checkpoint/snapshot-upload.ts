import { MillraceError } from '../model/errors.ts'
import type { Attempt, CheckpointId, SubtaskId } from '../model/ids.ts'
import type { FrozenState, StateFile } from '../model/snapshot.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import { checkpointFolder, stateFilePath } from './manifest.ts'
import { writeStateFiles } from './state-file.ts'

/**
 * Brings what a subtask has frozen into the store, between turns of the loop: one checkpoint after the other, since
 * what the next one need not write hangs on what this one has written.
 */
export class SnapshotUpload {
  readonly #subtask: SubtaskId
  readonly #attempt: Attempt
  readonly #store: Store
  readonly #clock: Clock
  readonly #inlineBytes: number
  #last: Promise<unknown> = Promise.resolve()
  #stopped = false
  #abortedUntil: CheckpointId = 0

  /** `inlineBytes`: so much of a checkpoint's state stays inline at most, that of earlier checkpoints included. */
  constructor(parts: { subtask: SubtaskId; attempt: Attempt; store: Store; clock: Clock; inlineBytes: number }) {
    this.#subtask = parts.subtask
    this.#attempt = parts.attempt
    this.#store = parts.store
    this.#clock = parts.clock
    this.#inlineBytes = parts.inlineBytes
  }

  /** The files of each operator that has any, all inline or in the store. Releases every state, whatever comes of it. */
  upload(
    checkpoint: CheckpointId,
    states: readonly (readonly [operator: string, state: FrozenState])[],
  ): Promise<Record<string, readonly StateFile[]>> {
    const files = this.#last.then(() => this.#upload(checkpoint, states))
    this.#last = files.catch(() => undefined)
    return files
  }

  /**
   * Nobody waits any longer for this checkpoint and those before it: uploads that have not begun reject. An upload
   * that is under way continues, so that the next one has less to write. State that takes longer than a checkpoint
   * may take would otherwise never be saved.
   */
  abort(checkpoint: CheckpointId): void {
    this.#abortedUntil = checkpoint
  }

  /** An upload that is under way rejects at its next turn. */
  stop(): void {
    this.#stopped = true
  }

  async #upload(
    checkpoint: CheckpointId,
    states: readonly (readonly [string, FrozenState])[],
  ): Promise<Record<string, readonly StateFile[]>> {
    const folder = checkpointFolder(this.#attempt, checkpoint)
    const files: Record<string, readonly StateFile[]> = {}
    const waiting = new Set(states.map(([, state]) => state))
    let inlineBytes = this.#inlineBytes
    try {
      if (checkpoint <= this.#abortedUntil)
        throw new MillraceError(
          'CHECKPOINT_ABORTED',
          `checkpoint ${this.#attempt}-${checkpoint} was aborted before ${this.#subtask} wrote its state`,
          { domain: 'platform', retriable: true },
        )
      for (const [operator, state] of states) {
        const { kept, blocks, bytes } = state.read()
        const pathOf = (index: number): string => stateFilePath(folder, operator, this.#subtask, index)
        inlineBytes -= inlineBytesOf(kept)
        const written = await writeStateFiles(
          { store: this.#store, pathOf, turn: () => this.#turn(), inlineBytes },
          blocks,
          bytes,
        )
        inlineBytes -= inlineBytesOf(written)
        waiting.delete(state)
        state.release(written)
        if (kept.length + written.length > 0) files[operator] = [...kept, ...written]
      }
    } finally {
      for (const state of waiting) state.release()
    }
    return files
  }

  #turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#clock.nextTurn(() => {
        if (this.#stopped)
          reject(
            new MillraceError('SUBTASK_STOPPED', `${this.#subtask} was stopped while its state was written`, {
              domain: 'platform',
              retriable: true,
            }),
          )
        else resolve()
      })
    })
  }
}

function inlineBytesOf(files: readonly StateFile[]): number {
  return files.reduce((sum, { inline, sizeBytes }) => sum + (inline === undefined ? 0 : sizeBytes), 0)
}
