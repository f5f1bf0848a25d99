import { isOlder } from '../../runtime/model/order.ts'
import { differences, pathsBeside } from './compare-spec.ts'
import type { JsonObject, SupervisorVersion } from './druid-client.ts'
import type { DruidDatasource, DruidDatasourceStatus } from './druid-datasource.ts'
import type { DesiredSupervisor } from './supervisor-spec.ts'
import {
  OWNER_KEY,
  dataSourceOfSupervisor,
  isSuspended,
  isTombstone,
  orderIn,
  ownerOf,
  topicOf,
} from './supervisor-spec.ts'

/** What Druid showed in one look. */
export interface Observation {
  live: JsonObject | undefined
  /** Read only when there is no live supervisor; newest first. */
  history: readonly SupervisorVersion[]
  /** The resource that the mark of another owner names does not exist any more. */
  isOwnerGone: boolean
  /** It bears a mark that was made elsewhere (isMarkedElsewhere). */
  isMarkedElsewhere: boolean
}

/** The one thing to do now, and the reason that users see. */
export type Decision =
  /**
   * Nothing to do; `rejected` is set while Druid runs something older than what was asked for, `sampleRefused` when that
   * was not even sent.
   */
  | { act: 'nothing'; drift: readonly string[]; rejected?: string; sampleRefused?: string }
  | { act: 'apply'; reason: ApplyReason; message: string; spec: JsonObject }
  /** Druid has what was sent; only the status does not say so yet. */
  | { act: 'confirm'; reason: ApplyReason; message: string; live: JsonObject }
  /** Ingestion stopped because the supervisor fell over: `spec` is the last one that Druid accepted. */
  | { act: 'restore'; message: string; spec: JsonObject; rejects: boolean }
  | { act: 'suspend' | 'resume'; reason: 'Suspended' | 'Resumed' | 'DriftCorrected'; message: string }
  /** Druid has something that must not be touched; a person has to look. */
  | { act: 'refuse'; reason: RefuseReason; message: string }

export type ApplyReason =
  | 'Created'
  | 'Updated'
  | 'Adopted'
  | 'DriftCorrected'
  | 'RecreatedAfterTerminate'
  | 'LateWriteCorrected'
export type RefuseReason =
  | 'OwnedByAnother'
  | 'NotAdopted'
  | 'TopicChanged'
  | 'DataSourceChanged'
  | 'SupervisorTypeChanged'

type Policies = Pick<DruidDatasource['spec'], 'driftPolicy' | 'adoption'>

/** Pure: the same observation gives the same decision, so a pass may be repeated after a crash at any call. */
export function decide(
  desired: DesiredSupervisor,
  policies: Policies,
  status: DruidDatasourceStatus,
  observed: Observation,
): Decision {
  return observed.live === undefined
    ? decideAbsent(desired, policies, status, observed)
    : decideLive(desired, policies, status, { ...observed, live: observed.live })
}

function decideAbsent(
  desired: DesiredSupervisor,
  policies: Policies,
  status: DruidDatasourceStatus,
  { history, ...marks }: Observation,
): Decision {
  const newest = history[0]?.spec
  const isOurs = status.applied !== undefined
  if (newest === undefined || (isTombstone(newest) && !isOurs)) {
    return apply('Created', `created supervisor '${desired.id}' reading topic '${desired.topic}'`, desired.spec)
  }
  if (isTombstone(newest)) {
    if ((policies.driftPolicy ?? 'Enforce') !== 'Enforce') return { act: 'nothing', drift: ['terminated'] }
    return apply(
      'RecreatedAfterTerminate',
      `supervisor '${desired.id}' had been terminated by someone else and was created again`,
      desired.spec,
    )
  }
  return decideVanished(desired, policies, status, { ...marks, spec: newest })
}

