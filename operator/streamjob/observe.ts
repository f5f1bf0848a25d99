import { jobSpecOf } from '../../runtime/front/job-spec.ts'
import type { JobGraph } from '../../runtime/graph/job-graph.ts'
import { changeOf } from '../../runtime/plan/change.ts'
import type { Change } from '../../runtime/plan/change.ts'
import type { ConnectorDeclarations } from '../../runtime/graph/connector-declaration.ts'
import type { Origin, Problem } from '../../runtime/graph/problems.ts'
import { isFields } from '../../runtime/model/fields.ts'
import { errorReport, MillraceError } from '../../runtime/model/errors.ts'
import type { JobReport, SavepointReport } from '../../runtime/control/job-report.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { StreamJob, StreamJobSpec } from '../api/stream-job.ts'
import type { JobClient, JobEndpoint } from '../job-client.ts'
import { unlessNotFound } from '../kube/errors.ts'
import type { Kube } from '../kube/kube.ts'
import type { KubeObject, Pod } from '../kube/objects.ts'
import { pods as podResource, services } from '../kube/resource-type.ts'
import { coordinatorName } from '../resources/coordinator-pod.ts'
import { hashOf, jobToken, sealOf } from '../resources/hash.ts'
import { configMaps, lastGoodName, tokenSecretName } from '../resources/job-objects.ts'
import { reachOf } from '../resources/job-reach.ts'
import { portOf } from '../resources/job-pod.ts'
import type { PodContext, PodSettings } from '../resources/job-pod.ts'
import { JOB_LABEL } from '../resources/labels.ts'
import { coordinatorAddress } from '../resources/worker-pod.ts'
import { bindDruidSinks } from './druid-sinks.ts'
import type { Observed } from './observed.ts'
import { savepointId } from './operation.ts'
import { hasStarted, restoreSource } from './restore-source.ts'
import { readSpec, wantedOf } from './wanted.ts'
import type { ReadSpec, Wanted } from './wanted.ts'

export interface ObserveParts {
  kube: Kube
  clock: Clock
  jobClient: JobClient
  connectors: ConnectorDeclarations
  settings: PodSettings
  /** Key of all job tokens (resources/hash.ts). */
  tokenKey: string
}

/**
 * Reads all that a pass needs: the pods of the job, its last good spec when the newest one is bad, what its
 * coordinator says. Reads from the API server, not from a cache, so a pass never acts on what it has itself changed.
 */
export async function observe(parts: ObserveParts, job: StreamJob): Promise<Observed> {
  const { kube, clock } = parts
  const namespace = job.metadata.namespace ?? ''
  const all = await kube.list(podResource, { namespace, labelSelector: `${JOB_LABEL}=${job.metadata.name}` })
  const own = all.items.filter((pod) => isOwnedBy(pod, job))
  const spec = await chooseSpec(parts, job)
  const bound =
    spec.chosen === undefined ? undefined : await bindDruidSinks(kube, namespace, jobSpecOf(spec.chosen.spec))
  const source = spec.chosen === undefined ? undefined : await restoreSource(kube, job, spec.chosen.spec)
  const context = spec.chosen === undefined ? undefined : contextOf(parts, job, spec.chosen.spec)
  const wanted =
    spec.chosen === undefined || context === undefined || bound === undefined
      ? undefined
      : wantedOf(context, spec.chosen.graph, { jobSpec: bound.jobSpec, restore: source?.location })
  const coordinatorPod = own.find(
    (pod) => pod.metadata.name === coordinatorName(job.metadata.name) && pod.metadata.deletionTimestamp === undefined,
  )
  const coordinator = await askCoordinator(parts, job, coordinatorPod)
  return {
    now: clock.now(),
    job,
    wanted,
    problems: spec.problems,
    keepSpec: spec.keep,
    pods: own,
    taken: [...takenPods(all.items, own, wanted), ...(await takenService(parts, job, coordinatorPod))],
    coordinatorAddress: context === undefined ? undefined : coordinatorAddress(context, coordinatorPod),
    coordinator: coordinator.view,
    savepoint: coordinator.savepoint,
    waitsFor: bound?.waitsFor ?? source?.waitsFor,
  }
}

