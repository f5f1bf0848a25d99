import type { TokenKeys } from '../../operator/resources/job-token.ts'
import { planJob } from '../../runtime/front/planned-job.ts'
import { subtasksOf } from '../../runtime/plan/chaining.ts'
import { declaration as webhook } from '../../runtime/connectors/webhook/declaration.ts'
import { anyConnectors } from './any-connectors.ts'
import type {
  AutoscalerPolicy,
  JobReport,
  JobTarget,
  SavepointReport,
  SavepointRequest,
} from '../../runtime/control/job-report.ts'
import { policyDigest } from '../../runtime/control/digest.ts'
import { MillraceError } from '../../runtime/model/errors.ts'
import type { Order } from '../../runtime/model/job.ts'
import { isOlder, newerOf, outdated } from '../../runtime/model/order.ts'
import type { StreamJob, StreamJobSpec } from '../../operator/api/stream-job.ts'
import { API_VERSION, streamJobs } from '../../operator/api/stream-job.ts'
import { UNCONTESTED } from '../../operator/controller/leadership.ts'
import type { ReconcileResult } from '../../operator/controller/controller.ts'
import type { Leadership } from '../../operator/controller/leadership.ts'
import { OperatorMetrics } from '../../operator/controller/metrics.ts'
import { CoordinatorRefusal } from '../../operator/job-client.ts'
import type { JobClient, JobEndpoint } from '../../operator/job-client.ts'
import { EventRecorder } from '../../operator/kube/events.ts'
import { isConflict } from '../../operator/kube/errors.ts'
import type { Kube, ObjectRef } from '../../operator/kube/kube.ts'
import type { KubeEvent, Pod } from '../../operator/kube/objects.ts'
import { kubeEvents, pods } from '../../operator/kube/resource-type.ts'
import { imageOf } from '../../operator/resources/job-pod.ts'
import type { PodSettings } from '../../operator/resources/job-pod.ts'
import { templateOf } from '../../operator/resources/template.ts'
import { subtaskOf } from '../../operator/resources/worker-pod.ts'
import { reconcileSavepoint } from '../../operator/savepoint/reconcile.ts'
import { SavepointSchedule } from '../../operator/savepoint/schedule.ts'
import { Isolation } from '../../operator/streamjob/isolation.ts'
import { Listener } from '../../operator/streamjob/listener.ts'
import { MetDeletions } from '../../operator/controller/met-deletions.ts'
import { JobViews } from '../../operator/streamjob/job-views.ts'
import { OncePerOperation } from '../../operator/streamjob/once-per-operation.ts'
import { reconcileStreamJob } from '../../operator/streamjob/reconcile.ts'
import { Rollout } from '../../operator/streamjob/rollout.ts'
import { StatusPace } from '../../operator/streamjob/status-pace.ts'
import { Teller } from '../../operator/streamjob/tell.ts'
import { eventTexts } from './certification/facts.ts'
import { isCrash, Strike } from './certification/strike.ts'
import { startOperator } from '../../operator/operator.ts'
import type { RunningOperator } from '../../operator/operator.ts'
import { FakeKube } from './fake-kube.ts'
import { ManualClock } from './manual-clock.ts'
import { runningReport } from './running-report.ts'
import { silentLogger } from './silent-logger.ts'

export const REF = { namespace: 'shop', name: 'counts' }

const any = anyConnectors('nexmark', 'console')
/** `webhook` as it is: of a source that listens the operator asks for its ports. */
export const jobConnectors = { ...any, sources: { ...any.sources, ...(webhook.source && { webhook: webhook.source }) } }

export function countsSpec(changes: Partial<StreamJobSpec> = {}): StreamJobSpec {
  return {
    replicas: 2,
    maxParallelism: 128,
    desiredState: 'Running',
    graph: [
      {
        id: 'bids',
        source: { nexmark: {} },
        schema: { auction: 'long', price: 'long', at: 'timestamp' },
        eventTime: { field: 'at' },
      },
      { id: 'hot', from: 'bids', keyBy: 'auction', window: { tumble: '10s' }, aggregate: { bids: 'count()' } },
      { id: 'out', from: 'hot', sink: { console: {} } },
    ],
    ...changes,
  }
}

/** What survives every pod: the checkpoint store. */
interface Store {
  attempt: number
  /** What was obeyed last. */
  order: Order | undefined
  savepoints: Map<string, SavepointReport>
  savepointsTaken: number
}

