import type { AutoscalerReport, JobReport, ScalingLimit, ScalingProposal } from '../../runtime/control/job-report.ts'
import { policyDigest } from '../../runtime/control/digest.ts'
import { canonicalJson } from '../../runtime/model/canonical-json.ts'
import type { AutoscalerStatus, ScaledOperator, StreamJob, StreamJobStatus } from '../api/stream-job.ts'
import type { EventNote } from '../kube/events.ts'
import type { Act, Decision, Scaling } from './decision.ts'
import type { Observed } from './observed.ts'
import { isLate, settled } from './operation.ts'
import { replicasOfSpec } from './scaled-replicas.ts'
import type { Wanted } from './wanted.ts'

/** A coordinator runs its user's image: however it calls, the job is not rescaled more often than that. */
const LEAST_BETWEEN_MS = 15_000
/** How long no other change is tried after one that could not be carried out: a quota, a cluster without room. */
const HOLD_MS = 10 * 60_000
/** How many proposals, and how many limits, the status lists. */
const MOST_LISTED = 16

/** What a job that runs as it should does next for the sake of the load. */
type ScalingStep = Pick<Decision, 'requeueAfterMs'> &
  (
    | { act: Extract<Act, { kind: 'putAutoscaler' }> }
    | (Pick<Decision, 'reason' | 'message' | 'events'> & { scaling: Scaling })
  )

/**
 * The coordinator is to watch the load otherwise, or operators get other numbers of slots. Undefined: neither. Called when
 * the wanted revision runs. Pure.
 */
export function decideScaling(observed: Observed, wanted: Wanted, report: JobReport): ScalingStep | undefined {
  const { autoscaler, error } = report
  // a coordinator that cannot watch the load
  if (autoscaler === undefined) return undefined
  if (autoscaler.policy !== policyDigest(wanted.autoscaler))
    return { act: { kind: 'putAutoscaler', policy: wanted.autoscaler }, requeueAfterMs: 0 }
  if (wanted.autoscaler === null || error !== null || !mayScale(observed)) return undefined
  const proposals = autoscaler.proposals.flatMap((one) => applicable(one, wanted))
  if (proposals.length === 0) return undefined
  const because = proposals.map(describe).join(' ')
  return {
    reason: 'ScalingApplied',
    message: because,
    requeueAfterMs: 0,
    events: [{ type: 'Normal', reason: 'ScalingApplied', message: because }],
    scaling: {
      scaled: withProposals(wanted.scaled, proposals),
      base: replicasOfSpec(wanted.spec),
      at: new Date(observed.now).toISOString(),
      because,
      spec: observed.job.status?.lastGood?.hash ?? '',
      before: wanted.scaled,
      held: null,
    },
  }
}

/** In Apply, what is proposed is looked at until it is done: nothing else may wake the next pass. */
export function waitsToScale({ spec, status }: StreamJob): boolean {
  return spec.autoscaler?.mode === 'Apply' && (status?.autoscaler?.proposals.length ?? 0) > 0
}

/** One thing changes at a time: a spec first has to show that it holds. */
function mayScale({ job, now, held, isDeferred }: Observed): boolean {
  const { autoscaler, observing } = job.status ?? {}
  if (job.spec.autoscaler?.mode !== 'Apply' || held !== undefined || isDeferred) return false
  if ((observing ?? undefined) !== undefined) return false
  const heldUntil = Date.parse(autoscaler?.held?.until ?? '')
  const lastAt = Date.parse(autoscaler?.at ?? '')
  return !(now < heldUntil) && !(now < lastAt + LEAST_BETWEEN_MS)
}

/** The proposal within what the spec and the operator allow; none when nothing of it is left. */
function applicable(proposal: ScalingProposal, { autoscaler, chains, maxSubtasks }: Wanted): ScalingProposal[] {
  const { operators, from } = proposal
  const own = chains.filter((chain) => chain.operators.some((operator) => operators.includes(operator)))
  const isOfNow =
    own.length > 0 &&
    own.every(({ slots }) => slots === from) &&
    own.flatMap((chain) => chain.operators).every((operator) => operators.includes(operator))
  if (autoscaler === null || !isOfNow || !operators.every((one) => autoscaler.operators.includes(one))) return []
  const others = chains.reduce((sum, chain) => sum + (own.includes(chain) ? 0 : chain.slots), 0)
  const room = Math.floor((maxSubtasks - others) / own.length)
  const to = Math.max(autoscaler.minReplicas, Math.min(proposal.to, autoscaler.maxReplicas, room))
  return to === from ? [] : [{ ...proposal, to }]
}

function withProposals(scaled: readonly ScaledOperator[], proposals: readonly ScalingProposal[]): ScaledOperator[] {
  const replicas = new Map(scaled.map((one) => [one.operator, one.replicas]))
  for (const { operators, to } of proposals) for (const operator of operators) replicas.set(operator, to)
  return [...replicas].map(([operator, slots]) => ({ operator, replicas: slots }))
}

