import type { JobTarget } from '../../runtime/control/job-report.ts'
import type { Logger } from '../../runtime/ports/logger.ts'
import type { ReconcileResult } from '../controller/controller.ts'
import type { OperatorMetrics } from '../controller/metrics.ts'
import { FINALIZER, streamJobs } from '../api/stream-job.ts'
import type { StreamJob, StreamJobStatus } from '../api/stream-job.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts'
import type { EventRecorder } from '../kube/events.ts'
import type { ObjectRef } from '../kube/kube.ts'
import type { KubeObject, Pod } from '../kube/objects.ts'
import { pods as podResource, secrets, services } from '../kube/resource-type.ts'
import type { ResourceType } from '../kube/resource-type.ts'
import { tokenOf } from '../resources/job-token.ts'
import { configMaps, coordinatorService, lastGoodConfigMap, tokenSecret } from '../resources/job-objects.ts'
import { JOB_PORTS } from '../resources/job-pod.ts'
import { decide } from './decide.ts'
import type { Act, Decision } from './decision.ts'
import { keptHash } from './kept-specs.ts'
import { endpointOf, observe } from './observe.ts'
import type { ObserveParts } from './observe.ts'
import type { Observed } from './observed.ts'
import { learntPause } from './operation.ts'
import { newestFailure } from './pod-failure.ts'
import { coordinatorAmong } from './pod-sets.ts'
import { refused, refusalOf, targetRefusalOf } from './refusal.ts'
import type { Refused } from './refusal.ts'
import { SHOWN_LOSSES, statusOf } from './status.ts'
import { textWithoutNulls } from '../kube/text-without-nulls.ts'

export interface StreamJobParts extends ObserveParts {
  events: EventRecorder
  logger: Logger
  metrics: OperatorMetrics
}

const FIELD_MANAGER = 'millrace-operator'

/** observe → decide → status (the intent) → one act. Everything a later pass needs is in the status. */
export async function reconcileStreamJob(parts: StreamJobParts, ref: ObjectRef): Promise<ReconcileResult> {
  const job = await readJob(parts, ref)
  if (job === undefined) return {}
  const observed = await observe(parts, job)
  const decision = decide(observed)
  const current = await writeStatus(parts, observed, decision)
  const refusal = await carryOut(parts, { ...observed, job: current }, decision.act)
  if (refusal === undefined) {
    await tell(parts, observed, decision)
    return requeueAfter(decision)
  }
  const outcome = refused(observed, decision, refusal)
  await writeStatus(parts, { ...observed, job: current }, outcome)
  await tell(parts, observed, outcome)
  return requeueAfter(outcome)
}

function requeueAfter(decision: Decision): ReconcileResult {
  return decision.requeueAfterMs === undefined ? {} : { requeueAfterMs: decision.requeueAfterMs }
}