interface Coordinator {
  image: string
  target: JobTarget | undefined
  report: JobReport
}

/** What a process of the operator has in its memory. */
interface Operator {
  kube: Kube
  jobClient: JobClient
  metrics: OperatorMetrics
  events: EventRecorder
  teller: Teller
  isolation: Isolation
  schedule: SavepointSchedule
  created: OncePerOperation
  pace: StatusPace
  views: JobViews
  deletions: MetDeletions
}

/**
 * One job in a small cluster without processes: FakeKube, a kubelet that starts and ends pods at once, coordinators
 * that keep the contract of job-report.ts, and the real reconciler. Nothing is remembered between its passes, unless a test
 * says so.
 */
export class OperatorWorld implements JobClient {
  readonly clock = new ManualClock()
  readonly kube = new FakeKube(() => this.clock.now())
  readonly store: Store = { attempt: 0, order: undefined, savepoints: new Map(), savepointsTaken: 0 }
  readonly targets: JobTarget[] = []
  /** What coordinators were asked to watch the load for. */
  readonly policies: (AutoscalerPolicy | null)[] = []
  tokenKeys: TokenKeys = ['k'.repeat(32)]
  addressing: 'podIP' | 'service' = 'podIP'
  /** For jobs that name none. */
  image = 'millrace:1'
  /** Shared with other jobs. */
  rollout = new Rollout(1, () => [])
  /** Coordinators do not answer. */
  unreachable = false
  network: PodSettings['network']
  /** The kubelet starts nothing of these. */
  isHeld: (pod: Pod) => boolean = () => false
  savepointFails = false
  /** Why the coordinator of such an image does not take a target. */
  refusesTarget: (target: JobTarget, image: string) => CoordinatorRefusal['told'] | undefined = () => undefined
  /** May change what a coordinator says. */
  afterReport: (report: JobReport) => void = () => undefined
  /** An attempt has read all of its input before anybody asks again. */
  finishesAtOnce = false
  leadership: Leadership = UNCONTESTED
  /** A fresh operator makes each pass. */
  isForgetful = true
  /** Passes are made by the test. */
  readonly #listener = new Listener({
    jobClient: this,
    clock: this.clock,
    wake: () => undefined,
    jobs: () => 1,
    passesPerSecond: 1,
  })
  /** What the operator's calls meet. */
  readonly #strike: Strike
  #operator: Operator
  #scraped = new Map<string, number>()
  readonly #countedBefore = new Map<string, number>()
  readonly #coordinators = new Map<string, Coordinator>()
  /** The coordinator that runs the job, or ran it last. */
  #running: Coordinator | undefined
  #addresses = 0

  constructor(strike = new Strike()) {
    this.#strike = strike
    this.#operator = this.#newOperator()
  }

  create(spec: StreamJobSpec = countsSpec()): Promise<StreamJob> {
    return this.kube.create(streamJobs, {
      apiVersion: API_VERSION,
      kind: 'StreamJob',
      metadata: { ...REF, uid: 'job-uid-1' },
      spec,
    })
  }

  edit(change: (spec: Record<string, unknown>) => void): void {
    this.kube.update(streamJobs, REF, (job) => {
      change(job.spec as unknown as Record<string, unknown>)
    })
  }

  job(): StreamJob | undefined {
    return this.kube.peek(streamJobs, REF)
  }

  /** Without their templates. */
  podNames(): string[] {
    return this.#pods()
      .map((pod) => shortName(pod))
      .sort()
  }

  /** The pod of the running template, by its name without it. */
  pod(name: string): Pod | undefined {
    const template = this.job()?.status?.template
    return this.#pods().find((pod) => shortName(pod) === name && templateOf(pod) === template)
  }

  refOf(name: string): ObjectRef {
    const pod = this.pod(name)
    if (pod === undefined) throw new Error(`no pod ${name}`)
    return { namespace: REF.namespace, name: pod.metadata.name }
  }

  async eventReasons(): Promise<string[]> {
    return [...this.kube.objects.values()]
      .filter((one): one is KubeEvent => one.kind === kubeEvents.kind)
      .map((event) => event.reason)
  }

  condition(type: string): string {
    const found = this.job()?.status?.conditions?.find((one) => one.type === type)
    return found === undefined ? 'absent' : `${found.status}/${found.reason}`
  }

  /** The operator ends: another one with nothing in its memory takes its place. */
  restartOperator(): void {
    for (const [labels, count] of this.#scraped)
      this.#countedBefore.set(labels, (this.#countedBefore.get(labels) ?? 0) + count)
    this.#scraped = new Map()
    this.#operator = this.#newOperator()
  }

  #newOperator(): Operator {
    const clock = this.#strike.clockOf(this.clock)
    const kube = this.#strike.guard<Kube>('API server', this.kube)
    const metrics = new OperatorMetrics()
    const events = new EventRecorder({ kube, clock, logger: silentLogger, instance: 'test' })
    return {
      kube,
      deletions: new MetDeletions(),
      jobClient: this.#strike.guard<JobClient>('coordinator', this),
      metrics,
      events,
      teller: new Teller({ kube, events, metrics, store: 'file:///checkpoints' }),
      isolation: new Isolation({ kube, settings: this.settings() }),
      schedule: new SavepointSchedule({ kube, events }),
      created: new OncePerOperation(),
      pace: new StatusPace(),
      views: new JobViews({ kube, clock }),
    }
  }

  /** The whole operator, which passes as its watches and timers have it. */
  startControllers(): RunningOperator {
    return startOperator({
      kube: this.#strike.watched(this.#strike.guard<Kube>('cached API server', this.kube), this.clock),
      clock: this.clock,
      jobClient: this,
      rng: { next: () => 0.5, id: () => 'test' },
      logger: silentLogger,
      connectors: jobConnectors,
      druids: () => ({ find: () => undefined }),
      settings: { tokenKeys: this.tokenKeys, rolloutLimit: 1, pods: this.settings() },
    })
  }

  settings(): PodSettings {
    return {
      image: this.image,
      imagePullPolicy: 'IfNotPresent',
      store: 'file:///checkpoints',
      addressing: this.addressing,
      encryption: 'on',
      maxSubtasks: 1000,
      ...(this.network === undefined ? {} : { network: this.network }),
    }
  }

  /** How many operations and pauses all operators have counted, by metric and labels. */
  counted(): Record<string, number> {
    const sum = new Map(this.#countedBefore)
    for (const [labels, count] of this.#scraped) sum.set(labels, (sum.get(labels) ?? 0) + count)
    return Object.fromEntries([...sum].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** As Prometheus does between two passes: what a process counts in the pass in which it dies, nobody sees. */
  async #scrape(): Promise<void> {
    const all = await this.#operator.metrics.registry.getMetricsAsJSON()
    const values = all
      .filter(({ name }) => name.includes('_operation_'))
      .flatMap((metric) => metric.values as { metricName?: string; labels: object; value: number }[])
    this.#scraped = new Map(
      values
        .filter(({ metricName = '' }) => metricName.endsWith('_count'))
        .map(({ metricName, labels, value }) => [`${metricName} ${JSON.stringify(labels)}`, value]),
    )
  }

  eventTexts(): string[] {
    return eventTexts(this.kube)
  }

  /** One pass of the operator; answers what the controller would do next. A conflict is routine. */
  pass(): Promise<number | undefined> {
    return this.#pass(({ metrics: _, ...operator }) =>
      reconcileStreamJob(
        {
          ...operator,
          connectors: jobConnectors,
          tokenKeys: this.tokenKeys,
          rollout: this.rollout,
          logger: silentLogger,
          listener: this.#listener,
          leadership: this.leadership,
          settings: this.settings(),
        },
        REF,
      ),
    )
  }

  /** The same for a StreamSavepoint. */
  savepointPass(ref: ObjectRef): Promise<number | undefined> {
    const { tokenKeys, leadership } = this
    return this.#pass(({ kube, jobClient, events, deletions }) =>
      reconcileSavepoint(
        { kube, jobClient, events, deletions, tokenKeys, leadership, store: this.settings().store },
        ref,
      ),
    )
  }

  async #pass(reconcile: (operator: Operator) => Promise<ReconcileResult>): Promise<number | undefined> {
    if (this.isForgetful) this.restartOperator()
    try {
      const { requeueAfterMs } = await reconcile(this.#operator)
      if (this.#strike.state === 'lives') await this.#scrape()
      return requeueAfterMs
    } catch (error) {
      if (this.#strike.state === 'lives' && !isCrash(error)) await this.#scrape()
      if (isConflict(error)) return 50
      throw error
    }
  }

  /** Passes, with the kubelet at work in between, until the condition holds. */
  async until(what: string, holds: (job: StreamJob | undefined) => boolean, most = 60): Promise<void> {
    for (let pass = 0; pass < most; pass += 1) {
      const nextMs = await this.pass()
      this.kubelet()
      if (holds(this.job())) return
      await this.clock.advance(Math.max(100, nextMs ?? 1000))
    }
    throw new Error(`not reached: ${what}; ${JSON.stringify(this.job()?.status)}; pods ${this.podNames().join(' ')}`)
  }

  async untilRunning(): Promise<void> {
    await this.until(
      'running',
      (job) =>
        job?.status?.phase === 'Running' &&
        job.status.observedGeneration === job.metadata.generation &&
        job.status.operation === undefined &&
        (job.status.untold ?? []).length === 0 &&
        this.condition('Ready').startsWith('True'),
    )
  }

  kubelet(): void {
    for (const pod of this.#pods()) {
      if (this.isHeld(pod)) continue
      const ref = { namespace: REF.namespace, name: pod.metadata.name }
      if (pod.metadata.deletionTimestamp === undefined && pod.status?.podIP === undefined) {
        this.#addresses += 1
        const podIP = `10.0.0.${this.#addresses}`
        this.kube.update(pods, ref, (one) => {
          one.status = { phase: 'Running', podIP, conditions: [{ type: 'Ready', status: 'True' }] }
        })
      }
    }
  }

  /** A connection that ends is seen at once by the coordinator, whoever asks it. */
  kill(name: string): void {
    this.kube.update(pods, this.refOf(name), (pod) => {
      pod.metadata.deletionTimestamp = 'now'
      delete pod.metadata.finalizers
    })
    for (const pod of this.#pods().filter((one) => this.#coordinators.has(one.metadata.uid ?? ''))) this.#stepOf(pod)
  }

  /** The kubelet finds no such image. */
  cannotPull(image: string): void {
    this.isHeld = (pod) => {
      if (imageOf(pod) !== image) return false
      if (pod.status === undefined)
        this.kube.update(pods, { namespace: REF.namespace, name: pod.metadata.name }, (one) => {
          const state = { waiting: { reason: 'ErrImagePull', message: `${image} not found` } }
          one.status = {
            phase: 'Pending',
            containerStatuses: [{ name: 'millrace', ready: false, restartCount: 0, state }],
          }
        })
      return true
    }
  }

  /** What the coordinator behind this address says now. Its life goes on a step at every question. */
  async report(at: JobEndpoint): Promise<JobReport> {
    const { report } = this.#step(at)
    this.afterReport(report)
    return { ...report }
  }

  /** Nobody hears anything. */
  reportUnlike(): Promise<undefined> {
    return new Promise(() => undefined)
  }

  async putTarget(at: JobEndpoint, target: JobTarget): Promise<JobReport> {
    const coordinator = this.#step(at)
    const told = this.refusesTarget(target, coordinator.image)
    if (told !== undefined) throw new CoordinatorRefusal('PUT /v1/target was refused', 422, told)
    this.#obey('the target', target.order)
    const { report } = coordinator
    if (report.phase === 'failed' && report.targetRevision !== target.revision)
      Object.assign(report, { phase: 'waiting', error: null, runningWorkers: [] })
    coordinator.target = structuredClone(target)
    this.targets.push(structuredClone(target))
    return this.report(at)
  }

  async putAutoscaler(at: JobEndpoint, policy: AutoscalerPolicy | null): Promise<JobReport> {
    const coordinator = this.#step(at)
    this.policies.push(policy)
    coordinator.report.autoscaler = { policy: policyDigest(policy), proposals: [], limits: [] }
    return this.report(at)
  }

  async requestSavepoint(at: JobEndpoint, { id, order }: SavepointRequest): Promise<SavepointReport> {
    const { report } = this.#step(at)
    this.#obey(`the savepoint ${id}`, order)
    const known = this.store.savepoints.get(id)
    if (known !== undefined) return known
    this.store.savepointsTaken += 1
    this.store.savepoints.set(
      id,
      this.savepointFails
        ? {
            id,
            phase: 'failed',
            error: { code: 'STORE_UNAVAILABLE', message: 'the store is full', domain: 'dependency', retriable: true },
          }
        : {
            id,
            phase: 'completed',
            checkpoint: {
              attempt: report.attempt,
              id: this.store.savepointsTaken,
              kind: 'savepoint',
              path: `checkpoints/${report.attempt}-${this.store.savepointsTaken}/manifest.json`,
              completedAt: this.clock.now(),
              durationMs: 1,
              sizeBytes: 1,
            },
          },
    )
    return { id, phase: 'inProgress' }
  }

  async savepoint(at: JobEndpoint, id: string): Promise<SavepointReport | undefined> {
    this.#step(at)
    return this.store.savepoints.get(id)
  }

  async deleteSavepoint(at: JobEndpoint, id: string): Promise<void> {
    this.#step(at)
    this.store.savepoints.delete(id)
  }

  /** As the real one does. */
  #obey(what: string, order: Order | undefined): void {
    const { order: seen } = this.store
    if (order !== undefined && seen !== undefined && isOlder(order, seen)) throw outdated(what, order, seen)
    this.store.order = newerOf(order, seen)
  }

  #pods(): Pod[] {
    return [...this.kube.objects.values()].filter((object): object is Pod => object.kind === 'Pod')
  }

  #step(at: JobEndpoint): Coordinator {
    const pod = this.#pods().find((one) => one.status?.podIP === at.host && shortName(one) === 'counts-coordinator')
    if (pod === undefined || this.unreachable)
      throw new MillraceError('COORDINATOR_UNREACHABLE', `${at.host} does not answer`, {
        domain: 'platform',
        retriable: true,
      })
    return this.#stepOf(pod)
  }

  #stepOf(pod: Pod): Coordinator {
    const uid = pod.metadata.uid ?? ''
    const coordinator = this.#coordinators.get(uid) ?? {
      target: undefined,
      image: imageOf(pod) ?? '',
      report: freshReport(),
    }
    this.#coordinators.set(uid, coordinator)
    if (templateOf(pod) === this.job()?.status?.template) this.#running = coordinator
    const { report, target } = coordinator
    const registered = this.#pods()
      .filter((one) =>
        one.metadata.annotations?.['millrace.dev/coordinator']?.startsWith(`${pod.status?.podIP ?? ''}:`),
      )
      .filter((one) => one.status?.podIP !== undefined)
      .flatMap((one) => subtaskOf(one) ?? [])
    report.registeredWorkers = registered
    if (target === undefined) return coordinator
    const expected = subtasksOf(planJob(target.spec, jobConnectors).plan).map(({ id }) => id)
    Object.assign(report, { targetRevision: target.revision, expectedWorkers: expected })
    this.#live(report, target, expected, registered)
    return coordinator
  }

  #live(report: JobReport, target: JobTarget, expected: string[], registered: string[]): void {
    if (report.phase === 'finished' || report.phase === 'failed') return
    if (target.desiredState === 'suspended') {
      report.phase = 'suspended'
      return
    }
    const lost = report.runningWorkers.some((id) => !registered.includes(id))
    const isWanted = report.phase === 'running' && report.revision === target.revision && !lost
    if (isWanted) return
    if (!expected.every((id) => registered.includes(id))) {
      if (lost) report.phase = 'recovering'
      return
    }
    this.store.attempt += 1
    Object.assign(report, {
      phase: this.finishesAtOnce ? 'finished' : 'running',
      attempt: this.store.attempt,
      revision: target.revision,
      runningWorkers: expected,
      ...(report.autoscaler === undefined ? {} : { autoscaler: { ...report.autoscaler, proposals: [], limits: [] } }),
    })
  }

  /** The running coordinator, to make it say something. */
  coordinatorReport(): JobReport {
    this.#running = this.#coordinators.get(this.pod('counts-coordinator')?.metadata.uid ?? '') ?? this.#running
    if (this.#running === undefined) throw new Error('no coordinator has been asked yet')
    return this.#running.report
  }
}

function shortName(pod: Pod): string {
  return pod.metadata.name.replace(/-[0-9a-f]{8}$/, '')
}

/** Of a coordinator that was asked for nothing yet. */
function freshReport(): JobReport {
  return runningReport({
    job: 'counts',
    phase: 'waiting',
    attempt: 0,
    revision: null,
    targetRevision: null,
    expectedWorkers: [],
    registeredWorkers: [],
    runningWorkers: [],
    autoscaler: { policy: null, proposals: [], limits: [] },
  })
}
