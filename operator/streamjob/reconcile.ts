import type { JobTarget } from '../../runtime/control/job-report.ts'
import type { Logger } from '../../runtime/ports/logger.ts'
import type { ReconcileResult } from '../controller/controller.ts'
import { orderOf } from '../controller/leadership.ts'
import type { Leadership } from '../controller/leadership.ts'
import { FINALIZER, streamJobs } from '../api/stream-job.ts'
import type { Operation, StreamJob, StreamJobStatus } from '../api/stream-job.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts'
import type { EventNote, EventRecorder } from '../kube/events.ts'
import type { ObjectRef } from '../kube/kube.ts'
import type { KubeObject, Pod } from '../kube/objects.ts'
import { pods as podResource, secrets, services } from '../kube/resource-type.ts'
import type { ResourceType } from '../kube/resource-type.ts'
import { tokenOf } from '../resources/job-token.ts'
import { coordinatorService, tokenSecret } from '../resources/job-objects.ts'
import { JOB_PORTS } from '../resources/job-pod.ts'
import type { SavepointSchedule } from '../savepoint/schedule.ts'
import { decide, isAtRest } from './decide.ts'
import type { Decision } from './decision.ts'
import { deleteLeftover, keepSpec } from './keep-spec.ts'
import { endpointOf, observe } from './observe.ts'
import type { ObserveParts } from './observe.ts'
import type { Observed } from './observed.ts'
import { deletionEnds } from './operation.ts'
import type { OncePerOperation } from './once-per-operation.ts'
import { coordinatorAmong } from './pod-sets.ts'
import { predecessorOf } from './predecessor.ts'
import { refused, refusalFrom, targetRefusalOf } from './refusal.ts'
import type { Refused } from './refusal.ts'
import type { Isolation } from './isolation.ts'
import { standsOnTold } from './job-views.ts'
import type { JobView, JobViews } from './job-views.ts'
import type { Listener } from './listener.ts'
import { windowLeftMs } from './stability.ts'
import { statusOf } from './status.ts'
import type { StatusPace } from './status-pace.ts'
import type { Teller } from './tell.ts'
import { tellingOf } from './untold.ts'
import { withShortTexts } from '../kube/short-texts.ts'
import { hasUntold, TELL_AGAIN_MS, TELLING_PATIENCE_MS } from '../kube/tell-untold.ts'
import { textWithoutNulls } from '../kube/text-without-nulls.ts'

export interface StreamJobParts extends ObserveParts {
  events: EventRecorder
  teller: Teller
  views: JobViews
  isolation: Isolation
  created: OncePerOperation
  schedule: SavepointSchedule
  pace: StatusPace
  listener: Listener
  leadership: Leadership
  logger: Logger
}

/**
 * observe → decide → status (the intent) → one act. Everything a later pass needs is in the status. A pass that decided on
 * what it was told, and whose decision would not stand on an old view, is made again on what it reads.
 */
export async function reconcileStreamJob(parts: StreamJobParts, ref: ObjectRef): Promise<ReconcileResult> {
  try {
    const told = parts.views.told(ref)
    const result = told === undefined ? undefined : await passOver(parts, told, standsOnTold)
    if (result !== undefined) return result
    const read = await parts.views.read(ref)
    if (read !== undefined) return (await passOver(parts, read, () => true)) ?? {}
  } catch (error) {
    parts.views.doubt(ref)
    throw error
  }
  parts.listener.forget(ref)
  parts.teller.gone(ref)
  parts.views.forget(ref)
  return {}
}

/** Resolves with undefined when the decision does not stand: then nothing was done. */
async function passOver(
  parts: StreamJobParts,
  view: JobView,
  stands: (decision: Decision) => boolean,
): Promise<ReconcileResult | undefined> {
  const { metadata } = view.job
  if (!hasFinalizer(view.job) && metadata.deletionTimestamp === undefined) {
    await setFinalizers(parts, view.job, [...(metadata.finalizers ?? []), FINALIZER])
    return { requeueAfterMs: 0 }
  }
  parts.teller.seen(view.job)
  const job = await parts.teller.tell(view.job)
  const observed = await observe(parts, { ...view, job })
  const decision = decide(observed)
  return stands(decision) ? carryThrough(parts, observed, decision) : undefined
}

