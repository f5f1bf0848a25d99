import type { TokenKeys } from './resources/job-token.ts'
import type { ConnectorDeclarations } from '../runtime/graph/connector-declaration.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Logger } from '../runtime/ports/logger.ts'
import type { Rng } from '../runtime/ports/rng.ts'
import { FINALIZER, streamJobs } from './api/stream-job.ts'
import type { StreamJob } from './api/stream-job.ts'
import { streamSavepoints } from './api/stream-savepoint.ts'
import type { StreamSavepoint } from './api/stream-savepoint.ts'
import { Controller } from './controller/controller.ts'
import type { Aside, AlsoWatch, Reconcile } from './controller/controller.ts'
import { Managers } from './controller/managers.ts'
import { learningKube } from './controller/learning-kube.ts'
import { LeaderElection } from './controller/leader-election.ts'
import { UNCONTESTED, whileLeading } from './controller/leadership.ts'
import type { Leadership } from './controller/leadership.ts'
import { wrapped } from './controller/wrapped.ts'
import { OperatorMetrics } from './controller/metrics.ts'
import { druidDatasources } from './druid/druid-datasource.ts'
import type { DruidDatasource } from './druid/druid-datasource.ts'
import type { DruidEndpoints } from './druid/druid-reconcile-parts.ts'
import { MetDeletions } from './controller/met-deletions.ts'
import { druidReconciler } from './druid/reconcile.ts'
import { referredDatasources } from './druid/resolve-sinks.ts'
import type { JobClient } from './job-client.ts'
import { EventRecorder } from './kube/events.ts'
import type { Kube, ObjectRef } from './kube/kube.ts'
import type { KubeObject } from './kube/objects.ts'
import { pods } from './kube/resource-type.ts'
import type { ResourceType } from './kube/resource-type.ts'
import { networkPolicies } from './resources/network-policy.ts'
import type { PodSettings } from './resources/job-pod.ts'
import { CLASS_LABEL, JOB_LABEL } from './resources/labels.ts'
import { readPartOfPod } from './resources/read-part-of-pod.ts'
import { reconcileSavepoint } from './savepoint/reconcile.ts'
import { SavepointSchedule } from './savepoint/schedule.ts'
import { Isolation } from './streamjob/isolation.ts'
import { JobViews } from './streamjob/job-views.ts'
import { Listener } from './streamjob/listener.ts'
import { OncePerOperation } from './streamjob/once-per-operation.ts'
import { reconcileStreamJob } from './streamjob/reconcile.ts'
import { Rollout } from './streamjob/rollout.ts'
import { StatusPace } from './streamjob/status-pace.ts'
import { Teller } from './streamjob/tell.ts'

/** Everything from outside comes in here, so that the whole operator runs in one process under virtual time. */
export interface OperatorParts {
  kube: Kube
  clock: Clock
  rng: Rng
  logger: Logger
  jobClient: JobClient
  /** Their writes ask `leadership` first. */
  druids: (leadership: Leadership) => DruidEndpoints
  connectors: ConnectorDeclarations
  settings: OperatorSettings
}

export interface OperatorSettings {
  /** Absent: all namespaces. */
  namespaces?: readonly string[]
  /** Objects with the label CLASS_LABEL of this value; absent: those without the label. */
  operatorClass?: string
  pods: PodSettings
  /** Secret of this operator, from which every job's token is derived; the same after a restart. */
  tokenKeys: TokenKeys
  /** How many jobs at once get other pods because the operator or its settings are others. */
  rolloutLimit: number
  /** Absent: acts at once, without a lease; then no second operator may run. */
  leaderElection?: { lease: ObjectRef; identity: string; onLost: () => void }
}

export interface RunningOperator {
  readonly metrics: OperatorMetrics
  /** Its caches are filled; a standby is ready too. */
  isReady(): boolean
  /** Ends the passes under way and gives the lease back. */
  stop(): Promise<void>
}

/** Starts watching and, once leading, acting. Returns at once. */
export function startOperator(parts: OperatorParts): RunningOperator {
  const { clock, settings } = parts
  const metrics = new OperatorMetrics()
  const logger = parts.logger.with({ component: 'operator' })
  const lead = (): void => {
    metrics.leading(true)
    for (const controller of controllers) controller.begin()
  }
  const stopControllers = async (): Promise<void> => {
    listener.stop()
    await Promise.all(controllers.map((controller) => controller.stop()))
  }
  const election =
    settings.leaderElection === undefined
      ? undefined
      : new LeaderElection({
          kube: parts.kube,
          clock,
          logger,
          lease: settings.leaderElection.lease,
          identity: settings.leaderElection.identity,
          onLead: lead,
          onLost: () => {
            metrics.leading(false)
            void stopControllers()
            settings.leaderElection?.onLost()
          },
        })
  const leadership = election ?? UNCONTESTED
  const kube = whileLeading(parts.kube, KUBE_WRITES, leadership)
  const jobClient = whileLeading(parts.jobClient, JOB_WRITES, leadership)
  const events = new EventRecorder({
    kube,
    clock,
    logger,
    instance: settings.leaderElection?.identity ?? 'operator',
  })
  const { controllers, listener } = controllersOf(
    { ...parts, kube, jobClient },
    { metrics, logger, events, leadership },
  )
  for (const controller of controllers) controller.watch()
  if (election === undefined) lead()
  else election.start()

  return {
    metrics,
    isReady: () => controllers.every((controller) => controller.hasSynced()),
    async stop() {
      // First the work, then the lease: who takes over must not meet a pass of ours.
      await stopControllers()
      await election?.stop()
    },
  }
}

const KUBE_WRITES = ['create', 'patch', 'patchStatus', 'apply', 'delete'] as const
const JOB_WRITES = ['putTarget', 'requestSavepoint', 'deleteSavepoint'] as const