async function readJob({ kube }: StreamJobParts, ref: ObjectRef): Promise<StreamJob | undefined> {
  try {
    return await kube.get(streamJobs, ref)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** Writes only what differs, on the version that the decision was made on: a conflict ends the pass before its act. */
async function writeStatus(
  { kube }: StreamJobParts,
  { job, ...rest }: Observed,
  decision: Decision,
): Promise<StreamJob> {
  const status = statusOf({ job, ...rest }, decision)
  if (textWithoutNulls(status) === textWithoutNulls(job.status ?? {})) return job
  const { resourceVersion } = job.metadata
  return kube.patchStatus(streamJobs, refOf(job), { metadata: { resourceVersion }, status })
}

/** Resolves with why the act was refused for good, undefined when it was done. */
async function carryOut(parts: StreamJobParts, observed: Observed, act: Act): Promise<Refused | undefined> {
  const { job } = observed
  switch (act.kind) {
    case 'none':
      return undefined
    case 'addFinalizer':
      await setFinalizers(parts, job, [...(job.metadata.finalizers ?? []), FINALIZER])
      return undefined
    case 'release':
      await setFinalizers(
        parts,
        job,
        (job.metadata.finalizers ?? []).filter((one) => one !== FINALIZER),
      )
      return undefined
    case 'keepSpec':
      return keepSpec(parts, observed)
    case 'createPods':
      return createPods(parts, job, act.pods)
    case 'startSuccessors':
      return (await tryPods(parts, [...act.pods, ...act.probes])) ?? createPods(parts, job, act.pods)
    case 'deletePods':
      await deletePods(parts, job, act.pods)
      return undefined
    case 'putTarget':
      return putTarget(parts, observed, act)
    case 'requestSavepoint': {
      const endpoint = coordinatorEndpoint(parts, observed, observed.running?.template)
      if (endpoint !== undefined) await parts.jobClient.requestSavepoint(endpoint, { id: act.id })
      return undefined
    }
  }
}

async function refusalFrom(object: KubeObject, write: Promise<unknown>): Promise<Refused | undefined> {
  try {
    await write
    return undefined
  } catch (error) {
    const refusal = refusalOf(error, object)
    if (refusal === undefined) throw error
    return refusal
  }
}

async function setFinalizers({ kube }: StreamJobParts, job: StreamJob, finalizers: string[]): Promise<void> {
  const { resourceVersion } = job.metadata
  await kube.patch(streamJobs, refOf(job), { metadata: { resourceVersion, finalizers } }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error
  })
}

/** First the text, then the status that points to it. */
async function keepSpec(
  { kube }: StreamJobParts,
  { job, keepSpec: keep, wanted, running }: Observed,
): Promise<Refused | undefined> {
  const isReplaced = running !== undefined && running.template !== wanted?.template
  const text = lastGoodConfigMap(job, job.spec, isReplaced ? running.spec : undefined)
  const refusal = await refusalFrom(text, kube.apply(configMaps, text, FIELD_MANAGER))
  if (refusal !== undefined) return refusal
  const lastGood: StreamJobStatus['lastGood'] = {
    generation: job.metadata.generation ?? 0,
    hash: keptHash(job.spec),
    running: isReplaced ? keptHash(running.spec) : null,
    change: keep?.change?.class ?? 'graph',
  }
  await kube.patchStatus(streamJobs, refOf(job), {
    metadata: { resourceVersion: job.metadata.resourceVersion },
    status: { lastGood },
  })
  return undefined
}

/** Before the first of them is created; one that is there already was taken. */
async function tryPods({ kube }: StreamJobParts, pods: readonly Pod[]): Promise<Refused | undefined> {
  for (const pod of pods) {
    const refusal = await refusalFrom(pod, unlessThere(kube.dryRunCreate(podResource, pod)))
    if (refusal !== undefined) return refusal
  }
  return undefined
}

async function createPods(
  { kube, settings, tokenKeys, logger }: StreamJobParts,
  job: StreamJob,
  pods: readonly Pod[],
): Promise<Refused | undefined> {
  const create = <T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<Refused | undefined> =>
    refusalFrom(object, unlessThere(kube.create(resource, object)))
  const tokens = new Set(pods.map((pod) => tokenOf(tokenKeys, job, pod)).filter((token) => token !== undefined))
  let refusal: Refused | undefined
  for (const token of tokens) refusal ??= await create(secrets, tokenSecret(job, token))
  if (settings.addressing === 'service')
    refusal ??= await create(services, coordinatorService(job, settings.ports ?? JOB_PORTS))
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
  try {
    await parts.jobClient.putTarget(endpoint, {
      revision: set.revision,
      spec: set.jobSpec,
      desiredState,
      ...(set.restore === undefined ? {} : { restore: set.restore }),
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

/** Events and metrics come last: losing them loses nothing. */
async function tell({ events, metrics }: StreamJobParts, observed: Observed, decision: Decision): Promise<void> {
  const { job } = observed
  const ended = job.status?.operation
  if (decision.ended !== undefined && ended !== undefined && ended !== null) {
    metrics.operationEnded(decision.ended.type, decision.ended.result, observed.now - Date.parse(ended.startedAt))
  }
  const pause = learntPause(observed, decision)
  if (pause !== undefined) metrics.paused(pause.type, pause.pauseMs)
  for (const note of decision.events) await events.record(job, note)
  const [problem] = observed.problems
  if (problem !== undefined) {
    await events.record(job, {
      type: 'Warning',
      reason: 'Rejected',
      message: `${problem.path}: ${problem.message} [${problem.code}]${problem.hint === undefined ? '' : `; ${problem.hint}`}`,
    })
  }
  const failure = newestFailure(observed.pods, job.status?.lastFailure)
  if (failure !== undefined && failure.at !== job.status?.lastFailure?.at)
    await events.record(job, { type: 'Warning', reason: failure.reason, message: failure.message })
  const known = job.status?.attempt ?? 0
  if (
    observed.coordinator.kind === 'reached' &&
    observed.coordinator.report.attempt > 0 &&
    observed.coordinator.report.attempt < known
  ) {
    await events.record(job, {
      type: 'Warning',
      reason: 'StateMissing',
      message: `The coordinator starts attempt ${observed.coordinator.report.attempt} after attempt ${known}: it does not find the job's checkpoints in the store.`,
    })
  }
  const losses = observed.coordinator.kind === 'reached' ? (observed.coordinator.report.losses ?? []) : []
  for (const { operator, skipped, firstReason } of losses.slice(0, SHOWN_LOSSES))
    await events.record(job, {
      type: 'Warning',
      reason: skipped > 0 ? 'RecordsSkipped' : 'RecordsDeadLettered',
      message: `Operator ${operator} leaves out records. The first: ${firstReason}`,
    })
  const error = observed.coordinator.kind === 'reached' ? observed.coordinator.report.error : null
  if (error !== null && decision.phase === 'Running')
    await events.record(job, { type: 'Warning', reason: 'JobException', message: error.message })
}

function refOf(job: StreamJob): ObjectRef {
  return { namespace: job.metadata.namespace ?? '', name: job.metadata.name }
}
