import { jobSpecOf } from '../../runtime/front/job-spec.ts'
import type { ConnectorDeclarations } from '../../runtime/graph/connector-declaration.ts'
import { errorReport, type ErrorReport, MillraceError } from '../../runtime/model/errors.ts'
import type { JobReport, SavepointReport } from '../../runtime/control/job-report.ts'
import type { StreamJob, StreamJobSpec } from '../api/stream-job.ts'
import type { JobClient, JobEndpoint } from '../job-client.ts'
import { unlessNotFound } from '../kube/errors.ts'
import type { Kube } from '../kube/kube.ts'
import type { KubeObject, Pod } from '../kube/objects.ts'
import { services } from '../kube/resource-type.ts'
import { coordinatorName } from '../resources/coordinator-pod.ts'
import { presentToken, tokenOf, type TokenKeys } from '../resources/job-token.ts'
import { tokenSecretName } from '../resources/job-token.ts'
import { encryptionOf, imageOf, portOf } from '../resources/job-pod.ts'
import type { PodContext, PodSettings } from '../resources/job-pod.ts'
import { isOwnedBy } from '../resources/labels.ts'
import { stateLocation } from '../resources/state-location.ts'
import { templateHash, templateOf, UNNAMED } from '../resources/template.ts'
import { coordinatorAddress } from '../resources/worker-pod.ts'
import { bindDruidSinks } from './druid-sinks.ts'
import type { CoordinatorView, Observed } from './observed.ts'
import { chooseSpec, readJobSpec, usableSpec } from './choose-spec.ts'
import type { UsableSpec } from './choose-spec.ts'
import { keptHash, readKept, type KeptSpecs } from './kept-specs.ts'
import type { JobView } from './job-views.ts'
import { savepointId } from './operation.ts'
import { asTemplate, coordinatorAmong, isLiving, podsOfTemplate, withTemplates } from './pod-sets.ts'
import { blockedPod } from './pod-trouble.ts'
import { restoreSource } from './restore-source.ts'
import type { Rollout } from './rollout.ts'
import { unreadSavepoints } from './unread-savepoints.ts'
import { wantedOf, wantsToRun } from './wanted.ts'
import type { Wanted } from './wanted.ts'

export interface ObserveParts {
  kube: Kube
  jobClient: JobClient
  connectors: ConnectorDeclarations
  settings: PodSettings
  tokenKeys: TokenKeys
  rollout: Rollout
}

/**
 * All that a pass decides on, besides the job and the pods that bear its name: its last good spec when the newest one is
 * bad, what its coordinators say.
 */
export async function observe(parts: ObserveParts, { job, pods: named }: JobView): Promise<Observed> {
  const { kube } = parts
  const own = named.filter((pod) => isOwnedBy(pod, job))
  const spec = await chooseSpec(parts, job)
  const newest = spec.chosen === undefined ? undefined : await renderWanted(parts, job, own, spec.chosen)
  const seen =
    newest === undefined ? undefined : await runningPods(parts, { job, own, wanted: newest, kept: spec.kept })
  const pods = seen?.pods ?? own
  const running = seen?.running
  const template = running?.set.template ?? job.status?.template ?? UNNAMED
  const coordinator = await askCoordinator(
    parts,
    job,
    coordinatorAmong(pods, template) ?? (running === undefined ? coordinatorAmong(pods, UNNAMED) : undefined),
  )
  const isDeferred =
    newest !== undefined && seen !== undefined && isDeferredRollout(parts, { job, newest, ...seen }, coordinator.view)
  const wanted = isDeferred ? running : newest
  return {
    now: kube.now(),
    job,
    isDeferred,
    wanted: wanted?.set,
    running: running?.set,
    problems: spec.problems,
    plan: spec.plan,
    keepSpec: spec.keep,
    held: spec.held,
    stableSpec: await stableSpecOf(parts, job, spec.kept),
    pods,
    orphans: named.filter(({ metadata }) => (metadata.ownerReferences ?? []).length === 0),
    stateLocation: locationOfState(parts, job, coordinator.view),
    taken: [
      ...takenPods(named, own, wanted?.set),
      ...(await takenService(parts, job, coordinatorAmong(pods, template))),
    ],
    coordinatorAddress: running === undefined ? undefined : addressIn(running, pods),
    coordinator: coordinator.view,
    successor:
      wanted === undefined || running === undefined || running.set.template === wanted.set.template
        ? undefined
        : {
            address: addressIn(wanted, pods),
            coordinator: (await askCoordinator(parts, job, coordinatorAmong(pods, wanted.set.template))).view,
          },
    savepoint: coordinator.savepoint,
    unreadSavepoints: await unreadSavepoints(parts, job, coordinator.endpoint, coordinator.view),
    waitsFor: wanted?.waitsFor,
  }
}

