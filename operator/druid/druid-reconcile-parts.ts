import type { Clock } from '../../runtime/ports/clock.ts'
import type { Leadership } from '../controller/leadership.ts'
import type { EventRecorder } from '../kube/events.ts'
import type { Kube } from '../kube/kube.ts'
import type { AllowedUse } from './allowed-use.ts'
import type { DruidAccess } from './druid-access.ts'
import type { DruidClient } from './druid-client.ts'

/** The Druids of the operator's configuration, by name. */
export interface DruidEndpoints {
  find(name: string): KnownDruid | undefined
}

export interface KnownDruid {
  /** host:port, an IPv6 host in brackets. */
  address: string
  /** Who may use it; empty: everybody. */
  allowed: readonly AllowedUse[]
  /**
   * Without access, with the operator's own. The same access gets the same client. Throws MillraceError
   * DRUID_SECRET_INVALID when its certificates cannot be used.
   */
  client(access?: DruidAccess): DruidClient
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