interface Shared {
  metrics: OperatorMetrics
  logger: Logger
  events: EventRecorder
  leadership: Leadership
}

/** What all controllers have in common, whatever their kind. */
type Steering = Pick<Controller<KubeObject>, 'watch' | 'begin' | 'stop' | 'hasSynced'>

interface Controllers {
  controllers: readonly Steering[]
  listener: Listener
}

/**
 * So many passes a second are made over all jobs at rest together: their figures in the status are as old as that, and
 * each may cost the API server a write.
 */
const REST_PASSES_PER_SECOND = 1

function selectorOfClass({ operatorClass }: OperatorSettings): string {
  return operatorClass === undefined ? `!${CLASS_LABEL}` : `${CLASS_LABEL}=${operatorClass}`
}

function controllersOf(parts: OperatorParts, { metrics, logger, events, leadership }: Shared): Controllers {
  const { kube, clock, rng, jobClient, connectors, settings } = parts
  const machinery = { kube, clock, rng, logger, metrics }
  const scope = {
    labelSelector: selectorOfClass(settings),
    ...(settings.namespaces === undefined ? {} : { namespaces: settings.namespaces }),
  }
  const own = settings.leaderElection?.lease
  const learning = learningKube(kube, (resource, object) => {
    jobs.learn(resource, object)
  })
  const managers = own === undefined ? undefined : new Managers({ kube: learning, clock, events, own })
  const guarded = <T extends KubeObject>(
    resource: ResourceType<T>,
    controller: () => Controller<T>,
    reconcile: Reconcile,
    finalizer?: string,
  ): Reconcile => managers?.guard(resource, (ref) => controller().find(ref), reconcile, finalizer) ?? reconcile
  const { tokenKeys } = settings
  const teller = new Teller({ kube, events, metrics, store: settings.pods.store })
  const rollout = new Rollout(settings.rolloutLimit, () => jobs.cached())
  const isolation = new Isolation({ kube, settings: settings.pods })
  const created = new OncePerOperation()
  const pace = new StatusPace()
  const schedule = new SavepointSchedule({ kube, events })
  const listener = new Listener({
    jobClient,
    clock,
    wake: (ref) => {
      jobs.wake(ref)
    },
    jobs: () => jobs.cached().length,
    passesPerSecond: REST_PASSES_PER_SECOND,
  })
  const jobs: Controller<StreamJob> = new Controller<StreamJob>(machinery, {
    name: 'streamjob',
    resource: streamJobs,
    ...scope,
    concurrency: 8,
    reconcile: guarded(
      streamJobs,
      () => jobs,
      (ref, aside) =>
        reconcileStreamJob(
          {
            kube: learning,
            views,
            jobClient: besides(jobClient, aside),
            connectors,
            settings: settings.pods,
            tokenKeys,
            rollout,
            events,
            teller,
            isolation,
            created,
            schedule,
            pace,
            listener,
            leadership,
            logger,
          },
          ref,
        ),
      FINALIZER,
    ),
    alsoWatch: [
      { resource: pods, labelSelector: JOB_LABEL, wakes: jobOf, read: readPartOfPod },
      ...(settings.pods.network === undefined ? [] : [policiesOf(isolation)]),
      { resource: druidDatasources, wakes: (datasource) => jobsReading(jobs, datasource) },
    ],
  })
  const views = new JobViews({ kube, clock, cache: jobs })
  metrics.countJobs(() => countBy(jobs.cached(), (job) => job.status?.phase ?? 'Pending'))
  const deletions = new MetDeletions()
  const savepoints: Controller<StreamSavepoint> = new Controller<StreamSavepoint>(machinery, {
    name: 'streamsavepoint',
    resource: streamSavepoints,
    ...scope,
    reconcile: guarded(
      streamSavepoints,
      () => savepoints,
      (ref, aside) =>
        reconcileSavepoint(
          {
            kube,
            jobClient: besides(jobClient, aside),
            tokenKeys,
            events,
            leadership,
            deletions,
            store: settings.pods.store,
          },
          ref,
        ),
    ),
  })
  const datasources: Controller<DruidDatasource> = new Controller<DruidDatasource>(machinery, {
    name: 'druiddatasource',
    resource: druidDatasources,
    ...scope,
    reconcile: guarded(
      druidDatasources,
      () => datasources,
      druidReconciler({ kube, clock, events, druids: parts.druids(leadership), leadership }),
    ),
  })
  return { controllers: [jobs, savepoints, datasources], listener }
}

/** Coordinators may hang: who waits for them holds up no other object. */
function besides(jobClient: JobClient, aside: Aside): JobClient {
  return wrapped(jobClient, (_, call) => aside(async () => call()))
}

/** A policy that somebody changes or removes is written again. */
function policiesOf(isolation: Isolation): AlsoWatch<KubeObject> {
  return {
    resource: networkPolicies,
    labelSelector: JOB_LABEL,
    wakes: (policy) => {
      for (const { uid } of policy.metadata.ownerReferences ?? []) isolation.forget(uid)
      return jobOf(policy)
    },
  }
}

/** That a pod or a policy belongs to. */
function jobOf({ metadata }: KubeObject): ObjectRef[] {
  const name = metadata.labels?.[JOB_LABEL]
  return name === undefined ? [] : [{ namespace: metadata.namespace ?? '', name }]
}

function jobsReading(jobs: Controller<StreamJob>, datasource: KubeObject): ObjectRef[] {
  const { namespace = '', name } = datasource.metadata
  return jobs
    .cached()
    .filter((job) => job.metadata.namespace === namespace && referredDatasources(job.spec).includes(name))
    .map((job) => ({ namespace, name: job.metadata.name }))
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1)
  return counts
}
