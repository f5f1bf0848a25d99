import type { Clock } from '../../runtime/ports/clock.ts'
import type { Leadership } from '../controller/leadership.ts'
import type { EventRecorder } from '../kube/events.ts'
import type { Kube } from '../kube/kube.ts'
import type { AllowedUse } from './allowed-use.ts'
import type { DruidClient } from './druid-client.ts'

/** The Druids of the operator's configuration, by name. */
export interface DruidEndpoints {
  client(name: string): DruidClient | undefined
  /** Who may use it; empty: everybody. */
  allowed(name: string): readonly AllowedUse[]
}

/** What reconciling DruidDatasources needs from outside. */
export interface DruidReconcileParts {
  kube: Kube
  /** Only for when to look again: what stays in objects has the time of the API server. */
  clock: Clock
  events: Pick<EventRecorder, 'record' | 'recordOnce'>
  druids: DruidEndpoints
  leadership: Leadership
}
