import type { DruidTask, SupervisorStatus } from './druid-client.ts'
import { isStuck, type UnreadPartitions } from './unread-partitions.ts'
import { camelCase } from '../kube/camel-case.ts'

export interface Health {
  status: 'True' | 'False' | 'Unknown'
  reason: string
  message: string
}

const FAILING_TASKS = 2
const RECENT_MS = 5 * 60_000

/**
 * Whether rows are flowing, which Druid's own `healthy` does not say: it stays true for a supervisor that cannot build
 * its Kafka client, whose tasks all fail or leave partitions unread, or whose offsets are beyond the end of the topic
 * (all seen on 33.0.0).
 * `tasks` are the newest completed ones; `now`, in milliseconds since the epoch, is of the clock that `unread` is from.
 */
export function healthOf(
  status: SupervisorStatus | undefined,
  tasks: readonly DruidTask[],
  unread: UnreadPartitions | undefined,
  now: number,
): Health {
  if (!status) return { status: 'Unknown', reason: 'NoSupervisor', message: 'Druid has no such supervisor' }
  const trouble = status.recentErrors.at(-1)?.message
  const beyond = Object.entries(status.lagByPartition).filter(([, lag]) => lag < 0)
  if (beyond.length > 0) {
    const list = beyond.map(([partition, lag]) => `partition ${partition} by ${-lag}`).join(', ')
    return unhealthy(
      'OffsetsOutOfRange',
      `the stored offsets lie beyond the end of the topic (${list}): nothing is read until they are reset by hand`,
    )
  }
  if (!status.healthy || status.state.startsWith('UNHEALTHY')) {
    return unhealthy(camelCase(status.detailedState), trouble ?? `Druid says ${status.detailedState}`)
  }
  if (status.state === 'PENDING' && trouble !== undefined) return unhealthy('NotStarting', trouble)
  if (unread && isStuck(unread, now)) {
    return unhealthy(
      'PartitionsUnread',
      `no task has read partition ${unread.partitions.join(', ')} since ${unread.since}`,
    )
  }
  const failed = tasks.filter((task) => task.status === 'FAILED' && (task.ageMs ?? 0) < RECENT_MS)
  if (failed.length >= FAILING_TASKS) {
    return unhealthy('TasksFailing', `the newest tasks failed: ${failed[0]?.errorMessage ?? 'Druid gives no reason'}`)
  }
  return { status: 'True', reason: camelCase(status.state), message: `Druid says ${status.detailedState}` }
}

const ON_THE_WAY: readonly string[] = [
  'PENDING',
  'STOPPING',
  'CONNECTING_TO_STREAM',
  'DISCOVERING_INITIAL_TASKS',
  'CREATING_TASKS',
]

/**
 * True while the supervisor is on its way to running, or in trouble, and should be looked at again soon. States of newer
 * versions are not known: 38 has COMPLETED, which stays.
 */
export function isTransitional(status: Pick<SupervisorStatus, 'state' | 'detailedState'> | undefined): boolean {
  if (status === undefined || status.state.startsWith('UNHEALTHY')) return true
  return status.state !== 'SUSPENDED' && ON_THE_WAY.includes(status.detailedState)
}

function unhealthy(reason: string, message: string): Health {
  return { status: 'False', reason, message }
}
