import { isMarkedCommitted } from '../checkpoint/commit-marker.ts'
import type { SealDemand } from '../checkpoint/sealed-file.ts'
import { JobLog, type LogView } from '../checkpoint/job-log.ts'
import { type Manifest, readManifest, withoutOutput } from '../checkpoint/manifest.ts'
import { assignRestore } from '../checkpoint/restore-assignment.ts'
import { discardSavepoint } from '../checkpoint/retention.ts'
import type { Connectors } from '../connectors/registry.ts'
import type { AutoscalerPolicy, JobPhase, JobReport, SavepointReport, SavepointRequest } from '../control/job-report.ts'
import type { SubtaskMetrics, WorkerMessage } from '../control/messages.ts'
import { describeWithCauses, type ErrorReport, errorReport, MillraceError } from '../model/errors.ts'
import type { Attempt, SubtaskId } from '../model/ids.ts'
import type { CheckpointReport, JobTarget } from '../model/job.ts'
import { subtasksOf } from '../plan/chaining.ts'
import type { ExecutionPlan } from '../plan/execution-plan.ts'
import { sleep } from '../ports/clock.ts'
import type { NetAddress } from '../ports/net.ts'
import type { Ports } from '../ports/ports.ts'
import type { Store } from '../ports/store.ts'
import { AttemptCheckpoints } from './attempt-checkpoints.ts'
import { Autoscaler } from './autoscaler/autoscaler.ts'
import { AttemptFailures } from './attempt-failures.ts'
import { AttemptRun } from './attempt-run.ts'
import { deploymentsOf } from './deployments.ts'
import { DriveLoop } from './drive-loop.ts'
import { INLINE_STATE_BYTES } from './inline-state.ts'
import { InitialState } from './initial-state.ts'
import { JobError } from './job-error.ts'
import { JobSources } from './job-sources.ts'
import { excessiveLoss, lossesOf } from './record-losses.ts'
import { decide, type Facts, type Step } from './decide.ts'
import { isOver, nextPhase } from './job-phase.ts'
import { summaryOf } from './job-summary.ts'
import type { SubtaskSeries } from './metrics.ts'
import { PauseClock } from './pause-clock.ts'
import { ReportListeners } from './report-listeners.ts'
import { lostOutput, lostState } from './restore-fit.ts'
import { Savepoints } from './savepoints.ts'
import { SwitchPreparation } from './switch-preparation.ts'
import { failureOf, WorkerOrders } from './worker-orders.ts'
import { type JobPlanner, type Wanted, WantedJob } from './wanted-job.ts'
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
  /** As AttemptParts has it; INLINE_STATE_BYTES when left out. 0: each state is a file. */
  inlineStateBytes?: number | undefined
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
  readonly #store: Store
  readonly #registry: WorkerRegistry
  readonly #pause = new PauseClock()
  readonly #autoscaler: Autoscaler
  readonly #savepoints: Savepoints
  readonly #orders: WorkerOrders
  readonly #initial: InitialState
  readonly #checkpoints: AttemptCheckpoints
  readonly #sources: JobSources
  readonly #job: WantedJob
  readonly #loop = new DriveLoop(() => this.#step())
  #preparation: SwitchPreparation | undefined
  /** A wanted graph in which the state of the running attempt, as of that checkpoint, has its place. */
  #fit: { run: AttemptRun; wanted: Wanted; newest: CheckpointReport | null } | undefined
  #log: JobLog | undefined
  /** Others run the job: nothing of the log is this coordinator's until it is to run the job. */
  #standsBy = false
  #phase: JobPhase = 'waiting'
  #run: AttemptRun | undefined
  /** The newest attempt deployed, also while it does not run. */
  #attempt: Attempt = 0
  #revision: string | null = null
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
    this.#store = store
    this.#job = new WantedJob(planJob)
    this.#autoscaler = new Autoscaler(ports.clock)
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
        metrics: (subtask, metrics) => {
          this.#pause.observe(metrics)
          this.#autoscaler.observe(subtask, metrics)
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
    this.#sources = new JobSources({
      job: config.job,
      connectors,
      ports,
      baseDir: config.baseDir,
      reportTrouble: this.#error.teller(),
    })
    this.#checkpoints = this.#attemptCheckpoints()
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
      this.#job.current?.target.desiredState !== 'running' &&
      view.attempt > 0 &&
      view.template !== this.#config.template
    if (!this.#standsBy) this.#takeUp(view)
    this.#job.takeUpOrder(view)
    this.#log = log
    this.#error.current = undefined
  }

  #takeUp(view: LogView): void {
    this.#attempt = view.attempt
    this.#checkpoints.newest = view.newest ?? null
    this.#savepoints.add(view.checkpoints)
    this.#job.takeUp(view)
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
    this.#autoscaler.rest()
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
    this.#job.obey(`the target ${target.revision} (${target.desiredState})`, target.order)
    if (this.#job.isAskedFor(target)) return
    this.#job.accept(target)
    if (this.#error.current === this.#job.refused?.error) this.#error.current = undefined
    this.#job.forgetRefusal()
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

  /** Asks for a savepoint; the same id again asks for the same one. Throws ORDER_OUTDATED. */
  savepoint({ id, order }: SavepointRequest): SavepointReport {
    this.#job.obey(`the savepoint ${id}`, order)
    return this.#savepoints.ask(id)
  }

  /** What to watch the load for; null: nothing. */
  setAutoscaler(policy: AutoscalerPolicy | null): void {
    this.#autoscaler.setPolicy(policy)
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
    const savepoint = await this.#checkpoints.take(run, {
      kind: 'savepoint',
      extent: 'whole',
      thenStop: false,
      savepoint: id,
      final: false,
    })
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
    const { current: wanted, refused } = this.#job
    const metrics = this.#subtaskMetrics().map((subtask) => subtask.metrics)
    const trouble = metrics.find((metric) => metric.trouble)?.trouble ?? null
    return {
      job: this.#config.job,
      phase: this.#phase,
      attempt: this.#attempt,
      revision: this.#revision,
      targetRevision: wanted?.target.revision ?? null,
      ...(refused === undefined ? {} : { refused: { revision: refused.revision, error: errorReport(refused.error) } }),
      ...(wanted?.target.restore === undefined ? {} : { restore: wanted.target.restore }),
      expectedWorkers: wanted ? subtaskIds(wanted.plan) : [],
      registeredWorkers: this.#registry.subtasks(),
      runningWorkers: this.#run ? [...this.#run.parts.subtasks] : [],
      checkpoint: this.#checkpoints.newest,
      checkpointFailures: this.#checkpoints.failures,
      restarts: this.#restarts,
      lastPauseMs: this.#pause.pauseBefore(this.#attempt),
      ...summaryOf(metrics),
      autoscaler: this.#autoscaler.report(),
      error: this.#reportedError(trouble),
    }
  }

  /** What holds up the attempt that is being deployed is newer than why the one before ended. */
  #reportedError(trouble: ErrorReport | null): ErrorReport | null {
    const { current } = this.#error
    if (current === undefined || (trouble !== null && this.#phase === 'deploying'))
      return trouble ?? this.#runningReport()
    return errorReport(current)
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
    const wanted = this.#job.current
    const run = this.#run
    const { newest } = this.#checkpoints
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
        this.#fit !== undefined && this.#fit.run === run && this.#fit.wanted === wanted && this.#fit.newest === newest,
      // Its size is known only with a checkpoint; state that is not known to be there cannot be prepared.
      hasStateToPrepare: newest !== null && newest.sizeBytes > 0,
      preparation: this.#preparationNow(),
    }
  }

  #preparationNow(): Facts['preparation'] {
    const preparation = this.#preparation
    const wanted = this.#job.current
    if (preparation === undefined) return 'none'
    const isOfNow =
      wanted !== undefined &&
      preparation.isFor(this.#run, wanted.target) &&
      this.#run?.failure === undefined &&
      this.#run?.isDrained() !== true
    if (!isOfNow) return 'stale'
    return preparation.isOver ? 'over' : 'underway'
  }

  /** Carries out one step. rest: nothing more is to be done until something wakes the loop. */
  async #take(step: Step): Promise<'again' | 'rest'> {
    const wanted = this.#job.current
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
    const checkpoint = await this.#checkpoints.take(run, {
      kind: 'checkpoint',
      extent: 'changes',
      thenStop: true,
      savepoint: null,
      final: true,
    })
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
      const checkpoint = await this.#checkpoints.stopAtSavepoint(run, id)
      this.#savepoints.completed(id, checkpoint)
      await run.committed(checkpoint.id)
      await this.#log?.append(run.parts.attempt, {
        kind: 'suspended',
        attempt: run.parts.attempt,
        ...(this.#job.order === undefined ? {} : { order: this.#job.order }),
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
    const { newest } = this.#checkpoints
    const lost = lostState(run.parts, wanted, newest === null ? undefined : await this.#readManifest(newest))
    if (lost === undefined) {
      this.#fit = { run, wanted, newest }
      return
    }
    // Somebody may have asked for something else meanwhile.
    if (this.#job.current !== wanted) return
    this.#job.refuse(wanted, lost, { target: run.parts.target, graph: run.parts.graph, plan: run.parts.plan })
    this.#error.current = lost
  }

  /** Without output that is known to be committed: the outside may have forgotten it since. */
  async #manifestToRestore(checkpoint: CheckpointReport, { committed }: LogView): Promise<Manifest> {
    const { jobUid } = this.#config
    const manifest = await this.#readManifest(checkpoint)
    const isCommitted =
      committed?.path === checkpoint.path ||
      (await isMarkedCommitted(this.#store, checkpoint, jobUid, this.#sealOf(checkpoint)))
    return isCommitted ? withoutOutput(manifest) : manifest
  }

  #readManifest(checkpoint: CheckpointReport): Promise<Manifest> {
    return readManifest(this.#store, checkpoint, this.#config.jobUid, this.#sealOf(checkpoint))
  }

  #sealOf(checkpoint: CheckpointReport): SealDemand {
    return this.#log?.sealOf(checkpoint) ?? 'required'
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
      checkpoint: () =>
        this.#checkpoints.take(run, {
          kind: 'checkpoint',
          extent: 'appended',
          thenStop: false,
          savepoint: null,
          final: false,
        }),
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
    await this.#checkpoints.stopAtSavepoint(run, null)
    this.#run = undefined
    this.#preparation = undefined
  }

  async #deploy(wanted: Wanted): Promise<void> {
    const log = this.#log
    if (!log) return
    this.#setPhase('deploying')
    const subtasks = subtaskIds(wanted.plan)
    // A claim stays in the log for ever, so that sources which did not answer are asked before the next one.
    if (this.#sources.haveFailed) await this.#sources.discover(wanted.plan, undefined, undefined)
    if (this.#closed || this.#job.current !== wanted) return
    const attempt = await log.claim(this.#job.ordered(wanted.target), this.#config.template)
    this.#attempt = attempt
    await this.#orders.stop(this.#registry.subtasks(), attempt, 'fence')
    const newest = log.view().newest ?? (await this.#initial.import(log, attempt, wanted.target))
    this.#checkpoints.newest = newest ?? this.#checkpoints.newest
    const manifest = newest && (await this.#manifestToRestore(newest, log.view()))
    const splits = await this.#sources.discover(wanted.plan, manifest, attempt)
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
      inlineStateBytes: this.#config.inlineStateBytes ?? INLINE_STATE_BYTES,
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
    const lost = lostOutput(wanted, manifest)
    if (lost !== undefined) throw lost
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
    this.#autoscaler.begin({ attempt, plan: wanted.plan, splits: this.#sources.splitCounts(wanted.plan, splits) })
    const times = this.#failures.checkpointTimes(wanted.graph.checkpoints.intervalMs)
    this.#checkpoints.start(run, times)
    this.#sources.watch(wanted.plan, splits, {
      isCurrent: () => this.#run === run && !this.#closed,
      deal: (subtask, operator, fresh) => {
        this.#registry.send(subtask, { kind: 'splits', attempt, operator, splits: fresh })
      },
    })
    this.#wake()
  }

  #attemptCheckpoints(): AttemptCheckpoints {
    return new AttemptCheckpoints({
      clock: this.#ports.clock,
      logger: this.#ports.logger,
      store: this.#store,
      storeUrl: this.#config.storeUrl,
      isCurrent: (run) => this.#run === run,
      isRunning: (run) => this.#run === run && this.#phase === 'running' && !this.#closed,
      extent: () => (this.#preparation ? 'appended' : 'changes'),
      onComplete: (vanished) => {
        this.#failures.forget()
        if (this.#error.current instanceof MillraceError && this.#error.current.code.startsWith('CHECKPOINT'))
          this.#error.current = undefined
        this.#error.current ??= vanished
      },
      onFailed: (error) => {
        this.#error.current = error
      },
      onSuperseded: () => {
        this.#onSuperseded(this.#log?.view().attempt ?? 0)
      },
    })
  }

  #setPhase(phase: JobPhase): void {
    if (phase === this.#phase) return
    this.#ports.logger.debug('phase', { from: this.#phase, to: phase })
    this.#phase = nextPhase(this.#phase, phase)
    if (phase !== 'running') this.#autoscaler.rest()
    if (isOver(phase)) for (const worker of this.#registry.workers()) this.#stopStale(worker)
  }
}

function subtaskIds(plan: ExecutionPlan): SubtaskId[] {
  return subtasksOf(plan)
    .map(({ id }) => id)
    .sort()
}