/** Read only while another spec has to show that it holds. */
async function stableSpecOf(
  { kube }: ObserveParts,
  job: StreamJob,
  kept: KeptSpecs | undefined,
): Promise<StreamJobSpec | undefined> {
  const { stable, lastGood } = job.status ?? {}
  if (!stable || lastGood === undefined || lastGood.hash === stable) return undefined
  return (kept ?? (await readKept(kube, job))).stable
}

interface RolloutFacts {
  job: StreamJob
  newest: Rendered
  running: Rendered
  pods: readonly Pod[]
}

/**
 * Whether a job waits for its turn to get new pods: its spec is the same, and only this operator renders them otherwise.
 * The running pods are looked after meanwhile. A job whose pods cannot start, or whose coordinator cannot be asked for
 * want of a key, waits for nothing.
 */
function isDeferredRollout({ rollout }: ObserveParts, facts: RolloutFacts, coordinator: CoordinatorView): boolean {
  const { job, newest, running, pods } = facts
  if (running.set.template === newest.set.template) {
    rollout.ended(job)
    return false
  }
  const living = podsOfTemplate(pods, running.set.template).filter(isLiving)
  const isHelpless =
    blockedPod(living) !== undefined ||
    (coordinator.kind === 'unreachable' && coordinator.why.code === 'TOKEN_KEY_GONE')
  const isSameSpec = keptHash(newest.from.spec) === keptHash(running.from.spec)
  if (!isSameSpec || !wantsToRun(job) || isHelpless) return false
  // A job that replaces nothing for now takes no other's place.
  const isFinished = coordinator.kind === 'reached' && coordinator.report.phase === 'finished'
  return isFinished || newest.waitsFor !== undefined || !rollout.mayBegin(job)
}

function locationOfState({ settings }: ObserveParts, job: StreamJob, coordinator: CoordinatorView): string | undefined {
  const newest = coordinator.kind === 'reached' ? coordinator.report.checkpoint : null
  const checkpoint = newest ?? job.status?.checkpoint ?? undefined
  return checkpoint === undefined ? undefined : stateLocation(job, checkpoint, settings.store)
}

interface Rendered {
  from: UsableSpec
  set: Wanted
  context: PodContext
  waitsFor: Observed['waitsFor']
}

/**
 * Another key alone replaces no pod: the token of those that run stays, as long as its key is known and nothing else
 * asks for other pods.
 */
async function renderWanted(
  parts: ObserveParts,
  job: StreamJob,
  own: readonly Pod[],
  from: UsableSpec,
): Promise<Rendered> {
  const present = presentToken(parts.tokenKeys, job)
  const token = tokenInUse(parts, job, own)
  const wanted = await render(parts, job, from, { token })
  const isKept = token === present || runningTemplate(job, own, wanted.set.template) === wanted.set.template
  return isKept ? wanted : render(parts, job, from, { token: present })
}

/** The token of the pods that run the job; the present one where there are none, or their key is gone. */
function tokenInUse({ tokenKeys }: Pick<ObserveParts, 'tokenKeys'>, job: StreamJob, own: readonly Pod[]): string {
  const template = job.status?.template
  const pod = own.find((one) => isLiving(one) && (template === undefined || templateOf(one) === template))
  return (pod === undefined ? undefined : tokenOf(tokenKeys, job, pod)) ?? presentToken(tokenKeys, job)
}

async function render(
  parts: ObserveParts,
  job: StreamJob,
  from: UsableSpec,
  { token, template }: { token: string; template?: string },
): Promise<Rendered> {
  const { spec, graph } = from
  const bound = await bindDruidSinks(parts.kube, job.metadata.namespace ?? '', jobSpecOf(spec))
  const source = await restoreSource(parts.kube, job, spec)
  const context = contextOf(parts, job, spec, token)
  return {
    from,
    context,
    set: wantedOf(context, graph, parts.connectors, {
      jobSpec: bound.jobSpec,
      restore: source.location,
      ...(template === undefined ? {} : { template }),
    }),
    waitsFor: bound.waitsFor ?? source.waitsFor,
  }
}

function addressIn({ set, context }: Rendered, pods: readonly Pod[]): string | undefined {
  return coordinatorAddress(context, set.coordinator, coordinatorAmong(pods, set.template))
}

interface PodFacts {
  job: StreamJob
  own: readonly Pod[]
  wanted: Rendered
  kept: KeptSpecs | undefined
}

