import { isMarkedCommitted } from '../checkpoint/commit-marker.ts'
import { JobLog, type LogView } from '../checkpoint/job-log.ts'
import { type Manifest, readManifest, withoutOutput } from '../checkpoint/manifest.ts'
import { assignRestore } from '../checkpoint/restore-assignment.ts'
import { discardSavepoint, retire, sweep } from '../checkpoint/retention.ts'
import type { Connectors } from '../connectors/registry.ts'
import type { JobPhase, JobReport, SavepointReport, SavepointRequest } from '../control/job-report.ts'
import type { SubtaskMetrics, WorkerMessage } from '../control/messages.ts'
import { describeWithCauses, type ErrorReport, errorReport, MillraceError } from '../model/errors.ts'
import type { Attempt, SubtaskId } from '../model/ids.ts'
import type { CheckpointReport, JobTarget, Order } from '../model/job.ts'
import { isOlder, newerOf, outdated } from '../model/order.ts'
import type { Split } from '../model/snapshot.ts'
import { subtasksOf } from '../plan/chaining.ts'
import type { ExecutionPlan } from '../plan/execution-plan.ts'
import type { PlannedJob } from '../front/planned-job.ts'
import { sleep } from '../ports/clock.ts'
import type { NetAddress } from '../ports/net.ts'
import type { Ports } from '../ports/ports.ts'
import type { Store } from '../ports/store.ts'
import { AttemptFailures } from './attempt-failures.ts'
import { AttemptRun } from './attempt-run.ts'
import { deploymentsOf } from './deployments.ts'
import { DriveLoop } from './drive-loop.ts'
import { InitialState } from './initial-state.ts'
import { JobError } from './job-error.ts'
import { excessiveLoss, lossesOf } from './record-losses.ts'
import { decide, type Facts, type Step } from './decide.ts'
import { isOver, nextPhase } from './job-phase.ts'
import { summaryOf } from './job-summary.ts'
import type { SubtaskSeries } from './metrics.ts'
import { PauseClock } from './pause-clock.ts'
import { PeriodicCheckpoints } from './periodic-checkpoints.ts'
import { ReportListeners } from './report-listeners.ts'
import { lostState } from './restore-fit.ts'
import { Savepoints } from './savepoints.ts'
import { discoverSplits, type SplitParts, watchSplits } from './splits.ts'
import { SwitchPreparation } from './switch-preparation.ts'
import { failureOf, WorkerOrders } from './worker-orders.ts'
import { findVanished } from './vanished-checkpoints.ts'
import { WorkerRegistry, type RegisteredWorker } from './worker-registry.ts'

const CHECKPOINT_TIMEOUT_MS = 60_000

export interface CoordinatorConfig {
  job: string
  jobUid: string
  token: string
  control: NetAddress
  baseDir: string
  /** The store's address as workers open it, and this job's folder in it. */
  storeUrl: string
  /** As WorkerRegistry takes it. */
  heartbeatTimeoutMs?: number
  /**
   * What the pods of this coordinator and its workers were rendered from. A coordinator whose job was last claimed by
   * pods of another template stands by until it is to run the job: it may have been started beside those that run.
   */
  template?: string | undefined
}

/** Reads a spec and plans the job. Throws SPEC_INVALID. */
export type JobPlanner = (spec: unknown) => PlannedJob

interface Wanted extends PlannedJob {
  target: JobTarget
}

/**
 * One per job. Level-triggered like the operator: `decide` compares what is asked for with what runs and names
 * one step at a time, `#take` carries it out; messages only change facts and wake it. A new attempt always goes the
 * same way, whether after a start, a loss, a rescale or an upgrade: claim in the log (fences older coordinators) →
 * fence the workers → only then read the newest checkpoint → restore → go.
 */