async function carryThrough(parts: StreamJobParts, observed: Observed, decision: Decision): Promise<ReconcileResult> {
  const current = await intend(parts, observed, decision)
  if (decision.act.kind === 'release') return release(parts, { ...observed, job: current.job }, decision)
  const refusal = await carryOut(parts, { ...observed, job: current.job }, decision)
  if (refusal === undefined) {
    const next = hasWrittenJob(decision) ? requeueAfter(decision) : await tell(parts, current, decision)
    const looksIn = sooner(rest(parts, { ...observed, job: current.job }, decision) ?? next, current.heldBackMs)
    return isSteady(decision) ? sooner(looksIn, await parts.schedule.keep(current.job)) : looksIn
  }
  parts.listener.forget(refOf(observed.job))
  const outcome = refused(observed, decision, refusal)
  return tell(parts, await writeStatus(parts, { ...observed, job: current.job }, outcome), outcome)
}

/** Before anything is created that would have to be taken away again. */
function hasFinalizer({ metadata }: StreamJob): boolean {
  return metadata.finalizers?.includes(FINALIZER) === true
}

/** Writes the status that an act needs before it. A spec is kept with the status that names it, in one. */
function intend(parts: StreamJobParts, observed: Observed, decision: Decision): Promise<Written> {
  return decision.act.kind === 'keepSpec'
    ? Promise.resolve({ job: observed.job, lasting: [] })
    : writeStatus(parts, observed, decision)
}

/** The job runs, and nothing is under way: savepoints can be taken. */
function isSteady({ act, phase }: Decision): boolean {
  return act.kind === 'none' && (phase === 'Running' || phase === 'Degraded')
}

function sooner(result: ReconcileResult, dueInMs: number = Infinity): ReconcileResult {
  const ms = Math.min(result.requeueAfterMs ?? Infinity, dueInMs)
  return ms === Infinity ? result : { ...result, requeueAfterMs: ms }
}

/** Undefined when the job is not at rest: it is looked at again soon. */
function rest(parts: StreamJobParts, observed: Observed, decision: Decision): ReconcileResult | undefined {
  const { job, running, coordinator } = observed
  const endpoint = coordinatorEndpoint(parts, observed, running?.template)
  if (endpoint === undefined || coordinator.kind !== 'reached' || !isAtRest(observed, decision)) {
    parts.listener.forget(refOf(job))
    return undefined
  }
  const requeueAfterMs = parts.listener.listen(refOf(job), endpoint, coordinator.report)
  return sooner({ requeueAfterMs, settledAt: job.metadata.resourceVersion ?? '' }, windowLeftMs(observed))
}

/** Of an object that is gone nothing can be told: first all that is known, then the finalizer. */
async function release(parts: StreamJobParts, observed: Observed, decision: Decision): Promise<ReconcileResult> {
  const job = await parts.teller.tell(observed.job)
  const { operation } = decision
  const patienceEnds = operation === null ? -Infinity : deletionEnds(job, operation) + TELLING_PATIENCE_MS
  if (hasUntold(job) && observed.now < patienceEnds) return { requeueAfterMs: TELL_AGAIN_MS }
  await carryOut(parts, { ...observed, job }, decision)
  return requeueAfter(decision)
}

/** Then the version that is known is an old one: the next pass, which is made at once, tells. */
function hasWrittenJob({ act }: Decision): boolean {
  return act.kind === 'keepSpec' || act.kind === 'deleteLeftover'
}

/** After the act, which waits for no Event. */
async function tell(parts: StreamJobParts, { job, lasting }: Written, decision: Decision): Promise<ReconcileResult> {
  for (const note of lasting) await parts.events.record(job, note)
  const told = await parts.teller.tell(job)
  if (!hasUntold(told)) return waiting(decision, told)
  return { requeueAfterMs: Math.min(decision.requeueAfterMs ?? TELL_AGAIN_MS, TELL_AGAIN_MS) }
}

/** A pass that only waits has another one made in time: what it has written itself need not wake it. */
function waiting(decision: Decision, { metadata }: StreamJob): ReconcileResult {
  const result = requeueAfter(decision)
  const isWaiting = decision.act.kind === 'none' && result.requeueAfterMs !== undefined
  return isWaiting && metadata.resourceVersion !== undefined
    ? { ...result, settledAt: metadata.resourceVersion }
    : result
}

function requeueAfter(decision: Decision): ReconcileResult {
  return decision.requeueAfterMs === undefined ? {} : { requeueAfterMs: decision.requeueAfterMs }
}

/** A pass over a job at rest that comes a little early writes its figures all the same. */
const RESTED = 0.9

interface Written {
  job: StreamJob
  lasting: readonly EventNote[]
  /** After how many ms the status is to be written, when that was held back. */
  heldBackMs?: number
}

