import type { SourceVerb } from '../../graph/verbs/source.ts'
import type { Timestamp } from '../../model/time.ts'

/** How many rows may go out now. One per reader; `now` is wall time in ms. */
export interface Pacing {
  /** Rows allowed at this moment out of those wanted. */
  allowance(wanted: number, now: number): number
  /** The largest event time that may go out now. */
  dueTime(now: number): Timestamp
  onEmitted(rows: number): void
}

/** Without a rate everything may go out at once. */
const UNPACED: Pacing = { allowance: (wanted) => wanted, dueTime: () => Infinity, onEmitted: () => undefined }

/**
 * The pace a rate asks for, counted from `startedAt`. Replay: the event time `origin + speed × elapsed`.
 * Records: this subtask's share of the source's rate; a backlog of more than a second (the job was held up) is
 * forgotten.
 */
export function pacing(
  rate: SourceVerb['rate'],
  origin: Timestamp | undefined,
  parallelism: number,
  startedAt: number,
): Pacing {
  if (rate === undefined || (rate.kind === 'replay' && origin === undefined)) return UNPACED
  if (rate.kind === 'replay') return { ...UNPACED, dueTime: (now) => (origin ?? 0) + rate.speed * (now - startedAt) }
  return recordPacing(rate.perSecond / parallelism, startedAt)
}

function recordPacing(perSecond: number, startedAt: number): Pacing {
  let earned = 0
  let earnedAt = startedAt
  return {
    allowance(wanted, now) {
      earned = Math.min(earned + ((now - earnedAt) * perSecond) / 1000, Math.max(perSecond, 1))
      earnedAt = now
      return Math.min(wanted, Math.floor(earned))
    },
    dueTime: () => Infinity,
    onEmitted(rows) {
      earned -= rows
    },
  }
}
