import type { StreamJobStatus } from '../api/stream-job.ts'
import type { Condition } from '../kube/objects.ts'
import { textWithoutNulls } from '../kube/text-without-nulls.ts'
import { hashOf } from '../resources/hash.ts'

/** Figures and texts in a status are at most so old while nothing else changes. */
const LEAST_BETWEEN_MS = 10_000
/** The progress of an operation: how many pods are there and ready, whether the coordinator answers. */
const LEAST_PROGRESS_MS = 2_000

interface Writing {
  before: StreamJobStatus
  next: StreamJobStatus
  now: number
  /** For figures and texts, when they may be older. */
  leastMs?: number
  /** Whether the status still lists what has been told meanwhile. */
  hasTold?: boolean
}

/**
 * How often the status of a job is written for figures and texts alone: a coordinator that says something else each
 * time costs no write each time. A change that a user or a controller waits for is never held back, the progress of an
 * operation for two seconds. Its memory only spares writes, so nothing of it matters after a restart: of a job at rest
 * this process has then written nothing, and takes a part of the time that differs by job for over, so that a start of
 * the operator does not write the figures of thousands of jobs at once.
 */
export class StatusPace {
  readonly #writtenAt = new Map<string, number>()

  /** After how many ms this change may be written; 0: now. */
  heldBackMs(jobUid: string, { before, next, now, leastMs = 0, hasTold = false }: Writing): number {
    const writtenAt =
      this.#writtenAt.get(jobUid) ?? (hasTold || leastMs === 0 ? -Infinity : this.#assume(jobUid, now, leastMs))
    const sinceMs = now - writtenAt
    if (sinceMs < 0 || intent(before) !== intent(next)) return 0
    const isProgress = progress(before) !== progress(next)
    if (isProgress && !isUnderWay(before, next)) return 0
    return Math.max(0, (isProgress ? LEAST_PROGRESS_MS : Math.max(LEAST_BETWEEN_MS, leastMs)) - sinceMs)
  }

  /** Takes a write for made at some time since `leastMs`. */
  #assume(jobUid: string, now: number, leastMs: number): number {
    const assumed = now - leastMs * shareOf(jobUid)
    this.#writtenAt.set(jobUid, assumed)
    return assumed
  }

  written(jobUid: string, now: number): void {
    this.#writtenAt.set(jobUid, now)
  }

  forget(jobUid: string): void {
    this.#writtenAt.delete(jobUid)
  }
}

/** From 0 to 1, and always the same for a job. */
function shareOf(jobUid: string): number {
  return Number.parseInt(hashOf(jobUid).slice(0, 8), 16) / 2 ** 32
}

/** The same step of the same operation, before and after. */
function isUnderWay({ operation }: StreamJobStatus, next: StreamJobStatus): boolean {
  return (operation ?? null) !== null && textWithoutNulls(operation) === textWithoutNulls(next.operation)
}

const PROGRESS: ReadonlySet<string> = new Set(['Healthy', 'Stable'])

/** The status without what moves while nothing happens, and without the progress of an operation. */
function intent(status: StreamJobStatus): string {
  const { message, checkpoint, restarts, losses = [], decisions, conditions = [], untold, ...rest } = status
  const { pods, replicas, selector, ...standing } = rest
  return textWithoutNulls({
    ...standing,
    savepoint: checkpoint?.savepoint ?? null,
    losses: losses.map(({ operator }) => operator),
    conditions: shown(conditions.filter(({ type }) => !PROGRESS.has(type))),
  })
}

function progress({ pods, replicas, selector, conditions = [] }: StreamJobStatus): string {
  return textWithoutNulls({
    pods,
    replicas,
    selector,
    conditions: shown(conditions.filter(({ type }) => PROGRESS.has(type))),
  })
}

function shown(conditions: readonly Condition[]): unknown {
  return conditions.map(({ type, status, reason }) => ({ type, state: status, reason }))
}
