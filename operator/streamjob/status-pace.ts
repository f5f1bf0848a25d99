import type { StreamJobStatus } from '../api/stream-job.ts'
import { textWithoutNulls } from '../kube/text-without-nulls.ts'

/** Figures and texts in a status are at most so old while nothing else changes. */
const LEAST_BETWEEN_MS = 10_000

/**
 * How often the status of a job is written for figures and texts alone: a coordinator that says something else each
 * time costs no write each time. A change that a user or a controller waits for is never held back. Its memory only spares
 * writes, so nothing of it matters after a restart.
 */
export class StatusPace {
  readonly #writtenAt = new Map<string, number>()

  /** After how many ms this change may be written; 0: now. Only for a pass that does nothing else. */
  heldBackMs(
    jobUid: string,
    { before, next, now }: { before: StreamJobStatus; next: StreamJobStatus; now: number },
  ): number {
    const sinceMs = now - (this.#writtenAt.get(jobUid) ?? -Infinity)
    if (sinceMs < 0 || sinceMs >= LEAST_BETWEEN_MS || standing(before) !== standing(next)) return 0
    return LEAST_BETWEEN_MS - sinceMs
  }

  written(jobUid: string, now: number): void {
    this.#writtenAt.set(jobUid, now)
  }

  forget(jobUid: string): void {
    this.#writtenAt.delete(jobUid)
  }
}

/** The status without what moves while nothing happens. */
function standing(status: StreamJobStatus): string {
  const { message, checkpoint, restarts, losses = [], decisions, conditions = [], untold, ...rest } = status
  return textWithoutNulls({
    ...rest,
    savepoint: checkpoint?.savepoint ?? null,
    losses: losses.map(({ operator }) => operator),
    conditions: conditions.map(({ type, status: state, reason }) => ({ type, state, reason })),
  })
}
