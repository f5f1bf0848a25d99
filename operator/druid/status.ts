import { isoSeconds } from '../kube/events.ts'
import type { Condition } from '../kube/objects.ts'
import { fewPaths } from './compare-spec.ts'
import type { Decision } from './decide.ts'
import type { DruidTask, SupervisorStatus } from './druid-client.ts'
import type { DruidDatasource, DruidDatasourceStatus } from './druid-datasource.ts'
import { dataSourceOf } from './druid-datasource.ts'
import { healthOf } from './health.ts'
import { kafkaOf } from './kafka-of.ts'
import type { SpecProblem } from './spec-problem.ts'

/** How a pass ended. */
export type PassResult =
  /** Nothing has changed since the last look. */
  | { kind: 'unchanged' }
  | { kind: 'invalid'; reason: 'SpecInvalid' | 'NotAllowed'; problems: readonly SpecProblem[] }
  /** Druid could not be asked, or failed; what runs there goes on. */
  | { kind: 'unreachable'; reason: string; message: string }
  | {
      kind: 'seen'
      decision: Decision
      supervisor: SupervisorStatus | undefined
      completedTasks: readonly DruidTask[]
      /** Paths of retention and compaction that others changed and that are left so. */
      settingsDrift: readonly string[]
    }

/** Of a pass that has something to write. */
export type Conclusion = Exclude<PassResult, { kind: 'unchanged' }>

type Verdict = Pick<Condition, 'status' | 'reason' | 'message'>

const MESSAGE_LIMIT = 1_000
const SHOWN_ERRORS = 3

/** The status after a pass. `base` carries what the pass recorded itself (applying, applied, rejected). Pure. */
export function statusAfter(
  resource: DruidDatasource,
  base: DruidDatasourceStatus,
  result: Conclusion,
  now: number,
): DruidDatasourceStatus {
  const generation = resource.metadata.generation ?? 0
  const kafka = kafkaOf(resource.spec)
  const verdicts = verdictsOf(result, base, now)
  const next: DruidDatasourceStatus = {
    ...base,
    observedGeneration: generation,
    dataSource: dataSourceOf(resource),
    ...(kafka === undefined ? {} : { topic: kafka.topic }),
    conditions: mergeConditions(base.conditions ?? [], verdicts, generation, now),
  }
  return result.kind === 'seen' ? withDruidView(next, result) : next
}

function withDruidView(
  next: DruidDatasourceStatus,
  { decision, supervisor, settingsDrift }: Extract<PassResult, { kind: 'seen' }>,
): DruidDatasourceStatus {
  const { drift: _, state: _s, detailedState: _d, healthy: _h, suspended: _p, lag: _l, ...rest } = next
  const drift = decision.act === 'nothing' ? [...decision.drift, ...settingsDrift] : []
  const shown = drift.length > 0 ? { ...rest, drift: fewPaths(drift) } : rest
  if (!supervisor) return { ...shown, activeTasks: 0, publishingTasks: 0, recentErrors: [] }
  return {
    ...shown,
    state: supervisor.state,
    detailedState: supervisor.detailedState,
    healthy: supervisor.healthy,
    suspended: supervisor.suspended,
    ...(supervisor.aggregateLag === undefined ? {} : { lag: supervisor.aggregateLag }),
    activeTasks: supervisor.activeTasks,
    publishingTasks: supervisor.publishingTasks,
    recentErrors: supervisor.recentErrors
      .slice(-SHOWN_ERRORS)
      .map(({ time, message }) => ({ time, message: message.slice(0, 300) })),
  }
}

/** One verdict per condition; a condition left out keeps what it said. */
function verdictsOf(result: Conclusion, base: DruidDatasourceStatus, now: number): Record<string, Verdict> {
  if (result.kind === 'invalid') {
    const message = result.problems
      .map(({ path, message: text, hint }) => `${path}: ${text}.${hint === undefined ? '' : ` ${hint}`}`)
      .join(' ')
    return stalledBy(result.reason, message)
  }
  if (result.kind === 'unreachable') {
    return {
      Ready: { status: 'Unknown', reason: result.reason, message: result.message },
      Reconciling: yes(result.reason, 'tried again with back-off'),
      Stalled: no('Retrying', ''),
      Reachable: no(result.reason, result.message),
    }
  }
  return {
    Reachable: yes('Reached', ''),
    ...verdictsOfDecision(result, base.applied?.unkept ?? []),
    ...verdictsOfSettings(base),
    Healthy: healthOf(result.supervisor, result.completedTasks, base.unread, now),
  }
}

