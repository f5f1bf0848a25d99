import type { Observation } from './decide.ts'
import { decide } from './decide.ts'
import type { SupervisorOverview } from './druid-client.ts'
import type { DruidDatasource, DruidDatasourceStatus } from './druid-datasource.ts'
import { isTransitional } from './health.ts'
import { conditionOf } from './status.ts'
import type { DesiredSupervisor } from './supervisor-spec.ts'
import { isMarkedElsewhere, type MarkOwner } from './supervisor-spec.ts'

/** Whether all that a look has to do is to see that nothing has changed. Pure. */
export function isSettled({ metadata }: DruidDatasource, status: DruidDatasourceStatus): boolean {
  const { applied, applying, rejected, unread, drift, settings = [] } = status
  const isUnderWay = applying !== undefined || unread !== undefined || applied === undefined
  const isWrong =
    rejected !== undefined ||
    settings.some((setting) => setting.rejected !== undefined || setting.writing !== undefined)
  return (
    status.observedGeneration === metadata.generation &&
    !isUnderWay &&
    !isWrong &&
    (drift ?? []).length === 0 &&
    ['Ready', 'Healthy', 'Reachable'].every((type) => conditionOf(status, type)?.status === 'True')
  )
}

/**
 * Whether an overview of all supervisors shows that this one is as it was. An overview may be older than the last write,
 * so it never decides that something is to be done. Pure.
 */
export function isUnchanged(
  seen: SupervisorOverview | undefined,
  resource: DruidDatasource,
  status: DruidDatasourceStatus,
  { desired, owner }: { desired: DesiredSupervisor; owner: MarkOwner },
): boolean {
  if (seen === undefined || isTransitional(seen)) return false
  const { spec: live, state, detailedState, healthy, suspended } = seen
  const isSame =
    state === status.state &&
    detailedState === status.detailedState &&
    healthy === status.healthy &&
    suspended === status.suspended
  const observed: Observation = {
    live,
    history: [],
    isOwnerGone: false,
    isMarkedElsewhere: isMarkedElsewhere(live, owner),
  }
  if (!isSame) return false
  const decision = decide(desired, resource.spec, status, observed)
  return decision.act === 'nothing' && decision.drift.length === 0 && decision.rejected === undefined
}
