import { isoSeconds } from '../kube/events.ts'
import type { SupervisorStatus } from './druid-client.ts'

/** Partitions that no task reads, and since when that is so. */
export interface UnreadPartitions {
  partitions: string[]
  since: string
  /** When Druid was last ordered to begin new tasks because of it. */
  handedOff?: string
}

/** A supervisor on its way may well have a task for some partitions and none for others yet. */
const PATIENCE_MS = 30_000

/**
 * What the next status says of partitions without a reader. A supervisor whose update comes while its tasks are
 * starting takes over one that reads only some partitions of its group, and is content with it until `taskDuration`
 * is over (seen on
 * 33.0.0 after a change of taskCount); partitions added to the topic wait as long.
 */
export function unreadAfter(
  before: UnreadPartitions | undefined,
  supervisor: SupervisorStatus | undefined,
  now: number,
): UnreadPartitions | undefined {
  if (!supervisor || supervisor.suspended || supervisor.unread.length === 0) return undefined
  return { ...before, partitions: [...supervisor.unread], since: before?.since ?? isoSeconds(now) }
}

/** True when it will not pass by itself. */
export function isStuck({ since }: UnreadPartitions, now: number): boolean {
  return now - Date.parse(since) >= PATIENCE_MS
}

/**
 * True when tasks should publish and end, so that new tasks get all partitions; true again after a while.
 */
export function wantsHandOff(unread: UnreadPartitions, now: number): boolean {
  return isStuck(unread, now) && now - Date.parse(unread.handedOff ?? unread.since) >= PATIENCE_MS
}