/** Druid stops a supervisor before it builds its successor; when that throws, nothing runs (apache/druid#18827). */
function decideVanished(
  desired: DesiredSupervisor,
  policies: Policies,
  status: DruidDatasourceStatus,
  found: Found,
): Decision {
  const { spec: lastGood } = found
  const refusal = refuseForeign(desired, policies, status, found) ?? refuseImmutable(desired, lastGood)
  if (refusal) return refusal
  const same = differences(desired.spec, lastGood).length === 0
  const rejects = !same && status.applying?.hash === desired.hash
  return {
    act: 'restore',
    rejects,
    spec: same ? desired.spec : { ...lastGood, suspended: desired.suspended },
    message: `supervisor '${desired.id}' was gone although nobody had terminated it; posted ${same ? 'its' : 'the last good'} specification again`,
  }
}

function decideLive(
  desired: DesiredSupervisor,
  policies: Policies,
  status: DruidDatasourceStatus,
  { live, ...marks }: Observation & { live: JsonObject },
): Decision {
  const refusal = refuseForeign(desired, policies, status, { ...marks, spec: live }) ?? refuseImmutable(desired, live)
  if (refusal) return refusal
  if (status.rejected?.hash === desired.hash) {
    return (
      switchRun(desired, policies, status, live) ?? { act: 'nothing', drift: [], rejected: status.rejected.message }
    )
  }
  const interrupted = interruptedApply(desired, status, live)
  if (interrupted) return interrupted
  if (ownerOf(live) !== desired.owner && status.applied === undefined) {
    return apply('Adopted', `adopted the supervisor '${desired.id}' that was there already`, desired.spec)
  }
  if (status.applied?.hash !== desired.hash) {
    return apply('Updated', `sent the specification to supervisor '${desired.id}'`, desired.spec)
  }
  return decideDrift(desired, policies, status, live)
}

/**
 * A pass that ended between its call and its status. Where Druid has the specification, that is noted; else it is sent
 * again, since it may not have come. The Event is that of the intent, since what lives by now may be its doing.
 */
function interruptedApply(
  desired: DesiredSupervisor,
  { applying, applied }: DruidDatasourceStatus,
  live: JsonObject,
): Decision | undefined {
  if (applying?.as === undefined || (applying.hash !== desired.hash && applied !== undefined)) return undefined
  const { reason, message } = applying.as
  const isThere = differences(desired.spec, live).length === 0 && isSuspended(live) === desired.suspended
  // Sent again by another leader it would bear another mark, and Druid would restart its tasks for that.
  if (isThere && ownerOf(live) === desired.owner) return { act: 'confirm', reason, message, live }
  return apply(reason, message, desired.spec)
}

function decideDrift(
  desired: DesiredSupervisor,
  policies: Policies,
  status: DruidDatasourceStatus,
  live: JsonObject,
): Decision {
  const drift = pathsBeside(status.applied?.unkept, differences(desired.spec, live))
  if (isOlder(orderIn(live), status.applied?.order) && (drift.length > 0 || isSuspended(live) !== desired.suspended)) {
    return apply(
      'LateWriteCorrected',
      `supervisor '${desired.id}' had a specification that an earlier leader sent late; sent the present one again`,
      desired.spec,
    )
  }
  if (ownerOf(live) !== desired.owner) drift.push(`context.${OWNER_KEY}`)
  if (drift.length > 0 && (policies.driftPolicy ?? 'Enforce') === 'Enforce') {
    return apply(
      'DriftCorrected',
      `someone else changed ${drift.slice(0, 5).join(', ')} of supervisor '${desired.id}'; corrected`,
      desired.spec,
    )
  }
  const run = switchRun(desired, policies, status, live)
  if (run) return run
  if (isSuspended(live) !== desired.suspended) drift.push('suspended')
  return { act: 'nothing', drift: policies.driftPolicy === 'Ignore' ? [] : drift }
}