export class Coordinator {
  readonly listeners: ReportListeners
  readonly #config: CoordinatorConfig
  readonly #ports: Ports
  readonly #connectors: Connectors
  readonly #store: Store
  readonly #planJob: JobPlanner
  readonly #registry: WorkerRegistry
  readonly #pause = new PauseClock()
  readonly #savepoints: Savepoints
  readonly #orders: WorkerOrders
  readonly #initial: InitialState
  readonly #checkpoints: PeriodicCheckpoints
  readonly #loop = new DriveLoop(() => this.#step())
  #preparation: SwitchPreparation | undefined
  /** A wanted graph in which the state of the running attempt, as of that checkpoint, has its place. */
  #fit: { run: AttemptRun; wanted: Wanted; newest: CheckpointReport | null } | undefined
  #log: JobLog | undefined
  /** Others run the job: nothing of the log is this coordinator's until it is to run the job. */
  #standsBy = false
  #wanted: Wanted | undefined
  /** The newest that was obeyed, by this coordinator or by one before it. */
  #order: Order | undefined
  /** A target that the state of the running attempt does not fit. */
  #refused: { revision: string; error: MillraceError } | undefined
  #phase: JobPhase = 'waiting'
  #run: AttemptRun | undefined
  /** The newest attempt deployed, also while it does not run. */
  #attempt: Attempt = 0
  #revision: string | null = null
  /** The last time that they were asked. */
  #sourcesFailed = false
  #newest: CheckpointReport | null = null
  #checkpointFailures = 0
  #restarts = 0
  readonly #failures = new AttemptFailures()
  readonly #error = new JobError()
  /** As reported between two attempts. */
  #crashLoop: MillraceError | undefined
  readonly #tellRefusal = this.#error.teller()
  #closed = false
  /** Resolves the promise of `run`; rejects it when this coordinator has been superseded. */
  #end: { resolve(): void; reject(error: Error): void } | undefined

