import { parseDurationMs } from '../../runtime/model/time.ts'
import type { SavepointPolicy, StreamJob } from '../api/stream-job.ts'
import type { StreamSavepoint } from '../api/stream-savepoint.ts'
import { JOB_UID_LABEL } from '../resources/labels.ts'
import { createdAt, isCompleted } from './newest.ts'
import { compactUtc } from './record.ts'

const DEFAULT_KEEP = 10
/** What the API server takes at least, too. */
const LEAST_MS = 60_000
/** How long one takes that is asked for, mostly: then older ones may go. */
const SETTLING_MS = 60_000

export interface ScheduleFacts {
  job: StreamJob
  policy: SavepointPolicy
  /** By the clock of the API server, as the stamps of the savepoints. */
  now: number
  savepoints: readonly StreamSavepoint[]
}

export interface Schedule {
  /** Name of the savepoint that is due; the same, however often it is decided, until there is one. */
  due: string | undefined
  /** Those that need not stay. */
  old: readonly StreamSavepoint[]
  /** When there may be something to do again. */
  nextAt: number
}

/**
 * Which savepoint of a running job is due, and which ones may go. Times follow from when the newest one was created, so
 * that those which were missed are made up for once. Pure.
 */
export function decideSchedule({ job, policy, now, savepoints }: ScheduleFacts): Schedule {
  const periodic = savepoints
    .filter(
      ({ spec, metadata }) => spec.trigger === 'Periodic' && metadata.labels?.[JOB_UID_LABEL] === job.metadata.uid,
    )
    .sort((a, b) => createdAt(b) - createdAt(a))
  const everyMs = Math.max(LEAST_MS, parseDurationMs(policy.every) ?? LEAST_MS)
  const [newest] = periodic
  const since = newest === undefined ? Date.parse(job.metadata.creationTimestamp ?? '') : createdAt(newest)
  const missed = Math.floor((now - since) / everyMs)
  const isOpen = periodic.some(isUnderWay)
  const isDue = missed >= 1 && !isOpen
  const due = isDue ? `${job.metadata.name}-${compactUtc(since + missed * everyMs)}` : undefined
  const nextDueAt = since + (Math.max(0, missed) + 1) * everyMs
  const settledAt = isOpen || isDue ? now + SETTLING_MS : Infinity
  const maxAgeMs = parseDurationMs(policy.maxAge ?? '') ?? Infinity
  const old = oldOnes(periodic, policy, now - maxAgeMs)
  const expiries = periodic.filter((one) => !old.includes(one)).map((one) => createdAt(one) + maxAgeMs + 1)
  return { due, old, nextAt: Math.min(nextDueAt, settledAt, ...expiries.filter((at) => at > now)) }
}

function isUnderWay({ status, metadata }: StreamSavepoint): boolean {
  return status?.phase !== 'Completed' && status?.phase !== 'Failed' && metadata.deletionTimestamp === undefined
}

/** `periodic`: the newest first. Those that have failed are kept as long as those that have not, and apart from them. */
function oldOnes(
  periodic: readonly StreamSavepoint[],
  { keep = DEFAULT_KEEP }: SavepointPolicy,
  oldest: number,
): StreamSavepoint[] {
  const isOld = (one: StreamSavepoint): boolean => createdAt(one) < oldest
  const completed = periodic.filter(isCompleted)
  const failed = periodic.filter(
    ({ status, metadata }) => status?.phase === 'Failed' && metadata.deletionTimestamp === undefined,
  )
  return [
    ...completed.filter((one, index) => index > 0 && (index >= keep || isOld(one))),
    ...failed.filter((one, index) => index >= keep || isOld(one)),
  ]
}

/** Those of `old` that no job is still to start from. */
export function unpinned(old: readonly StreamSavepoint[], jobs: readonly StreamJob[]): readonly StreamSavepoint[] {
  const waiting = jobs.filter(({ status }) => (status?.attempt ?? 0) === 0).flatMap(({ spec }) => spec.restore ?? [])
  return old.filter(
    ({ metadata, spec, status }) =>
      !waiting.some((restore) => {
        if ('savepoint' in restore) return restore.savepoint === metadata.name
        if ('latestOf' in restore) return restore.latestOf === spec.job
        // of another job, whose spec perhaps nobody has checked
        return status?.location !== undefined && String(restore.path).startsWith(status.location)
      }),
  )
}
