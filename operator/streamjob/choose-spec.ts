import type { ConnectorDeclarations } from '../../runtime/graph/connector-declaration.ts'
import type { JobGraph } from '../../runtime/graph/job-graph.ts'
import type { Origin, Problem } from '../../runtime/graph/problems.ts'
import { changeOf } from '../../runtime/plan/change.ts'
import type { Change } from '../../runtime/plan/change.ts'
import type { HeldRevision, StreamJob, StreamJobSpec, StreamJobStatus } from '../api/stream-job.ts'
import type { Kube } from '../kube/kube.ts'
import { revisionName } from '../resources/controller-revision.ts'
import { hashOf } from '../resources/hash.ts'
import { lastGoodName } from '../resources/job-objects.ts'
import type { PodSettings } from '../resources/job-pod.ts'
import { reachOf } from '../resources/job-reach.ts'
import { isListed, isSealed, keptHash, keptPart, readKept, SHORT_HASH } from './kept-specs.ts'
import type { KeptSpecs } from './kept-specs.ts'
import { planEdit, type EditPlan } from './edit-plan.ts'
import type { KeepSpec } from './observed.ts'
import { hasStarted } from './restore-source.ts'
import { isRolledBack } from './stability.ts'
import { readSpec } from './wanted.ts'
import type { ReadSpec } from './wanted.ts'

interface ChooseParts {
  kube: Kube
  connectors: ConnectorDeclarations
  settings: PodSettings
}

export interface ChosenSpec {
  /** What should run, and its graph; undefined when no spec was ever good. */
  chosen: UsableSpec | undefined
  problems: readonly Problem[]
  keep: KeepSpec | undefined
  held: HeldRevision | undefined
  /** What is kept, when it had to be read. */
  kept: KeptSpecs | undefined
  /** A good spec that waits to be approved, and what it would do. */
  plan?: WaitingPlan
}

export interface WaitingPlan extends EditPlan {
  /** By which it is approved. */
  hash: string
}

export interface UsableSpec {
  spec: StreamJobSpec
  graph: JobGraph
}

/** Which spec of a job is to run: the newest one, or a kept one in its place. */
export async function chooseSpec(parts: ChooseParts, job: StreamJob): Promise<ChosenSpec> {
  const chosen = await choose(parts, job)
  const { kept, keep = earlierSpecs(job, kept) } = chosen
  return { ...chosen, keep }
}

/** Specs that were kept before there were revisions get theirs, whichever spec runs. */
function earlierSpecs({ status }: StreamJob, kept: KeptSpecs | undefined): KeepSpec | undefined {
  const isVouchedFor = (status?.lastGood?.hash.length ?? 0) > SHORT_HASH
  if (kept?.lastGood === undefined || kept.unlisted.length === 0 || !isVouchedFor) return undefined
  return { kind: 'earlier', change: undefined, specs: kept.unlisted, leftover: kept.leftover }
}

async function choose(parts: ChooseParts, job: StreamJob): Promise<ChosenSpec> {
  const { rollbackTo } = job.spec.upgrade ?? {}
  if (rollbackTo !== undefined) return heldSpec(parts, job, rollbackTo)
  const hash = job.status?.lastGood?.hash
  const isKept = hash !== undefined && isSealed(job.spec, hash)
  return isKept && isRolledBack(job.status) ? stableSpec(parts, job) : newestSpec(parts, job, isKept)
}

/** The newest spec when it is good and its state fits what has run; else the one that ran until now. */
async function newestSpec(parts: ChooseParts, job: StreamJob, isKept: boolean): Promise<ChosenSpec> {
  const hash = job.status?.lastGood?.hash ?? ''
  const read = readJobSpec(parts, job, job.spec, isKept ? 'kept' : 'written')
  const problems = [...nameProblems(job.metadata.name), ...read.problems]
  const newest = problems.length === 0 ? usableSpec(job.spec, read) : undefined
  // The few digits of an earlier operator prove too little: the spec is kept again.
  const isRecorded = isKept && hash.length > SHORT_HASH && isListed(job.status, hash)
  const recorded = { chosen: newest, problems, keep: undefined, held: undefined }
  if (newest !== undefined && isRecorded && !job.status?.rollbackTo) return { ...recorded, kept: undefined }
  const kept = await readKept(parts.kube, job)
  const inForce = specInForce(parts, job, kept)
  if (newest === undefined) {
    const altered = kept.isAltered ? [alteredSpec(job)] : []
    return { ...inForce, problems: [...problems, ...altered], keep: undefined, kept }
  }
  const misfit = misfitOf(job, newest, inForce.chosen)
  if (misfit !== undefined) return { ...inForce, problems: [misfit], keep: undefined, kept }
  const plan = waitingPlan(parts, job, newest, inForce.chosen)
  if (plan !== undefined) return { ...inForce, problems: [planWaits(job, plan)], keep: undefined, kept, plan }
  if (isRecorded) return { ...recorded, kept }
  const change = inForce.chosen === undefined ? undefined : changeOf(inForce.chosen.graph, newest.graph)
  const keep: KeepSpec = {
    kind: isKept && hash.length > SHORT_HASH ? 'earlier' : 'newest',
    change,
    specs: [...kept.unlisted.filter((spec) => !isSealed(spec, keptHash(job.spec))), job.spec],
    leftover: kept.leftover,
  }
  // A revision that was held stays so until the newest spec is kept.
  return { chosen: newest, problems, keep, held: inForce.held, kept }
}