/**
 * Writes only what differs, on the version that the decision was made on: a conflict ends the pass before its act. With
 * it goes what is to be told of it. The status says why before an act; a text or a figure that the next pass would
 * replace is not worth a write, unless there is something to tell of it.
 */
async function writeStatus(parts: StreamJobParts, observed: Observed, decision: Decision): Promise<Written> {
  const { kube, pace, teller } = parts
  const { job } = observed
  const { next, status, lasting } = statusAfter(observed, decision)
  const isSame = textWithoutNulls(status) === textWithoutNulls(job.status ?? {})
  const hasTold = teller.hasToldOf(job)
  if (isSame && !hasTold) return { job, lasting }
  const { resourceVersion, uid = '' } = job.metadata
  const tellsMore = (status.untold ?? []).some(({ id }) => job.status?.untold?.every((one) => one.id !== id) ?? true)
  if (decision.act.kind === 'none' || !tellsMore) {
    const leastMs = isAtRest(observed, decision) ? { leastMs: parts.listener.restMs() * RESTED } : {}
    const heldBackMs = pace.heldBackMs(uid, { before: job.status ?? {}, next, now: observed.now, ...leastMs, hasTold })
    // The Events that follow from it wait, too.
    if (heldBackMs > 0) return { job, lasting: isSame ? lasting : [], heldBackMs }
  }
  // What an act at rest has said is over when it is done: the next text goes at once.
  if (decision.act.kind === 'none' || decision.operation !== null) pace.written(uid, observed.now)
  const written = await kube.patchStatus(streamJobs, refOf(job), { metadata: { resourceVersion }, status })
  teller.seen(written)
  return { job: written, lasting }
}

function statusAfter(
  observed: Observed,
  decision: Decision,
): { next: StreamJobStatus; status: StreamJobStatus; lasting: readonly EventNote[] } {
  const next = statusOf(observed, decision)
  const { untold, lasting } = tellingOf(observed, decision, next)
  return { next, status: withShortTexts({ ...next, untold: untold.length === 0 ? null : untold }), lasting }
}

/** Resolves with why the act was refused for good, undefined when it was done. */
async function carryOut(parts: StreamJobParts, observed: Observed, decision: Decision): Promise<Refused | undefined> {
  const { job } = observed
  const { act } = decision
  switch (act.kind) {
    case 'none':
      await keepIsolated(parts, observed)
      return undefined
    case 'release':
      parts.isolation.forget(job.metadata.uid ?? '')
      parts.schedule.forget(job.metadata.uid ?? '')
      parts.pace.forget(job.metadata.uid ?? '')
      parts.created.forget(job.metadata.uid ?? '')
      parts.views.forget(refOf(job))
      await setFinalizers(
        parts,
        job,
        (job.metadata.finalizers ?? []).filter((one) => one !== FINALIZER),
      )
      return undefined
    case 'keepSpec':
      return keepSpec(parts.kube, observed, statusAfter(observed, decision).status)
    case 'deleteLeftover':
      await deleteLeftover(parts.kube, job)
      return undefined
    case 'createPods':
      return createPods(parts, observed, { pods: act.pods, operation: decision.operation })
    case 'startSuccessors': {
      const refusal = await tryPods(parts, [...act.pods, ...act.probes])
      return refusal ?? createPods(parts, observed, { pods: act.pods, operation: decision.operation })
    }
    case 'deletePods':
      await deletePods(parts, job, act.pods)
      return undefined
    case 'putTarget':
      return putTarget(parts, observed, act)
    case 'putAutoscaler': {
      const endpoint = coordinatorEndpoint(parts, observed, observed.running?.template)
      if (endpoint !== undefined) await parts.jobClient.putAutoscaler(endpoint, act.policy)
      return undefined
    }
    case 'requestSavepoint': {
      const endpoint = coordinatorEndpoint(parts, observed, observed.running?.template)
      if (endpoint !== undefined) {
        const order = orderOf(job, parts.leadership)
        await parts.jobClient.requestSavepoint(endpoint, { id: act.id, order })
      }
      return undefined
    }
  }
}

async function setFinalizers({ kube }: StreamJobParts, job: StreamJob, finalizers: string[]): Promise<void> {
  const { resourceVersion } = job.metadata
  await kube.patch(streamJobs, refOf(job), { metadata: { resourceVersion, finalizers } }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error
  })
}

/** Before the first of them is created; one that is there already was taken. */
async function tryPods({ kube }: StreamJobParts, pods: readonly Pod[]): Promise<Refused | undefined> {
  for (const pod of pods) {
    const refusal = await refusalFrom(pod, unlessThere(kube.dryRunCreate(podResource, pod)))
    if (refusal !== undefined) return refusal
  }
  return undefined
}