/** The run state alone differs. A wish of the resource is always followed, a change by others by policy. */
function switchRun(
  desired: DesiredSupervisor,
  policies: Policies,
  status: DruidDatasourceStatus,
  live: JsonObject,
): Decision | undefined {
  if (isSuspended(live) === desired.suspended) return undefined
  const act = desired.suspended ? 'suspend' : 'resume'
  if (status.applied?.suspended !== desired.suspended) {
    return { act, ...switchNote(desired) }
  }
  if ((policies.driftPolicy ?? 'Enforce') !== 'Enforce') return undefined
  return {
    act,
    reason: 'DriftCorrected',
    message: `someone else had ${desired.suspended ? 'resumed' : 'suspended'} supervisor '${desired.id}'; corrected`,
  }
}

/** What is said of a supervisor that was suspended or resumed because its resource wants it. */
export function switchNote({ id, suspended }: Pick<DesiredSupervisor, 'id' | 'suspended'>): {
  reason: 'Suspended' | 'Resumed'
  message: string
} {
  return {
    reason: suspended ? 'Suspended' : 'Resumed',
    message: `supervisor '${id}': ${suspended ? 'suspend' : 'resume'}`,
  }
}

/** A specification in Druid, live or the last one. */
type Found = { spec: JsonObject } & Pick<Observation, 'isOwnerGone' | 'isMarkedElsewhere'>

/**
 * A supervisor marked by another resource is never touched; one without a mark, or with that of a resource that is gone,
 * by `spec.adoption`.
 */
function refuseForeign(
  desired: DesiredSupervisor,
  policies: Policies,
  status: DruidDatasourceStatus,
  { spec: live, isOwnerGone, isMarkedElsewhere }: Found,
): Decision | undefined {
  const owner = ownerOf(live)
  if (isMarkedElsewhere) {
    return refuse(
      'OwnedByAnother',
      `supervisor '${desired.id}' belongs to the DruidDatasource ${String(owner)} of another cluster or installation, ` +
        `not to ${desired.owner} here; if that is no more, remove ${OWNER_KEY} from its context in Druid`,
    )
  }
  if (owner === desired.owner) return undefined
  if (owner !== undefined && !isOwnerGone) {
    return refuse(
      'OwnedByAnother',
      `supervisor '${desired.id}' belongs to the DruidDatasource ${owner}, not to ${desired.owner}`,
    )
  }
  // the mark was taken away by hand from what we had applied: that is drift, not somebody else's supervisor
  if (status.applied !== undefined) return undefined
  const adoption = policies.adoption ?? 'IfEqual'
  const paths = differences(desired.spec, live)
  if (adoption === 'Always' || (adoption === 'IfEqual' && paths.length === 0)) return undefined
  const why = adoption === 'Never' ? 'adoption is Never' : `it differs at ${paths.slice(0, 5).join(', ')}`
  return refuse('NotAdopted', `supervisor '${desired.id}' was there already and is left as it is: ${why}`)
}

/** Druid 33 accepts a new topic and then mixes its offsets with those of the old one; 34 and newer refuse. */
function refuseImmutable(desired: DesiredSupervisor, live: JsonObject): Decision | undefined {
  if (live['type'] !== 'kafka') {
    return refuse(
      'SupervisorTypeChanged',
      `supervisor '${desired.id}' is of type '${String(live['type'])}', not 'kafka'`,
    )
  }
  if (topicOf(live) !== desired.topic) {
    return refuse(
      'TopicChanged',
      `supervisor '${desired.id}' reads topic '${String(topicOf(live))}' and cannot change to '${desired.topic}': use a new datasource for a new topic`,
    )
  }
  const dataSource = dataSourceOfSupervisor(live)
  if (dataSource === desired.id) return undefined
  return refuse('DataSourceChanged', `supervisor '${desired.id}' writes to datasource '${String(dataSource)}'`)
}

function apply(reason: ApplyReason, message: string, spec: JsonObject): Decision {
  return { act: 'apply', reason, message, spec }
}

function refuse(reason: RefuseReason, message: string): Decision {
  return { act: 'refuse', reason, message }
}