/** The spec that runs until another one is taken. */
function specInForce(parts: ChooseParts, job: StreamJob, kept: KeptSpecs): Pick<ChosenSpec, 'chosen' | 'held'> {
  const held = job.status?.rollbackTo ?? undefined
  // Without its text nothing else runs in its place: somebody has taken that off.
  const spec =
    held === undefined
      ? ((isRolledBack(job.status) ? kept.stable : undefined) ?? kept.lastGood)
      : kept.texts.get(held.hash)
  // It was good when it was kept; an operator of another version may read it otherwise.
  const chosen = spec === undefined ? undefined : usableSpec(spec, readJobSpec(parts, job, spec, 'kept'))
  return { chosen, held }
}

/** Why a good spec cannot follow the one in force. */
function misfitOf(job: StreamJob, next: UsableSpec, inForce: UsableSpec | undefined): Problem | undefined {
  if (inForce === undefined || !hasStarted(job)) return undefined
  const { restore } = next.spec
  if (restore !== undefined && hashOf(restore) !== hashOf(inForce.spec.restore ?? null)) return RESTORE_TOO_LATE
  const change = changeOf(inForce.graph, next.graph)
  return change.class === 'incompatible' ? incompatible(change, 'spec') : undefined
}

const APPROVE_PLAN = 'millrace.dev/approve-plan'
const APPROVED_PLAN = 'millrace.dev/approved-plan'

/** Where edits are to be approved, one that touches what runs waits until its hash stands in the annotation. */
function waitingPlan(
  { settings }: ChooseParts,
  job: StreamJob,
  newest: UsableSpec,
  inForce: UsableSpec | undefined,
): WaitingPlan | undefined {
  const { annotations = {} } = job.metadata
  const hash = keptHash(newest.spec).slice(0, SHORT_HASH)
  if (annotations[APPROVE_PLAN] !== 'required' || annotations[APPROVED_PLAN] === hash) return undefined
  if (inForce === undefined || !hasStarted(job) || keptHash(inForce.spec) === keptHash(newest.spec)) return undefined
  const wanted = { ...newest, spec: keptPart(newest.spec) }
  const plan = planEdit({ ...inForce, spec: keptPart(inForce.spec) }, wanted, {
    job,
    spec: newest.spec,
    settings,
    tokenSecret: '',
  })
  return plan.class === 'none' ? undefined : { ...plan, hash }
}

function planWaits({ metadata: { name } }: StreamJob, { class: gravest, steps, hash }: WaitingPlan): Problem {
  return {
    code: 'PLAN_WAITS',
    path: 'spec',
    message: `the edit (${gravest}) waits to be approved: ${steps.map(({ what }) => what).join('; ')}`,
    hint: `kubectl annotate sj ${name} ${APPROVED_PLAN}=${hash} --overwrite`,
  }
}

/** In place of one that did not hold. */
async function stableSpec(parts: ChooseParts, job: StreamJob): Promise<ChosenSpec> {
  const kept = await readKept(parts.kube, job)
  const { stable } = kept
  const chosen = stable === undefined ? undefined : usableSpec(stable, readJobSpec(parts, job, stable, 'kept'))
  const problem: Problem = {
    code: 'ROLLED_BACK',
    path: 'spec',
    message: job.status?.rolledBack?.message ?? 'it did not hold',
    hint: 'correct the spec; to try the same once more, change spec.restartNonce',
  }
  return {
    chosen,
    problems: [problem, ...(chosen === undefined ? [alteredSpec(job)] : [])],
    keep: undefined,
    held: undefined,
    kept,
  }
}