/** A job that runs is not stopped because its NetworkPolicy is refused; new pods are. */
async function keepIsolated({ isolation, events }: StreamJobParts, { job, wanted }: Observed): Promise<void> {
  // without a spec that passed it stays as it is
  if (job.metadata.deletionTimestamp !== undefined || wanted === undefined) return
  const refusal = await isolation.ensure(job, wanted.listening)
  if (refusal !== undefined) await events.record(job, { type: 'Warning', ...refusal })
}

async function createPods(
  { kube, settings, tokenKeys, isolation, created, logger }: StreamJobParts,
  { job, wanted }: Observed,
  { pods, operation }: { pods: readonly Pod[]; operation: Operation | null },
): Promise<Refused | undefined> {
  const { uid = '' } = job.metadata
  const create = <T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<Refused | undefined> =>
    refusalFrom(object, unlessThere(kube.create(resource, object)))
  const createOnce = async <T extends KubeObject>(
    resource: ResourceType<T>,
    object: T,
  ): Promise<Refused | undefined> => {
    const name = `${resource.plural}/${object.metadata.name}`
    if (created.isDone(uid, operation, name)) return undefined
    const refused = await create(resource, object)
    if (refused === undefined) created.done(uid, operation, name)
    return refused
  }
  const tokens = new Set(pods.map((pod) => tokenOf(tokenKeys, job, pod)).filter((token) => token !== undefined))
  let refusal = await isolation.ensure(job, wanted?.listening ?? [])
  for (const token of tokens) refusal ??= await createOnce(secrets, tokenSecret(job, token))
  if (settings.addressing === 'service')
    refusal ??= await createOnce(services, coordinatorService(job, settings.ports ?? JOB_PORTS))
  for (const pod of pods) refusal ??= await create(podResource, pod)
  if (refusal !== undefined) return refusal
  logger.info('pods created', {
    job: job.metadata.name,
    namespace: job.metadata.namespace,
    pods: pods.map((pod) => pod.metadata.name),
  })
  return undefined
}

/** An object that exists already is seen by the next pass: it is ours, or the name is taken. */
async function unlessThere(creation: Promise<unknown>): Promise<void> {
  try {
    await creation
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
  }
}

async function deletePods({ kube, logger }: StreamJobParts, job: StreamJob, pods: readonly Pod[]): Promise<void> {
  for (const { metadata } of pods) {
    try {
      await kube.delete(
        podResource,
        { namespace: metadata.namespace ?? '', name: metadata.name },
        metadata.uid === undefined ? {} : { preconditions: { uid: metadata.uid } },
      )
    } catch (error) {
      // Gone, or another pod of that name by now: the next pass sees which.
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }
  logger.info('pods deleted', {
    job: job.metadata.name,
    namespace: job.metadata.namespace,
    pods: pods.map((pod) => pod.metadata.name),
  })
}

async function putTarget(
  parts: StreamJobParts,
  observed: Observed,
  { desiredState, template }: { desiredState: JobTarget['desiredState']; template: string },
): Promise<Refused | undefined> {
  const set = [observed.wanted, observed.running].find((one) => one?.template === template)
  const endpoint = coordinatorEndpoint(parts, observed, template)
  if (endpoint === undefined || set === undefined) return undefined
  const { restore } = set
  const predecessor =
    restore === undefined ? undefined : await predecessorOf(parts.kube, observed.job.metadata.namespace ?? '', restore)
  try {
    await parts.jobClient.putTarget(endpoint, {
      revision: set.revision,
      spec: set.jobSpec,
      desiredState,
      ...(restore === undefined ? {} : { restore }),
      ...(predecessor === undefined ? {} : { predecessor }),
      order: orderOf(observed.job, parts.leadership),
    })
    return undefined
  } catch (error) {
    const refusal = targetRefusalOf(error, set.revision)
    if (refusal === undefined) throw error
    return refusal
  }
}

function coordinatorEndpoint(
  parts: StreamJobParts,
  { job, pods }: Observed,
  template: string | undefined,
): ReturnType<typeof endpointOf> | undefined {
  const pod = template === undefined ? undefined : coordinatorAmong(pods, template)
  return pod === undefined ? undefined : endpointOf(parts, job, pod)
}

function refOf(job: StreamJob): ObjectRef {
  return { namespace: job.metadata.namespace ?? '', name: job.metadata.name }
}