/**
 * Takes back what the autoscaler changed when the pods for it are refused or do not come in time: the job runs on with
 * those that it has, and is not held in an operation that nobody asked for. Undefined: nothing to take back. Pure.
 */
export function decideRetreat(observed: Observed): Decision | undefined {
  const { job, coordinator, wanted, now } = observed
  const { autoscaler, operation, refusal } = job.status ?? {}
  if (!isScaling(job.status) || autoscaler === undefined || autoscaler === null || wanted === undefined)
    return undefined
  if (coordinator.kind !== 'reached' || coordinator.report.phase !== 'running') return undefined
  if (coordinator.report.revision === wanted.revision) return undefined
  const isRefused = (refusal ?? undefined) !== undefined
  const isHeldUp = operation?.type === 'Rescale' && isLate(observed, operation)
  if (!isRefused && !isHeldUp) return undefined
  const why = refusal?.message ?? job.status?.message ?? 'its pods did not come in time.'
  const message = `What the autoscaler changed is taken back, and nothing is tried again for ten minutes: ${why}`
  return {
    ...settled(observed, {
      phase: 'Running',
      reason: 'ScalingTakenBack',
      message,
      requeueAfterMs: 0,
      events: [{ type: 'Warning', reason: 'ScalingTakenBack', message }],
    }),
    scaling: {
      scaled: autoscaler.before ?? [],
      base: autoscaler.base,
      at: autoscaler.at ?? null,
      because: autoscaler.because ?? '',
      spec: autoscaler.spec ?? '',
      before: null,
      held: { until: new Date(now + HOLD_MS).toISOString(), message },
    },
  }
}

/** The change of parallelism under way, or taken back, is the autoscaler's: the spec has not changed since. */
export function isScaling(status: StreamJobStatus | undefined): boolean {
  const { autoscaler, lastGood } = status ?? {}
  if (autoscaler === undefined || autoscaler === null || autoscaler.spec !== lastGood?.hash) return false
  return (autoscaler.before ?? null) !== null || (autoscaler.held ?? null) !== null
}

/** What the status says of the autoscaler after a decision. */
export function autoscalerAfter(observed: Observed, decision: Decision): AutoscalerStatus | null {
  const { job, coordinator, wanted } = observed
  if (job.spec.autoscaler === undefined) return null
  const before = job.status?.autoscaler ?? undefined
  const said = coordinator.kind === 'reached' ? coordinator.report.autoscaler : undefined
  const base = wanted === undefined ? before?.base : replicasOfSpec(wanted.spec)
  const own = decision.scaling ?? ownPart(before, base ?? 1)
  const isDone = decision.ended?.type === 'Rescale' && decision.ended.result === 'Succeeded'
  return { ...own, ...(isDone ? { before: null } : {}), ...shown(said, before) }
}

/** Somebody has chosen another number of replicas since: then that holds. */
function ownPart(before: AutoscalerStatus | undefined, base: number): Scaling {
  const { scaled = [], at = null, because = '', spec = '', before: earlier = null, held = null } = before ?? {}
  const isSame = before?.base === base
  return { scaled: isSame ? scaled : [], base, at, because, spec, before: isSame ? earlier : null, held }
}

function shown(
  said: AutoscalerReport | undefined,
  before: AutoscalerStatus | undefined,
): Pick<AutoscalerStatus, 'proposals' | 'limits'> {
  const { proposals, limits } = said ?? before ?? { proposals: [], limits: [] }
  return {
    proposals: proposals
      .slice(0, MOST_LISTED)
      .map(({ operators, from, to, because }) => ({ operators, from, to, because })),
    limits: limits.slice(0, MOST_LISTED).map(({ operators, reason, message }) => ({ operators, reason, message })),
  }
}

/** What is news in the proposals and limits of a job that runs. */
export function scalingNotes({ job }: Observed, next: AutoscalerStatus | null): EventNote[] {
  if (next === null) return []
  const before = job.status?.autoscaler ?? undefined
  const isNews = (one: ScalingLimit | ScalingProposal, known: readonly object[] = []): boolean =>
    !known.some((other) => canonicalJson(other) === canonicalJson(one))
  const proposed = job.spec.autoscaler?.mode === 'Apply' ? [] : next.proposals
  return [
    ...proposed
      .filter((one) => isNews(one, before?.proposals))
      .map((one): EventNote => ({ type: 'Normal', reason: 'ScalingProposed', message: describe(one) })),
    ...next.limits
      .filter((one) => isNews(one, before?.limits))
      .map(({ message }): EventNote => ({ type: 'Warning', reason: 'ScalingLimited', message })),
  ]
}

function describe({ operators, from, to, because }: ScalingProposal): string {
  return `${operators.join(', ')}: ${from} → ${to} slots. ${because}`
}