/** Undefined while the pod has no address. */
export function endpointOf(parts: Pick<ObserveParts, 'tokenKey'>, job: KubeObject, pod: Pod): JobEndpoint | undefined {
  const host = pod.status?.podIP
  if (host === undefined || host === '') return undefined
  return { host, port: portOf(pod, 'http'), token: jobToken(parts.tokenKey, job.metadata.uid ?? '') }
}

function contextOf(
  parts: Pick<ObserveParts, 'settings' | 'tokenKey'>,
  job: StreamJob,
  spec: StreamJobSpec,
): PodContext {
  const token = jobToken(parts.tokenKey, job.metadata.uid ?? '')
  return { job, spec, settings: parts.settings, tokenSecret: tokenSecretName(job.metadata.name, token) }
}

interface ChosenSpec {
  /** What should run, and its graph; undefined when no spec was ever good. */
  chosen: UsableSpec | undefined
  problems: readonly Problem[]
  keep: Observed['keepSpec']
}

interface UsableSpec {
  spec: StreamJobSpec
  graph: JobGraph
}

/** The newest spec when it is good and its state fits what has run; else the last good one. */
async function chooseSpec(parts: ObserveParts, job: StreamJob): Promise<ChosenSpec> {
  const hash = job.status?.lastGood?.hash
  const isKept = hash !== undefined && isSealed(job.spec, hash)
  const read = readJobSpec(parts, job, job.spec, isKept ? 'kept' : 'written')
  const problems = [...nameProblems(job.metadata.name), ...read.problems]
  const newest = problems.length === 0 ? usableSpec(job.spec, read) : undefined
  // the few digits of an earlier operator prove too little: the spec is kept anew
  if (newest !== undefined && isKept && hash.length > SHORT_HASH) return { chosen: newest, problems, keep: undefined }
  const { spec: last, isAltered, isForeign } = await readLastGood(parts.kube, job)
  // The kept spec was good; an operator of another version may read it otherwise.
  const usable = last === undefined ? undefined : usableSpec(last, readJobSpec(parts, job, last, 'kept'))
  if (newest === undefined)
    return { chosen: usable, problems: isAltered ? [...problems, alteredSpec(job)] : problems, keep: undefined }
  if (
    usable !== undefined &&
    hasStarted(job) &&
    job.spec.restore !== undefined &&
    hashOf(job.spec.restore) !== hashOf(usable.spec.restore ?? null)
  ) {
    return { chosen: usable, problems: [RESTORE_TOO_LATE], keep: undefined }
  }
  const change = usable === undefined ? undefined : changeOf(usable.graph, newest.graph)
  if (change?.class === 'incompatible' && hasStarted(job)) {
    return { chosen: usable, problems: [incompatible(change)], keep: undefined }
  }
  return { chosen: newest, problems, keep: { change, taken: isForeign ? lastGoodName(job.metadata.name) : undefined } }
}

function readJobSpec(
  { connectors, settings }: ObserveParts,
  job: StreamJob,
  spec: StreamJobSpec,
  origin: Origin,
): ReadSpec {
  const { maxSubtasks } = settings
  return readSpec(spec, connectors, { maxSubtasks, origin, reach: reachOf(job, spec, settings) })
}

function usableSpec(spec: StreamJobSpec, { graph }: ReadSpec): UsableSpec | undefined {
  return graph === undefined ? undefined : { spec, graph }
}

const RESTORE_TOO_LATE: Problem = {
  code: 'RESTORE_TOO_LATE',
  path: 'spec.restore',
  message: 'the job has started and has state of its own',
  hint: 'take it out again; to start from a savepoint, create another job',
}

