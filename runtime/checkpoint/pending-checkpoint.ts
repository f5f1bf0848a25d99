import type { SubtaskSnapshot } from '../model/snapshot.ts'
import type { Attempt, CheckpointId, SubtaskId } from '../model/ids.ts'
import { stateFilesOf } from './manifest.ts'

export type AckResult = 'accepted' | 'completes' | 'duplicate' | 'unknown'

/** A checkpoint under way: counts the subtasks' snapshots. It becomes complete only by its entry in the log. */
export class PendingCheckpoint {
  readonly attempt: Attempt
  readonly id: CheckpointId
  readonly startedAt: number
  readonly #missing: Set<SubtaskId>
  readonly #snapshots: Record<SubtaskId, SubtaskSnapshot> = {}

  constructor(attempt: Attempt, id: CheckpointId, startedAt: number, subtasks: Iterable<SubtaskId>) {
    this.attempt = attempt
    this.id = id
    this.startedAt = startedAt
    this.#missing = new Set(subtasks)
  }

  get missing(): SubtaskId[] {
    return [...this.#missing].sort()
  }

  get snapshots(): Readonly<Record<SubtaskId, SubtaskSnapshot>> {
    return this.#snapshots
  }

  acknowledge(subtask: SubtaskId, snapshot: SubtaskSnapshot): AckResult {
    if (this.#snapshots[subtask]) return 'duplicate'
    if (!this.#missing.delete(subtask)) return 'unknown'
    this.#snapshots[subtask] = snapshot
    return this.#missing.size === 0 ? 'completes' : 'accepted'
  }
}

export function sizeOfSnapshots(snapshots: Readonly<Record<SubtaskId, SubtaskSnapshot>>): number {
  return stateFilesOf({ subtasks: snapshots }).reduce((sum, file) => sum + file.sizeBytes, 0)
}