const ROLLBACK_TO = 'spec.upgrade.rollbackTo'

/**
 * The revision that the spec names. The field wins over whatever else the spec says: an autoscaler that changes
 * `replicas`, or a half-done edit, must not bring back what somebody has just taken off.
 */
async function heldSpec(parts: ChooseParts, job: StreamJob, revision: number): Promise<ChosenSpec> {
  const kept = await readKept(parts.kube, job)
  const inForce = specInForce(parts, job, kept)
  const named = job.status?.revisions?.find((one) => one.revision === revision)
  const spec = named === undefined ? undefined : kept.texts.get(named.hash)
  const refused = (problems: readonly Problem[]): ChosenSpec => ({ ...inForce, problems, keep: undefined, kept })
  if (named === undefined) return refused([unknownRevision(job.status, revision)])
  if (spec === undefined) return refused([alteredRevision(job, named)])
  const read = readJobSpec(parts, job, spec, 'kept')
  const chosen = usableSpec(spec, read)
  if (chosen === undefined) return refused(read.problems)
  const isInForce = inForce.held?.hash === named.hash
  const change =
    isInForce || inForce.chosen === undefined || !hasStarted(job)
      ? undefined
      : changeOf(inForce.chosen.graph, chosen.graph)
  if (change?.class === 'incompatible') return refused([incompatible(change, ROLLBACK_TO)])
  return { chosen, problems: [], keep: undefined, held: { revision, hash: named.hash }, kept }
}

function unknownRevision(status: StreamJobStatus | undefined, revision: number): Problem {
  const known = (status?.revisions ?? []).map((one) => one.revision)
  return {
    code: 'REVISION_UNKNOWN',
    path: ROLLBACK_TO,
    message: `there is no revision ${revision}`,
    hint:
      known.length === 0
        ? 'no spec of this job was kept yet: take the field out'
        : `there are ${known.join(', ')} (status.revisions)`,
  }
}

function alteredRevision(
  { metadata: { name } }: StreamJob,
  { revision, hash }: { revision: number; hash: string },
): Problem {
  return {
    code: 'REVISION_ALTERED',
    path: ROLLBACK_TO,
    message: `revision ${revision} cannot be used: ControllerRevision ${revisionName(name, hash)} is gone, or not as the operator wrote it`,
    hint: 'name another one, or take the field out',
  }
}

export function readJobSpec(
  { connectors, settings }: ChooseParts,
  job: StreamJob,
  spec: StreamJobSpec,
  origin: Origin,
): ReadSpec {
  const { maxSubtasks } = settings
  return readSpec(spec, connectors, { maxSubtasks, origin, reach: reachOf(job, spec, settings) })
}

export function usableSpec(spec: StreamJobSpec, { graph }: ReadSpec): UsableSpec | undefined {
  return graph === undefined ? undefined : { spec, graph }
}

const RESTORE_TOO_LATE: Problem = {
  code: 'RESTORE_TOO_LATE',
  path: 'spec.restore',
  message: 'the job has started and has state of its own',
  hint: 'take it out again; to start from a savepoint, create another job',
}

function alteredSpec({ metadata: { name }, status }: StreamJob): Problem {
  const hash = status?.lastGood?.hash ?? ''
  const where = isListed(status, hash)
    ? `ControllerRevision ${revisionName(name, hash)}`
    : `ConfigMap ${lastGoodName(name)}`
  return {
    code: 'LAST_GOOD_ALTERED',
    path: 'spec',
    message: `the last good spec cannot be used: ${where} is gone, or not as the operator wrote it`,
    hint: 'correct the spec above: the next good one is kept again',
  }
}

/** Pods and the Service are named after the job; a Service takes no dots and begins with a letter. */
function nameProblems(name: string): Problem[] {
  if (/^[a-z]([-a-z0-9]{0,49}[a-z0-9])?$/.test(name)) return []
  return [
    {
      code: 'NAME_INVALID',
      path: 'metadata.name',
      message: `"${name}" cannot name a Service`,
      hint: 'at most 51 of a-z, 0-9 and -, a letter first',
    },
  ]
}

function incompatible(change: Change, path: string): Problem {
  return {
    code: 'STATE_INCOMPATIBLE',
    path,
    message: change.reasons.join('; '),
    hint: 'give the changed operator a new id to start it without state, or undo the change',
  }
}