function alteredSpec(job: StreamJob): Problem {
  return {
    code: 'LAST_GOOD_ALTERED',
    path: 'spec',
    message: `the last good spec cannot be used: ConfigMap ${lastGoodName(job.metadata.name)} is not as the operator wrote it`,
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

function incompatible(change: Change): Problem {
  return {
    code: 'STATE_INCOMPATIBLE',
    path: 'spec',
    message: change.reasons.join('; '),
    hint: 'give the changed operator a new id to start it without state, or undo the change',
  }
}

/** What runs depends on all of the spec but whether it should run and how it is to be deleted. */
export function keptHash(spec: StreamJobSpec): string {
  return sealOf({ ...spec, desiredState: undefined, deletion: undefined })
}

/** Earlier operators wrote these first digits only. */
const SHORT_HASH = 10

/** Whether a spec is the one that the status speaks of. Who may write ConfigMaps may not write the status. */
function isSealed(spec: StreamJobSpec, hash: string): boolean {
  return hash.length === SHORT_HASH ? keptHash(spec).startsWith(hash) : keptHash(spec) === hash
}

/** What is kept of a job's specs. */
interface KeptSpec {
  /** The last good one, as it was written; undefined when there is none. */
  spec: StreamJobSpec | undefined
  /** The ConfigMap holds something else than the operator wrote for this job. */
  isAltered: boolean
  /** The ConfigMap has another owner. */
  isForeign: boolean
}

async function readLastGood(kube: Kube, job: StreamJob): Promise<KeptSpec> {
  const ref = { namespace: job.metadata.namespace ?? '', name: lastGoodName(job.metadata.name) }
  const kept = await unlessNotFound(kube.get(configMaps, ref))
  const hash = job.status?.lastGood?.hash
  const isForeign = kept !== undefined && !isOwnedBy(kept, job)
  if (kept === undefined || hash === undefined) return { spec: undefined, isAltered: false, isForeign }
  const spec = parsedSpec(kept.data?.['spec'])
  const isSound = kept.data?.['uid'] === job.metadata.uid && spec !== undefined && isSealed(spec, hash)
  return { spec: isSound ? spec : undefined, isAltered: !isSound, isForeign }
}

function parsedSpec(text: string | undefined): StreamJobSpec | undefined {
  try {
    const spec: unknown = JSON.parse(text ?? '')
    return isFields(spec) ? (spec as unknown as StreamJobSpec) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

async function askCoordinator(
  parts: ObserveParts,
  job: StreamJob,
  pod: Pod | undefined,
): Promise<{ view: Observed['coordinator']; savepoint: SavepointReport | undefined }> {
  const endpoint = pod === undefined ? undefined : endpointOf(parts, job, pod)
  // Pods are going: nothing that their coordinator says matters any more, and waiting for it takes from the deadline.
  const isRemoved =
    job.metadata.deletionTimestamp !== undefined &&
    job.status?.operation?.type === 'Delete' &&
    job.status.operation.step === 'removePods'
  if (endpoint === undefined || isRemoved) return { view: { kind: 'absent' }, savepoint: undefined }
  const operation = job.status?.operation
  try {
    const report: JobReport = await parts.jobClient.report(endpoint)
    const asksForSavepoint =
      operation?.type === 'Upgrade' && (operation.step === 'savepoint' || operation.step === 'replace')
    const savepoint = asksForSavepoint ? await parts.jobClient.savepoint(endpoint, savepointId(operation)) : undefined
    return { view: { kind: 'reached', report }, savepoint }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return { view: { kind: 'unreachable', why: errorReport(error) }, savepoint: undefined }
  }
}

function isOwnedBy(object: KubeObject, job: StreamJob): boolean {
  return object.metadata.ownerReferences?.some((owner) => owner.uid === job.metadata.uid) === true
}

/** Pods of a deleted namesake are in the way only until they are gone; they are not ours to touch. */
function takenPods(all: readonly Pod[], own: readonly Pod[], wanted: Wanted | undefined): string[] {
  if (wanted === undefined) return []
  const names = new Set([wanted.coordinator, ...wanted.workers].map((pod) => pod.metadata.name))
  return all
    .filter((pod) => names.has(pod.metadata.name) && !own.includes(pod))
    .map((pod) => `pod ${pod.metadata.name}`)
}

/** Looked at before there is a coordinator: workers would show the job's token to whoever is behind that name. */
async function takenService(
  { kube, settings }: ObserveParts,
  job: StreamJob,
  coordinator: Pod | undefined,
): Promise<string[]> {
  if (settings.addressing !== 'service' || coordinator !== undefined) return []
  const name = coordinatorName(job.metadata.name)
  const service = await unlessNotFound(kube.get(services, { namespace: job.metadata.namespace ?? '', name }))
  return service === undefined || isOwnedBy(service, job) ? [] : [`Service ${name}`]
}