function verdictsOfDecision(
  { decision, supervisor, settingsDrift }: Extract<PassResult, { kind: 'seen' }>,
  unkept: readonly string[],
): Record<string, Verdict> {
  if (decision.act === 'refuse') {
    return stalledBy(decision.reason, decision.message)
  }
  const rejected = decision.act === 'nothing' ? decision.rejected : undefined
  if (rejected !== undefined) {
    const runs = supervisor === undefined ? 'nothing runs' : 'the last good specification continues'
    return stalledBy('Rejected', `Druid refused the specification (${runs}): ${rejected}`)
  }
  const unsent = decision.act === 'nothing' ? decision.sampleRefused : undefined
  if (unsent !== undefined) {
    const runs = supervisor === undefined ? 'nothing runs' : 'the last good specification continues'
    return stalledBy(
      'SampleRefused',
      `the sampler of Druid refused the specification, which was not sent (${runs}): ${unsent}`,
    )
  }
  const drift = decision.act === 'nothing' ? [...decision.drift, ...settingsDrift] : []
  const drifted = drift.length > 0 ? yes('ChangedByOthers', `differs at ${drift.join(', ')}`) : no('AsWritten', '')
  if (!supervisor) {
    return {
      Ready: no('NoSupervisor', 'Druid has no such supervisor'),
      Reconciling: yes('NoSupervisor', ''),
      Stalled: no('Progressing', ''),
      Drifted: drifted,
    }
  }
  const ready = supervisor.suspended ? 'Suspended' : 'Running'
  return {
    Ready: yes(ready, `supervisor ${supervisor.detailedState}`),
    Reconciling: no('UpToDate', ''),
    Stalled: no('UpToDate', ''),
    Applied:
      unkept.length === 0 ? yes('Accepted', 'Druid runs this specification') : yes('Accepted', unkeptText(unkept)),
    Drifted: drifted,
  }
}

/** For retention and compaction; a refusal of them does not stop the supervisor. */
function verdictsOfSettings({ settings = [], conditions = [] }: DruidDatasourceStatus): Record<string, Verdict> {
  const refused = settings.filter(({ rejected }) => rejected !== undefined)
  const unkept = settings.flatMap((setting) => setting.unkept ?? [])
  if (refused.length > 0) {
    const message = refused.map(({ name, rejected }) => `Druid refused ${name}: ${rejected}`).join('; ')
    return { Configured: no('Rejected', message) }
  }
  // said once, it must not stay when nothing is asked for any more
  if (settings.length === 0 && !conditions.some(({ type }) => type === 'Configured')) return {}
  return {
    Configured: yes('AsWritten', unkept.length === 0 ? '' : `Druid gives back something else at ${unkept.join(', ')}`),
  }
}

/** Druid passes over what it does not know, and says nothing. */
function unkeptText(paths: readonly string[]): string {
  return `Druid runs this specification, but gives back something else at ${paths.join(', ')}: it may not know what stands there`
}

/** A person has to act. */
function stalledBy(reason: string, message: string): Record<string, Verdict> {
  return {
    Ready: no(reason, message),
    Reconciling: no(reason, ''),
    Stalled: yes(reason, message),
    Applied: no(reason, message),
  }
}

/** Keeps the time of a condition whose status has not changed. */
function mergeConditions(
  known: readonly Condition[],
  verdicts: Readonly<Record<string, Verdict>>,
  observedGeneration: number,
  now: number,
): Condition[] {
  const kept = known.filter(({ type }) => !Object.hasOwn(verdicts, type))
  const fresh = Object.entries(verdicts).map(([type, verdict]) => {
    const before = known.find((condition) => condition.type === type)
    const lastTransitionTime = before?.status === verdict.status ? before.lastTransitionTime : isoSeconds(now)
    return {
      type,
      ...verdict,
      message: verdict.message.slice(0, MESSAGE_LIMIT),
      observedGeneration,
      lastTransitionTime,
    }
  })
  return [...kept, ...fresh].sort((a, b) => ORDER.indexOf(a.type) - ORDER.indexOf(b.type))
}

const ORDER = ['Ready', 'Reconciling', 'Stalled', 'Reachable', 'Applied', 'Configured', 'Healthy', 'Drifted']

function yes(reason: string, message: string): Verdict {
  return { status: 'True', reason, message }
}

function no(reason: string, message: string): Verdict {
  return { status: 'False', reason, message }
}

/** The merge patch from one status to the other: members that are gone become null. */
export function statusPatch(from: DruidDatasourceStatus, to: DruidDatasourceStatus): Record<string, unknown> {
  const gone = Object.keys(from)
    .filter((key) => !(key in to))
    .map((key) => [key, null])
  return { ...Object.fromEntries(gone), ...to }
}

export function conditionOf(status: DruidDatasourceStatus | undefined, type: string): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type)
}