  constructor(config: CoordinatorConfig, ports: Ports, connectors: Connectors, store: Store, planJob: JobPlanner) {
    this.#config = config
    this.#ports = ports
    this.#connectors = connectors
    this.#store = store
    this.#planJob = planJob
    this.listeners = new ReportListeners(ports.clock, () => this.report())
    this.#registry = new WorkerRegistry({
      clock: ports.clock,
      logger: ports.logger,
      token: config.token,
      heartbeatTimeoutMs: config.heartbeatTimeoutMs,
      events: {
        registered: (worker) => {
          this.#stopStale(worker)
          this.#wake()
        },
        metrics: (metrics) => {
          this.#pause.observe(metrics)
        },
        lost: (subtask) => {
          this.#onLost(subtask)
        },
        message: (subtask, message) => {
          this.#onMessage(subtask, message)
        },
      },
    })
    this.#orders = new WorkerOrders({
      clock: ports.clock,
      isThere: (subtask) => this.#registry.worker(subtask) !== undefined,
      send: (subtask, message) => {
        this.#registry.send(subtask, message)
      },
    })
    this.#checkpoints = new PeriodicCheckpoints(ports.clock)
    this.#initial = new InitialState({
      job: config.job,
      jobUid: config.jobUid,
      store,
      logger: ports.logger,
      openStore: ports.openStore,
      planJob,
    })
    this.#savepoints = new Savepoints({
      take: (id) => this.#takeSavepoint(id),
      discard: (id) => this.#discardSavepoint(id),
    })
  }

  /**
   * Opens the log and the control port. Resolves with the control address; rejects when it cannot be used. A store that
   * cannot be read is tried again and reported meanwhile: a process that ended could not say why.
   */
  async start(): Promise<NetAddress> {
    await this.#openLog().catch((error: unknown) => {
      this.#error.current = error instanceof Error ? error : new Error(String(error))
    })
    const address = await this.#registry.listen(this.#ports.net, this.#config.control)
    this.#wake()
    return address
  }

  async #openLog(): Promise<void> {
    const log = await JobLog.open(this.#store, this.#config.jobUid)
    const view = log.view()
    this.#standsBy =
      this.#wanted?.target.desiredState !== 'running' && view.attempt > 0 && view.template !== this.#config.template
    if (!this.#standsBy) this.#takeUp(view)
    this.#order = newerOf(this.#order, view.order)
    this.#log = log
    this.#error.current = undefined
  }

  #takeUp(view: LogView): void {
    this.#attempt = view.attempt
    this.#newest = view.newest ?? null
    this.#savepoints.add(view.checkpoints)
    // A target that was set meanwhile is newer than the one in the log, unless it says that it is not.
    if (view.target && (!this.#wanted || isOlder(this.#wanted.target.order, view.order)))
      this.#accept(view.ended === 'suspended' ? { ...view.target, desiredState: 'suspended' } : view.target)
  }

  /** Resolves after close; rejects with ATTEMPT_SUPERSEDED when another coordinator has taken over. */
  ended(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#end = { resolve, reject }
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    // the next one's time would hold up the end of a process that does more than this job
    this.#checkpoints.stop()
    this.listeners.close()
    this.#preparation?.end()
    this.#run?.fail(
      new MillraceError('COORDINATOR_CLOSED', 'the coordinator is stopping', { domain: 'platform', retriable: true }),
    )
    this.#run = undefined
    await this.#registry.close()
    this.#end?.resolve()
  }

  /**
   * Asks for a target; the same again changes nothing. Throws SPEC_INVALID, STATE_WOULD_BE_LOST or ORDER_OUTDATED and
   * keeps what runs.
   */
  setTarget(target: JobTarget): void {
    this.#obey(`the target ${target.revision} (${target.desiredState})`, target.order)
    const before = this.#wanted?.target
    if (
      before?.revision === target.revision &&
      before.desiredState === target.desiredState &&
      before.restore === target.restore
    )
      return
    this.#accept(target)
    if (this.#error.current === this.#refused?.error) this.#error.current = undefined
    this.#refused = undefined
    if (this.#phase === 'failed') {
      // Until the first step towards it, a report would show the failure of the target before as its own.
      this.#setPhase('waiting')
      this.#error.current = undefined
    }
    if (this.#error.current === this.#crashLoop) this.#error.current = undefined
    // Others have written to the log since it was opened.
    if (this.#standsBy && target.desiredState === 'running') this.#log = undefined
    this.#failures.forget()
    this.#wake()
  }

  /** A leader that was frozen may ask when it wakes, long after another one has gone on. */
  #obey(what: string, order: Order | undefined): void {
    if (order !== undefined && this.#order !== undefined && isOlder(order, this.#order))
      throw outdated(what, order, this.#order)
    this.#order = order ?? this.#order
  }

  /** As it is claimed: a coordinator that starts again must refuse what this one refuses. */
  #ordered(target: JobTarget): JobTarget {
    return this.#order === undefined ? target : { ...target, order: this.#order }
  }

  #accept(target: JobTarget): void {
    this.#wanted = { target, ...this.#planJob(target.spec) }
  }

  /** Asks for a savepoint; the same id again asks for the same one. Throws ORDER_OUTDATED. */
  savepoint({ id, order }: SavepointRequest): SavepointReport {
    this.#obey(`the savepoint ${id}`, order)
    return this.#savepoints.ask(id)
  }

  findSavepoint(id: string): SavepointReport | undefined {
    return this.#savepoints.find(id)
  }

  /**
   * Deletes a savepoint's files; unknown ones are gone already. Throws SAVEPOINT_IN_USE, or JOB_NOT_RUNNING: only a
   * running attempt may delete.
   */
  deleteSavepoint(id: string): Promise<void> {
    return this.#savepoints.delete(id)
  }

  async #discardSavepoint(id: string): Promise<void> {
    if (!this.#run || !this.#log) throw this.#notRunning()
    await discardSavepoint(this.#log, this.#store, id)
  }

  async #takeSavepoint(id: string): Promise<CheckpointReport> {
    const run = this.#run
    if (!run || this.#phase !== 'running') throw this.#notRunning()
    const savepoint = await run.take({
      kind: 'savepoint',
      extent: 'whole',
      thenStop: false,
      savepoint: id,
      final: false,
    })
    this.#newest = savepoint
    // Whoever starts from it, perhaps in a year, must not have to ask the outside what became of its output.
    await run.committed(savepoint.id)
    return savepoint
  }

  #notRunning(): MillraceError {
    return new MillraceError('JOB_NOT_RUNNING', `job ${this.#config.job} is ${this.#phase}`, {
      domain: 'platform',
      retriable: true,
    })
  }

  report(): JobReport {
    const metrics = this.#subtaskMetrics().map((subtask) => subtask.metrics)
    const trouble = metrics.find((metric) => metric.trouble)?.trouble ?? null
    return {
      job: this.#config.job,
      phase: this.#phase,
      attempt: this.#attempt,
      revision: this.#revision,
      targetRevision: this.#wanted?.target.revision ?? null,
      ...(this.#refused === undefined
        ? {}
        : { refused: { revision: this.#refused.revision, error: errorReport(this.#refused.error) } }),
      ...(this.#wanted?.target.restore === undefined ? {} : { restore: this.#wanted.target.restore }),
      expectedWorkers: this.#wanted ? subtaskIds(this.#wanted.plan) : [],
      registeredWorkers: this.#registry.subtasks(),
      runningWorkers: this.#run ? [...this.#run.parts.subtasks] : [],
      checkpoint: this.#newest,
      checkpointFailures: this.#checkpointFailures,
      restarts: this.#restarts,
      lastPauseMs: this.#pause.pauseBefore(this.#attempt),
      ...summaryOf(metrics),
      error: this.#error.current ? errorReport(this.#error.current) : (trouble ?? this.#runningReport()),
    }
  }

  #excessiveLoss(): MillraceError | undefined {
    const metrics = this.#subtaskMetrics().map((subtask) => subtask.metrics)
    return excessiveLoss(lossesOf(metrics), this.#run?.parts.graph.maxBadShare)
  }

  /** What a job says that runs: one that never ends is not failed by what it skips. */
  #runningReport(): ErrorReport | null {
    if (this.#run === undefined) return null
    const error = this.#excessiveLoss() ?? this.#failures.crashLoop
    return error === undefined ? null : errorReport(error)
  }

  /** What the subtasks of the newest attempt measure themselves, for /metrics. */
  series(): SubtaskSeries[] {
    return this.#subtaskMetrics().map(({ subtask, metrics }) => ({ subtask, series: metrics.series ?? [] }))
  }

  /** The newest metrics of each subtask of the newest attempt. */
  #subtaskMetrics(): { subtask: SubtaskId; metrics: SubtaskMetrics }[] {
    return this.#registry
      .workers()
      .flatMap(({ subtask, metrics }) => (metrics?.attempt === this.#attempt ? [{ subtask, metrics }] : []))
  }

  #onLost(subtask: SubtaskId): void {
    const error = new MillraceError('WORKER_LOST', `worker ${subtask} is gone`, { domain: 'platform', retriable: true })
    this.#orders.onLost(subtask)
    this.#preparation?.onLost(subtask)
    if (this.#run?.parts.subtasks.includes(subtask)) {
      this.#run.fail(error)
      this.#orders.giveUpStart(error)
    }
    this.#wake()
  }

  /**
   * Stops a worker that comes back with an attempt that is over: it slept or was cut off, and no attempt waits for
   * it. It would otherwise run for ever, with an open transaction that holds back every reader. A worker that runs
   * the newest attempt continues: the coordinator may have restarted beside it, and its next claim reaches the worker.
   */
  #stopStale({ subtask, runningThen }: RegisteredWorker): void {
    if (runningThen === null || runningThen > this.#attempt || (runningThen === this.#attempt && !isOver(this.#phase)))
      return
    this.#registry.send(subtask, { kind: 'fence', attempt: this.#attempt })
  }

  #onMessage(subtask: SubtaskId, message: WorkerMessage): void {
    if (message.kind === 'refused') {
      this.#onSuperseded(message.seen)
      return
    }
    this.#orders.onMessage(subtask, message)
    this.#preparation?.onMessage(subtask, message)
    if (this.#run && 'attempt' in message && message.attempt === this.#run.parts.attempt) {
      this.#run.onMessage(subtask, message)
      if (message.kind === 'failed') this.#run.fail(failureOf(subtask, message.error))
      if (message.kind === 'failed' || message.kind === 'drained') this.#wake()
    }
  }

  /** A coordinator that is refused ends: another one owns the job now. */
  #onSuperseded(seen: Attempt): void {
    this.#ports.logger.warn('superseded', { attempt: this.#attempt, seen })
    const error = new MillraceError(
      'ATTEMPT_SUPERSEDED',
      `a worker has seen attempt ${seen}; this coordinator's is ${this.#attempt}`,
      { domain: 'platform' },
    )
    this.#run?.fail(error)
    this.#closed = true
    this.#end?.reject(error)
  }

  #wake(): void {
    this.#loop.wake()
  }

  async #step(): Promise<void> {
    if (this.#closed) return
    try {
      await this.#drive()
    } catch (error) {
      await this.#onDriveError(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Takes steps until there is one to wait for. */
  async #drive(): Promise<void> {
    for (;;) {
      if (this.#closed || (await this.#take(decide(this.#facts()))) === 'rest') return
    }
  }

  #facts(): Facts {
    const view = this.#log?.view()
    const wanted = this.#wanted
    const run = this.#run
    return {
      phase: this.#phase,
      isLogOpen: view !== undefined,
      wanted: wanted?.target,
      run: run && {
        revision: run.parts.target.revision,
        hasFailed: run.failure !== undefined,
        isDrained: run.isDrained(),
        losesTooMuch: this.#excessiveLoss() !== undefined,
      },
      finishedRevision: view?.ended === 'finished' ? view.target?.revision : undefined,
      isHopeless: this.#failures.isHopeless,
      hasCheckpoint: view?.newest !== undefined,
      initialStateFits: wanted !== undefined && this.#initial.isKnownToFit(wanted.target),
      lacksWorkers: wanted !== undefined && subtaskIds(wanted.plan).some((subtask) => !this.#registry.worker(subtask)),
      stateFits:
        this.#fit !== undefined &&
        this.#fit.run === run &&
        this.#fit.wanted === wanted &&
        this.#fit.newest === this.#newest,
      // Its size is known only with a checkpoint; state that is not known to be there cannot be prepared.
      hasStateToPrepare: this.#newest !== null && this.#newest.sizeBytes > 0,
      preparation: this.#preparationNow(),
    }
  }

  #preparationNow(): Facts['preparation'] {
    const preparation = this.#preparation
    if (preparation === undefined) return 'none'
    const isOfNow =
      this.#wanted !== undefined &&
      preparation.isFor(this.#run, this.#wanted.target) &&
      this.#run?.failure === undefined &&
      this.#run?.isDrained() !== true
    if (!isOfNow) return 'stale'
    return preparation.isOver ? 'over' : 'underway'
  }

  /** Carries out one step. rest: nothing more is to be done until something wakes the loop. */
  async #take(step: Step): Promise<'again' | 'rest'> {
    const wanted = this.#wanted
    const run = this.#run
    if (step === 'openLog') await this.#openLog()
    else if (wanted === undefined) return 'rest'
    else if (step === 'endPreparation') this.#endPreparation(wanted.target)
    else if (step === 'checkInitialState') return this.#checkInitialState(wanted)
    else if (step === 'deploy') await this.#deploy(wanted)
    else if (step === 'giveUp') await this.#giveUp()
    else if (step === 'suspend') return this.#suspend(run)
    else if (step === 'stayFinished') return this.#rest('finished')
    else if (step === 'awaitWorkers') return this.#awaitWorkers(run)
    else if (step === 'wait' || run === undefined) return 'rest'
    else if (step === 'abandon') await this.#abandon(run)
    else if (step === 'finish') await this.#finish(run)
    else if (step === 'refuseResult') run.fail(this.#excessiveLoss() ?? this.#notRunning())
    else if (step === 'checkStateFits') await this.#checkStateFits(run, wanted)
    else if (step === 'prepare') this.#prepare(run, wanted)
    else await this.#switch(run)
    return 'again'
  }

  /** Workers that are still to come hold up nothing that runs. */
  #awaitWorkers(run: AttemptRun | undefined): 'rest' {
    if (run !== undefined) return 'rest'
    return this.#rest(this.#phase === 'recovering' || this.#phase === 'switching' ? 'recovering' : 'waiting')
  }

  #rest(phase: JobPhase): 'rest' {
    this.#setPhase(phase)
    return 'rest'
  }

  async #onDriveError(error: Error): Promise<void> {
    if (this.#closed) return
    if (error instanceof MillraceError && error.code === 'ATTEMPT_SUPERSEDED') {
      this.#onSuperseded(this.#log?.view().attempt ?? 0)
      return
    }
    this.#error.current = error
    this.#ports.logger.warn('attempt failed', { attempt: this.#attempt, reason: describeWithCauses(error) })
    if (this.#run) {
      this.#run.fail(error)
      this.#wake()
      return
    }
    this.#failures.add(error)
    if (this.#failures.isHopeless) {
      this.#wake()
      return
    }
    if (this.#phase === 'deploying' || this.#phase === 'running' || this.#phase === 'switching')
      this.#setPhase('recovering')
    await this.#backOff()
    this.#wake()
  }

  /** The running attempt is over without a checkpoint of its own choice. */
  async #abandon(run: AttemptRun): Promise<void> {
    this.#run = undefined
    this.#restarts += 1
    this.#setPhase('recovering')
    const failure = run.failure
    if (failure) this.#failures.addCrash(failure)
    this.#crashLoop = this.#failures.isHopeless ? undefined : this.#failures.crashLoopBetween
    this.#error.current = this.#crashLoop ?? failure
    this.#ports.logger.warn('attempt ended', {
      attempt: run.parts.attempt,
      reason: failure ? describeWithCauses(failure) : 'unknown',
    })
    // Nobody waits for it: what still runs would read on, for nothing, until a lost worker is back.
    for (const subtask of this.#registry.subtasks())
      this.#registry.send(subtask, { kind: 'fence', attempt: run.parts.attempt })
    if (!this.#failures.isHopeless) await this.#backOff()
  }

  /**
   * No attempt will follow that would stop what still runs of this one, and its sinks would hold back their
   * readers.
   */
  async #giveUp(): Promise<void> {
    this.#setPhase('failed')
    await this.#orders.stop(this.#registry.subtasks(), this.#attempt, 'stop').catch((error: unknown) => {
      this.#ports.logger.warn('a failed job was not stopped everywhere', {
        attempt: this.#attempt,
        reason: describeWithCauses(error),
      })
    })
  }

  async #backOff(): Promise<void> {
    await sleep(this.#ports.clock, this.#failures.nextWaitMs())
  }

  /** Bounded inputs have ended everywhere: one last checkpoint makes everything visible. */
  async #finish(run: AttemptRun): Promise<void> {
    const checkpoint = await run.take({
      kind: 'checkpoint',
      extent: 'changes',
      thenStop: true,
      savepoint: null,
      final: true,
    })
    this.#newest = checkpoint
    await run.committed(checkpoint.id)
    await this.#log?.append(run.parts.attempt, { kind: 'finished', attempt: run.parts.attempt })
    this.#run = undefined
    await this.#orders.stop(run.parts.subtasks, run.parts.attempt, 'stop')
    this.#setPhase('finished')
    this.#ports.logger.info('job finished', { attempt: run.parts.attempt, checkpoint: checkpoint.id })
  }

  async #suspend(run: AttemptRun | undefined): Promise<'rest'> {
    if (run) {
      this.#setPhase('switching')
      // A savepoint with a name is not retired: other jobs may be started from it while this one is suspended, and
      // after.
      const id = `suspended-${run.parts.attempt}`
      const checkpoint = await this.#stopAtSavepoint(run, id)
      this.#savepoints.completed(id, checkpoint)
      await run.committed(checkpoint.id)
      await this.#log?.append(run.parts.attempt, {
        kind: 'suspended',
        attempt: run.parts.attempt,
        ...(this.#order === undefined ? {} : { order: this.#order }),
      })
      this.#run = undefined
      await this.#orders.stop(run.parts.subtasks, run.parts.attempt, 'stop')
    }
    return this.#rest('suspended')
  }

  /**
   * A graph that lacks an operator whose state is held, or gives its state another shape, is refused: the job goes on
   * as before.
   */
  async #checkStateFits(run: AttemptRun, wanted: Wanted): Promise<void> {
    const newest = this.#newest
    const lost = lostState(run.parts, wanted, newest === null ? undefined : await this.#readManifest(newest))
    if (lost === undefined) {
      this.#fit = { run, wanted, newest }
      return
    }
    // Somebody may have asked for something else meanwhile.
    if (this.#wanted !== wanted) return
    this.#refused = { revision: wanted.target.revision, error: lost }
    this.#wanted = { target: run.parts.target, graph: run.parts.graph, plan: run.parts.plan }
    this.#error.current = lost
  }

  /** Without output that is known to be committed: the outside may have forgotten it since. */
  async #manifestToRestore(checkpoint: CheckpointReport, { committed }: LogView): Promise<Manifest> {
    const { jobUid } = this.#config
    const manifest = await this.#readManifest(checkpoint)
    const isCommitted =
      committed?.path === checkpoint.path || (await isMarkedCommitted(this.#store, checkpoint, jobUid))
    return isCommitted ? withoutOutput(manifest) : manifest
  }

  #readManifest(checkpoint: CheckpointReport): Promise<Manifest> {
    return readManifest(this.#store, checkpoint, this.#config.jobUid, this.#log?.sealOf(checkpoint) ?? 'required')
  }

  async #checkInitialState(wanted: Wanted): Promise<'again' | 'rest'> {
    const refusal = await this.#initial.refusal(wanted)
    this.#tellRefusal(refusal ?? null)
    return refusal === undefined ? 'again' : this.#rest('failed')
  }

  /** Has the workers of the wanted plan restore what can be restored before the running attempt stops. */
  #prepare(run: AttemptRun, { target, graph, plan }: Wanted): void {
    this.#preparation = new SwitchPreparation({
      run,
      target,
      graph,
      plan,
      baseDir: this.#config.baseDir,
      storeUrl: this.#config.storeUrl,
      clock: this.#ports.clock,
      logger: this.#ports.logger,
      checkpoint: async () =>
        (this.#newest = await run.take({
          kind: 'checkpoint',
          extent: 'appended',
          thenStop: false,
          savepoint: null,
          final: false,
        })),
      readManifest: (checkpoint) => this.#readManifest(checkpoint),
      send: (subtask, message) => {
        this.#registry.send(subtask, message)
      },
      onOver: () => {
        this.#wake()
      },
    })
  }

  /** Prepared state of a failed attempt may serve the next attempt, if that has the same target. */
  #endPreparation(target: JobTarget): void {
    if (this.#run?.failure && target.desiredState === 'running') this.#preparation?.end()
    else this.#preparation?.revoke()
    this.#preparation = undefined
  }

  /** The job stands at a savepoint's barrier; its processes stay for the next attempt. */
  async #switch(run: AttemptRun): Promise<void> {
    this.#setPhase('switching')
    await this.#stopAtSavepoint(run, null)
    this.#run = undefined
    this.#preparation = undefined
  }

  /**
   * A savepoint with a name is whole. The savepoint of a switch has no name and serves only the next attempt, which has
   * restored most of it by then.
   */
  async #stopAtSavepoint(run: AttemptRun, savepoint: string | null): Promise<CheckpointReport> {
    const isBroken = savepoint === null && (await this.#findVanished(run)) !== undefined
    const checkpoint = await run.take({
      kind: 'savepoint',
      extent: savepoint === null && !isBroken ? 'appended' : 'whole',
      thenStop: true,
      savepoint,
      final: false,
    })
    this.#newest = checkpoint
    return checkpoint
  }

  async #deploy(wanted: Wanted): Promise<void> {
    const log = this.#log
    if (!log) return
    this.#setPhase('deploying')
    const subtasks = subtaskIds(wanted.plan)
    // A claim stays in the log for ever, so that sources which did not answer are asked before the next one.
    if (this.#sourcesFailed) await this.#discover(wanted, undefined)
    if (this.#closed || this.#wanted !== wanted) return
    const attempt = await log.claim(this.#ordered(wanted.target), this.#config.template)
    this.#attempt = attempt
    await this.#orders.stop(this.#registry.subtasks(), attempt, 'fence')
    const newest = log.view().newest ?? (await this.#initial.import(log, attempt, wanted.target))
    this.#newest = newest ?? this.#newest
    const manifest = newest && (await this.#manifestToRestore(newest, log.view()))
    const splits = await this.#discover(wanted, manifest)
    if (this.#closed) return
    const run = new AttemptRun({
      attempt,
      target: wanted.target,
      graph: wanted.graph,
      plan: wanted.plan,
      subtasks,
      job: this.#config.job,
      jobUid: this.#config.jobUid,
      predecessors: manifest?.predecessors ?? [],
      readingShare: this.#failures.readingShare,
      firstCheckpoint: (newest?.id ?? 0) + 1,
      timeoutMs: CHECKPOINT_TIMEOUT_MS,
      clock: this.#ports.clock,
      store: this.#store,
      log,
      logger: this.#ports.logger,
      send: (subtask, message) => {
        this.#registry.send(subtask, message)
      },
    })
    const deployments = deploymentsOf(
      run.parts,
      this.#config,
      assignRestore(wanted.plan, manifest, splits),
      (subtask) => this.#registry.worker(subtask)?.data,
    )
    // Early messages of this attempt (drained) belong to the run, so it is in place before the deployments go out.
    this.#run = run
    await this.#orders.start(attempt, deployments)
    if (this.#closed) return
    this.#revision = wanted.target.revision
    this.#error.current = undefined
    this.#setPhase('running')
    this.#ports.logger.info('attempt running', {
      attempt,
      subtasks: subtasks.length,
      from: newest ? `${newest.attempt}-${newest.id}` : 'nothing',
    })
    const times = this.#failures.checkpointTimes(wanted.graph.checkpoints.intervalMs)
    this.#checkpoints.start(times, () => this.#periodicCheckpoint(run))
    // The readers report a source that does not answer.
    watchSplits({ ...this.#sources(wanted), reportTrouble: () => undefined }, splits, {
      isCurrent: () => this.#run === run && !this.#closed,
      deal: (subtask, operator, fresh) => {
        this.#registry.send(subtask, { kind: 'splits', attempt, operator, splits: fresh })
      },
    })
    this.#wake()
  }

  /** A source that does not answer is reported at once, not only when the attempt fails. */
  async #discover(wanted: Wanted, manifest: Manifest | undefined): Promise<Record<string, Split[]>> {
    this.#sourcesFailed = true
    const parts = { ...this.#sources(wanted), reportTrouble: this.#error.teller() }
    const splits = await discoverSplits(parts, manifest)
    this.#sourcesFailed = false
    return splits
  }

  #sources({ plan }: Wanted): Omit<SplitParts, 'reportTrouble'> {
    return { plan, connectors: this.#connectors, ports: this.#ports, baseDir: this.#config.baseDir }
  }

  async #periodicCheckpoint(run: AttemptRun): Promise<'goesOn' | 'over'> {
    if (this.#run !== run || this.#phase !== 'running' || this.#closed) return 'over'
    try {
      const vanished = await this.#findVanished(run)
      const checkpoint = await run.take({
        kind: 'checkpoint',
        extent: vanished ? 'whole' : this.#preparation ? 'appended' : 'changes',
        thenStop: false,
        savepoint: null,
        final: false,
      })
      if (this.#run !== run) return 'over'
      this.#newest = checkpoint
      this.#checkpointFailures = 0
      this.#failures.forget()
      if (this.#error.current instanceof MillraceError && this.#error.current.code.startsWith('CHECKPOINT'))
        this.#error.current = undefined
      this.#error.current ??= vanished
      if (this.#log) await retire(this.#log, this.#store, run.parts.attempt)
      if (this.#log && run.leavesFiles) await this.#sweep(this.#log, run, checkpoint)
    } catch (error) {
      if (this.#run !== run || (error instanceof MillraceError && error.code === 'ATTEMPT_STOPPED')) return 'over'
      if (error instanceof MillraceError && error.code === 'ATTEMPT_SUPERSEDED') {
        this.#onSuperseded(this.#log?.view().attempt ?? 0)
        return 'over'
      }
      this.#checkpointFailures += 1
      this.#error.current = new MillraceError(
        'CHECKPOINT_FAILED',
        `checkpoint failed ${this.#checkpointFailures} times in a row`,
        { domain: 'platform', retriable: true, cause: error },
      )
      this.#ports.logger.warn('checkpoint failed', { attempt: run.parts.attempt, reason: describeWithCauses(error) })
    }
    return 'goesOn'
  }

  async #findVanished({ parts }: AttemptRun): Promise<MillraceError | undefined> {
    const vanished = await findVanished(parts, this.#newest, this.#config.storeUrl)
    if (vanished) this.#ports.logger.warn('checkpoints vanished', { attempt: parts.attempt, reason: vanished.message })
    return vanished
  }

  /** Deletes what failed checkpoints left. Their files only take room, so a failure here fails nothing else. */
  async #sweep(log: JobLog, run: AttemptRun, checkpoint: Pick<CheckpointReport, 'attempt' | 'id'>): Promise<void> {
    run.leavesFiles = false
    try {
      const files = await sweep(log, this.#store, checkpoint)
      if (files > 0) this.#ports.logger.info('swept', { attempt: run.parts.attempt, checkpoint: checkpoint.id, files })
    } catch (error) {
      run.leavesFiles = true
      this.#ports.logger.warn('what failed checkpoints left was not swept', {
        attempt: run.parts.attempt,
        reason: describeWithCauses(error),
      })
    }
  }

  #setPhase(phase: JobPhase): void {
    if (phase === this.#phase) return
    this.#ports.logger.debug('phase', { from: this.#phase, to: phase })
    this.#phase = nextPhase(this.#phase, phase)
    if (isOver(phase)) for (const worker of this.#registry.workers()) this.#stopStale(worker)
  }
}

function subtaskIds(plan: ExecutionPlan): SubtaskId[] {
  return subtasksOf(plan)
    .map(({ id }) => id)
    .sort()
}