/** What the pods that run the job were made from; and all pods, those without a template as pods of the one they fit. */
async function runningPods(parts: ObserveParts, facts: PodFacts): Promise<{ running: Rendered; pods: Pod[] }> {
  const { job, own, wanted } = facts
  const pods = withTemplates(own, wanted.set)
  const template = runningTemplate(job, pods, wanted.set.template)
  if (template === wanted.set.template) return { running: wanted, pods }
  const kept = facts.kept ?? (await readKept(parts.kube, job))
  const candidates = kept.candidates.flatMap((spec) => usableSpec(spec, readJobSpec(parts, job, spec, 'kept')) ?? [])
  const token = tokenInUse(parts, job, own)
  const made = candidates.find(({ spec }) => templateHash(contextOf(parts, job, spec, token)) === template)
  // Rendered by an operator of another version, or with other settings: the spec is still the one they were made from,
  // and a pod that is lost comes back with the image of the others, with which it must understand itself.
  const settings = {
    ...parts.settings,
    image: imageOf(podsOfTemplate(pods, template).find(isLiving)) ?? parts.settings.image,
  }
  const running = await render({ ...parts, settings }, job, made ?? candidates[0] ?? wanted.from, { token, template })
  const isNamed = pods.some((pod) => isLiving(pod) && templateOf(pod) === template)
  return { running, pods: isNamed ? withTemplates(pods, running.set) : asTemplate(pods, template) }
}

/**
 * Recorded before pods of another template take over. Where nothing of it lives, nothing is to be taken over from: neither
 * pods that name it, nor those without a name that were found to be of it before another template was wanted.
 */
function runningTemplate(job: StreamJob, pods: readonly Pod[], wanted: string): string {
  const living = new Set(pods.filter(isLiving).map(templateOf))
  const known = job.status?.template
  if (known !== undefined) return living.has(known) || living.has(UNNAMED) ? known : wanted
  return living.has(wanted) ? wanted : ([...living][0] ?? wanted)
}

/** Undefined while the pod has no address, and for ever when its token was made from a key that is gone. */
export function endpointOf(
  { tokenKeys }: Pick<ObserveParts, 'tokenKeys'>,
  job: KubeObject,
  pod: Pod,
): JobEndpoint | undefined {
  const host = pod.status?.podIP
  const token = tokenOf(tokenKeys, job, pod)
  if (host === undefined || host === '' || token === undefined) return undefined
  const jobUid = job.metadata.uid ?? ''
  return {
    host,
    port: portOf(pod, 'http'),
    jobUid,
    token,
    encryption: encryptionOf(pod),
  }
}

function contextOf(
  { settings }: Pick<ObserveParts, 'settings'>,
  job: StreamJob,
  spec: StreamJobSpec,
  token: string,
): PodContext {
  return { job, spec, settings, tokenSecret: tokenSecretName(job.metadata.name, token) }
}

const TOKEN_KEY_GONE: ErrorReport = {
  code: 'TOKEN_KEY_GONE',
  message: 'its token was made from a key that this operator does not have (MILLRACE_EARLIER_TOKEN_KEYS)',
  domain: 'user',
  retriable: false,
}

async function askCoordinator(
  parts: ObserveParts,
  job: StreamJob,
  pod: Pod | undefined,
): Promise<{ view: CoordinatorView; endpoint?: JobEndpoint; savepoint: SavepointReport | undefined }> {
  const endpoint = pod === undefined ? undefined : endpointOf(parts, job, pod)
  // Pods are going: nothing that their coordinator says matters any more, and waiting for it takes from the deadline.
  const isRemoved =
    job.metadata.deletionTimestamp !== undefined &&
    job.status?.operation?.type === 'Delete' &&
    job.status.operation.step === 'removePods'
  if (!isRemoved && pod !== undefined && tokenOf(parts.tokenKeys, job, pod) === undefined)
    return { view: { kind: 'unreachable', why: TOKEN_KEY_GONE }, savepoint: undefined }
  if (endpoint === undefined || isRemoved) return { view: { kind: 'absent' }, savepoint: undefined }
  const operation = job.status?.operation
  try {
    const report: JobReport = await parts.jobClient.report(endpoint)
    const asksForSavepoint = operation?.type === 'Upgrade' && operation.step === 'savepoint'
    const savepoint = asksForSavepoint ? await parts.jobClient.savepoint(endpoint, savepointId(operation)) : undefined
    return { view: { kind: 'reached', report }, endpoint, savepoint }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return { view: { kind: 'unreachable', why: errorReport(error) }, savepoint: undefined }
  }
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
