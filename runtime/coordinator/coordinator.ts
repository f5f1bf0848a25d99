import { JobLog } from '../checkpoint/job-log.ts'
import { decodeManifest, type Manifest } from '../checkpoint/manifest.ts'
import { assignRestore, droppedState } from '../checkpoint/restore-assignment.ts'
import { discardSavepoint, retire } from '../checkpoint/retention.ts'
import { importSavedState, openSavedState, type SavedState } from '../checkpoint/saved-state.ts'
import type { Connectors } from '../connectors/registry.ts'
import type { JobPhase, JobReport, SavepointReport } from '../control/job-report.ts'
import type { SubtaskMetrics, WorkerMessage } from '../control/messages.ts'
import { describeWithCauses, errorReport, MillraceError, type ErrorReport } from '../model/errors.ts'
import { subtaskId, type Attempt, type SubtaskId } from '../model/ids.ts'
import { isPlanted } from '../model/planted-bugs.ts'
import type { CheckpointReport, JobTarget } from '../model/job.ts'
import { MAX_TIMESTAMP, MIN_TIMESTAMP } from '../model/time.ts'
import type { ExecutionPlan } from '../plan/execution-plan.ts'
import type { PlannedJob } from '../plan/planned-job.ts'
import { sleep } from '../ports/clock.ts'
import type { NetAddress } from '../ports/net.ts'
import type { Ports } from '../ports/ports.ts'
import type { Store } from '../ports/store.ts'
import { AttemptFailures } from './attempt-failures.ts'
import { AttemptRun } from './attempt-run.ts'
import { nextPhase } from './job-phase.ts'
import { PauseClock } from './pause-clock.ts'
import { checkFit, misfits } from './restore-fit.ts'
import { discoverSplits, watchSplits, type SplitParts } from './splits.ts'
import { WorkerRegistry } from './worker-registry.ts'

/** How long a worker may take to stop, and to start, an attempt. */
const STOP_TIMEOUT_MS = 15_000
const START_TIMEOUT_MS = 60_000
const CHECKPOINT_TIMEOUT_MS = 60_000

export interface CoordinatorConfig {
  job: string
  jobUid: string
  token: string
  control: NetAddress
  baseDir: string
  /** The store's address as workers open it, and this job's folder in it. */
  storeUrl: string
}

/** What a spec means. Throws SPEC_INVALID. */
export type JobPlanner = (spec: unknown) => PlannedJob

interface Wanted extends PlannedJob { target: JobTarget }

/**
 * One per job. Level-triggered like the operator: `#drive` compares what is asked for with what runs and takes
 * one step at a time; messages only change facts and wake it. A new attempt always goes the same way, whether
 * after a start, a loss, a rescale or an upgrade: claim in the log (fences older coordinators) → fence the
 * workers → only then read the newest checkpoint → restore → go.
 */
export class Coordinator {
  readonly #config: CoordinatorConfig
  readonly #ports: Ports
  readonly #connectors: Connectors
  readonly #store: Store
  readonly #planJob: JobPlanner
  readonly #registry: WorkerRegistry
  readonly #pause = new PauseClock()
  readonly #savepoints = new Map<string, SavepointReport>()
  readonly #stopWaiters = new Map<SubtaskId, { attempt: Attempt; resolve(): void }>()
  #startWaiters: { attempt: Attempt; missing: Set<SubtaskId>; settle(error?: Error): void } | undefined
  #log: JobLog | undefined
  /** What the first attempt starts from, found to fit this revision. */
  #saved: (SavedState & { revision: string }) | undefined
  #wanted: Wanted | undefined
  #phase: JobPhase = 'waiting'
  #run: AttemptRun | undefined
  /** The newest attempt deployed, also while it does not run. */
  #attempt: Attempt = 0
  #revision: string | null = null
  #newest: CheckpointReport | null = null
  #checkpointFailures = 0
  #restarts = 0
  readonly #failures = new AttemptFailures()
  #error: Error | undefined
  #cancelCheckpoint = (): void => undefined
  #driving = false
  #driveAgain = false
  #closed = false
  /** Resolves the promise of `run`; rejects it when this coordinator has been superseded. */
  #end: { resolve(): void; reject(error: Error): void } | undefined

  constructor(config: CoordinatorConfig, ports: Ports, connectors: Connectors, store: Store, planJob: JobPlanner) {
    this.#config = config
    this.#ports = ports
    this.#connectors = connectors
    this.#store = store
    this.#planJob = planJob
    this.#registry = new WorkerRegistry(ports.clock, ports.logger, config.token, {
      registered: () => { this.#wake() },
      metrics: (metrics) => { this.#pause.observe(metrics) },
      lost: (subtask) => { this.#onLost(subtask) },
      message: (subtask, message) => { this.#onMessage(subtask, message) },
    })
  }

  /**
   * Opens the log and the control port. Resolves with the control address; rejects when that cannot be used. A store
   * that cannot be read is tried again, and told in the report meanwhile: a process that ends could tell nobody why.
   */
  async start(): Promise<NetAddress> {
    await this.#openLog().catch((error: unknown) => { this.#error = error instanceof Error ? error : new Error(String(error)) })
    const address = await this.#registry.listen(this.#ports.net, this.#config.control)
    this.#wake()
    return address
  }

  async #openLog(): Promise<void> {
    const log = await JobLog.open(this.#store)
    const view = log.view()
    this.#attempt = view.attempt
    this.#newest = view.newest ?? null
    for (const { savepoint, checkpoint } of view.checkpoints) {
      if (savepoint !== null) this.#savepoints.set(savepoint, { id: savepoint, phase: 'completed', checkpoint })
    }
    // Whoever asked for a target meanwhile knows better than the log.
    if (view.target && !this.#wanted) this.#accept(view.ended === 'suspended' ? { ...view.target, desiredState: 'suspended' } : view.target)
    this.#log = log
    this.#error = undefined
  }

  /** Resolves after close; rejects with ATTEMPT_SUPERSEDED when another coordinator has taken over. */
  ended(): Promise<void> {
    return new Promise((resolve, reject) => { this.#end = { resolve, reject } })
  }

  async close(): Promise<void> {
    this.#closed = true
    // the next one's time would hold up the end of a process that does more than this job
    this.#cancelCheckpoint()
    this.#run?.fail(new MillraceError('COORDINATOR_CLOSED', 'the coordinator is stopping', { domain: 'platform', retriable: true }))
    this.#run = undefined
    await this.#registry.close()
    this.#end?.resolve()
  }

  /** Asks for a target; the same again changes nothing. Throws SPEC_INVALID or STATE_WOULD_BE_LOST and keeps what runs. */
  setTarget(target: JobTarget): void {
    const before = this.#wanted?.target
    if (before?.revision === target.revision && before.desiredState === target.desiredState && before.restore === target.restore) return
    this.#accept(target)
    this.#failures.forget()
    this.#wake()
  }

  #accept(target: JobTarget): void {
    this.#wanted = { target, ...this.#planJob(target.spec) }
  }

  /** Asks for a savepoint; the same id again asks for the same one. */
  savepoint(id: string): SavepointReport {
    const known = this.#savepoints.get(id)
    if (known && known.phase !== 'failed') return known
    const report: SavepointReport = { id, phase: 'inProgress' }
    this.#savepoints.set(id, report)
    void this.#takeSavepoint(id)
    return report
  }

  /** Deletes a savepoint's files; unknown ones are gone already. Throws SAVEPOINT_IN_USE, or JOB_NOT_RUNNING: only a running attempt may delete. */
  async deleteSavepoint(id: string): Promise<void> {
    const known = this.#savepoints.get(id)
    if (!known) return
    if (!this.#run || !this.#log) throw this.#notRunning()
    if (known.phase === 'inProgress') throw new MillraceError('SAVEPOINT_IN_USE', `savepoint ${id} is being taken`, { domain: 'platform', retriable: true })
    await discardSavepoint(this.#log, this.#store, id)
    this.#savepoints.delete(id)
  }

  findSavepoint(id: string): SavepointReport | undefined { return this.#savepoints.get(id) }

  async #takeSavepoint(id: string): Promise<void> {
    try {
      const run = this.#run
      if (!run || this.#phase !== 'running') throw this.#notRunning()
      const checkpoint = await run.take({ kind: 'savepoint', thenStop: false, savepoint: id, final: false })
      this.#newest = checkpoint
      this.#savepoints.set(id, { id, phase: 'completed', checkpoint })
    } catch (error) {
      this.#savepoints.set(id, { id, phase: 'failed', error: errorReport(error) })
    }
  }

  #notRunning(): MillraceError {
    return new MillraceError('JOB_NOT_RUNNING', `job ${this.#config.job} is ${this.#phase}`, { domain: 'platform', retriable: true })
  }

  report(): JobReport {
    const workers = this.#registry.subtasks().map((subtask) => this.#registry.worker(subtask)).filter((worker) => worker !== undefined)
    const metrics = workers.map((worker) => worker.metrics).filter((metric) => metric !== null && metric.attempt === this.#attempt)
    const sum = (pick: 'recordsIn' | 'recordsOut' | 'badRecords' | 'lateRecords'): number =>
      metrics.reduce((total, metric) => total + (metric?.[pick] ?? 0), 0)
    const trouble = metrics.find((metric) => metric?.trouble)?.trouble ?? null
    return {
      job: this.#config.job, phase: this.#phase, attempt: this.#attempt, revision: this.#revision,
      targetRevision: this.#wanted?.target.revision ?? null,
      ...(this.#wanted?.target.restore === undefined ? {} : { restore: this.#wanted.target.restore }),
      expectedWorkers: this.#wanted ? subtasksOf(this.#wanted.plan) : [],
      registeredWorkers: this.#registry.subtasks(), runningWorkers: this.#run ? [...this.#run.parts.subtasks] : [],
      checkpoint: this.#newest, checkpointFailures: this.#checkpointFailures, restarts: this.#restarts,
      lastPauseMs: this.#pause.pauseBefore(this.#attempt), recordsIn: sum('recordsIn'), recordsOut: sum('recordsOut'),
      badRecords: sum('badRecords'), lateRecords: sum('lateRecords'), ...gaugesOf(metrics.filter((metric) => metric !== null)), blockedMs: blockedOf(metrics.map((metric) => metric?.blockedMs ?? {})),
      error: this.#error ? errorReport(this.#error) : trouble,
    }
  }

  #onLost(subtask: SubtaskId): void {
    const error = new MillraceError('WORKER_LOST', `worker ${subtask} is gone`, { domain: 'platform', retriable: true })
    this.#stopWaiters.get(subtask)?.resolve()
    if (this.#run?.parts.subtasks.includes(subtask)) {
      this.#run.fail(error)
      this.#startWaiters?.settle(error)
    }
    this.#wake()
  }

  #onMessage(subtask: SubtaskId, message: WorkerMessage): void {
    if (message.kind === 'refused') { this.#onSuperseded(message.seen); return }
    if (message.kind === 'stopped') {
      const waiter = this.#stopWaiters.get(subtask)
      if (waiter?.attempt === message.attempt) waiter.resolve()
    }
    const starting = this.#startWaiters
    if (starting && 'attempt' in message && message.attempt === starting.attempt) {
      if (message.kind === 'running' && starting.missing.delete(subtask) && starting.missing.size === 0) starting.settle()
      if (message.kind === 'failed') starting.settle(failureOf(subtask, message.error))
    }
    if (this.#run && 'attempt' in message && message.attempt === this.#run.parts.attempt) {
      this.#run.onMessage(subtask, message)
      if (message.kind === 'failed') this.#run.fail(failureOf(subtask, message.error))
      if (message.kind === 'failed' || message.kind === 'drained') this.#wake()
    }
  }

  /** Whoever is refused is over: another coordinator owns the job now. */
  #onSuperseded(seen: Attempt): void {
    this.#ports.logger.warn('superseded', { attempt: this.#attempt, seen })
    const error = new MillraceError('ATTEMPT_SUPERSEDED', `a worker has seen attempt ${seen}; this coordinator's is ${this.#attempt}`, { domain: 'platform' })
    this.#run?.fail(error)
    this.#closed = true
    this.#end?.reject(error)
  }

  #wake(): void {
    this.#driveAgain = true
    if (!this.#driving) void this.#driveAll()
  }

  async #driveAll(): Promise<void> {
    this.#driving = true
    while (this.#driveAgain && !this.#closed) {
      this.#driveAgain = false
      try {
        await this.#drive()
      } catch (error) {
        await this.#onDriveError(error instanceof Error ? error : new Error(String(error)))
      }
    }
    this.#driving = false
  }

  /** One step towards the target. */
  async #drive(): Promise<void> {
    if (!this.#log) await this.#openLog()
    const wanted = this.#wanted
    const log = this.#log
    if (!wanted || !log) return
    if (this.#run?.failure) await this.#abandon(this.#run)
    const run = this.#run
    const sameRevision = run?.parts.target.revision === wanted.target.revision
    if (!run && log.view().ended === 'finished' && log.view().target?.revision === wanted.target.revision) { this.#setPhase('finished'); return }
    if (run?.isDrained()) { await this.#finish(run); return }
    if (wanted.target.desiredState === 'suspended') { await this.#suspend(run); return }
    if ((run && sameRevision) || this.#failures.isHopeless) return
    if (!run && log.view().newest === undefined && !await this.#canRestore(wanted)) { this.#setPhase('failed'); return }
    const missing = subtasksOf(wanted.plan).filter((subtask) => !this.#registry.worker(subtask))
    if (missing.length > 0) {
      if (!run && this.#phase !== 'recovering') this.#setPhase('waiting')
      return
    }
    if (run) {
      if (await this.#wouldLoseState(run, wanted)) return
      await this.#switch(run)
    }
    await this.#deploy(wanted)
  }

  async #onDriveError(error: Error): Promise<void> {
    if (this.#closed) return
    if (error instanceof MillraceError && error.code === 'ATTEMPT_SUPERSEDED') { this.#onSuperseded(this.#log?.view().attempt ?? 0); return }
    this.#error = error
    this.#ports.logger.warn('attempt failed', { attempt: this.#attempt, reason: describeWithCauses(error) })
    if (this.#run) {
      this.#run.fail(error)
      this.#driveAgain = true
      return
    }
    this.#failures.add(error)
    if (this.#failures.isHopeless) { await this.#giveUp(); return }
    if (this.#phase === 'deploying' || this.#phase === 'running' || this.#phase === 'switching') this.#setPhase('recovering')
    await this.#backOff()
    this.#driveAgain = true
  }

  /** The running attempt is over without a checkpoint of its own choice. */
  async #abandon(run: AttemptRun): Promise<void> {
    this.#run = undefined
    this.#restarts += 1
    this.#setPhase('recovering')
    const failure = run.failure
    this.#error = failure
    if (failure) this.#failures.add(failure)
    this.#ports.logger.warn('attempt ended', { attempt: run.parts.attempt, reason: failure ? describeWithCauses(failure) : 'unknown' })
    if (this.#failures.isHopeless) { await this.#giveUp(); return }
    await this.#backOff()
  }

  /** No attempt will follow that would stop what still runs of this one, and its sinks would hold back their readers. */
  async #giveUp(): Promise<void> {
    this.#setPhase('failed')
    await this.#stopWorkers(this.#registry.subtasks(), this.#attempt, 'stop').catch((error: unknown) => {
      this.#ports.logger.warn('a failed job was not stopped everywhere', { attempt: this.#attempt, reason: describeWithCauses(error) })
    })
  }

  async #backOff(): Promise<void> { await sleep(this.#ports.clock, this.#failures.nextWaitMs()) }

  /** Bounded inputs have ended everywhere: one last checkpoint makes everything visible. */
  async #finish(run: AttemptRun): Promise<void> {
    const checkpoint = await run.take({ kind: 'checkpoint', thenStop: true, savepoint: null, final: true })
    this.#newest = checkpoint
    await run.committed(checkpoint.id)
    await this.#log?.append(run.parts.attempt, { kind: 'finished', attempt: run.parts.attempt })
    this.#run = undefined
    await this.#stopWorkers(run.parts.subtasks, run.parts.attempt, 'stop')
    this.#setPhase('finished')
    this.#ports.logger.info('job finished', { attempt: run.parts.attempt, checkpoint: checkpoint.id })
  }

  async #suspend(run: AttemptRun | undefined): Promise<void> {
    if (run) {
      this.#setPhase('switching')
      // A savepoint with a name is not retired: other jobs may be started from it while this one is suspended, and after.
      const id = `suspended-${run.parts.attempt}`
      const checkpoint = await this.#stopAtSavepoint(run, id)
      this.#savepoints.set(id, { id, phase: 'completed', checkpoint })
      await run.committed(checkpoint.id)
      await this.#log?.append(run.parts.attempt, { kind: 'suspended', attempt: run.parts.attempt })
      this.#run = undefined
      await this.#stopWorkers(run.parts.subtasks, run.parts.attempt, 'stop')
    }
    this.#setPhase('suspended')
  }

  /** A graph without an operator whose state is held, or in which it has another shape, is refused; the job goes on as before. */
  async #wouldLoseState(run: AttemptRun, wanted: Wanted): Promise<boolean> {
    const dropped = this.#newest ? droppedState(wanted.plan, await this.#readManifest(this.#newest)) : []
    const changed = dropped.length > 0 ? [] : misfits({ spec: run.parts.target.spec, plan: run.parts.plan }, { spec: wanted.target.spec, plan: wanted.plan })
    if (dropped.length === 0 && changed.length === 0) return false
    this.#wanted = { target: run.parts.target, plan: run.parts.plan, checkpoints: wanted.checkpoints }
    this.#error = new MillraceError('STATE_WOULD_BE_LOST', dropped.length > 0 ? `the new graph lacks ${dropped.join(', ')}, whose state the job holds` : `state has no place in the new graph: ${changed.join('; ')}`,
      { domain: 'user', path: 'spec.graph', hint: 'Keep the ids of sources, and ids, keys and types of operators with state, or give what changed a new id; the job goes on as before.' })
    return true
  }

  /** Looks at what the first attempt is to start from, before anything is claimed or started. False: it does not fit. */
  async #canRestore(wanted: Wanted): Promise<boolean> {
    const { restore, revision } = wanted.target
    if (restore === undefined || (this.#saved?.location === restore && this.#saved.revision === revision)) return true
    try {
      const saved = await openSavedState(this.#ports.openStore, restore)
      checkFit(saved, wanted, this.#planJob)
      this.#saved = { ...saved, revision }
      this.#error = undefined
      return true
    } catch (error) {
      if (!(error instanceof MillraceError) || error.domain !== 'user') throw error
      this.#error = error
      this.#ports.logger.warn('refused to restore', { from: restore, reason: describeWithCauses(error) })
      return false
    }
  }

  /** Makes the saved state this job's own first checkpoint. The claim before it keeps others from doing so too. */
  async #importSaved(attempt: Attempt): Promise<CheckpointReport | undefined> {
    const log = this.#log
    if (!this.#saved || !log || this.#wanted?.target.restore === undefined) return undefined
    const checkpoint = await importSavedState(this.#saved, this.#store, this.#config.job)
    await log.append(attempt, { kind: 'checkpoint', checkpoint, savepoint: null, final: false })
    this.#newest = checkpoint
    this.#ports.logger.info('state taken over', { from: this.#saved.location, checkpoint: checkpoint.path })
    return checkpoint
  }

  /** The job stands at a savepoint's barrier; its processes stay for the next attempt. */
  async #switch(run: AttemptRun): Promise<void> {
    this.#setPhase('switching')
    if (!isPlanted('switchWithoutSavepoint')) await this.#stopAtSavepoint(run, null)
    this.#run = undefined
  }

  async #stopAtSavepoint(run: AttemptRun, savepoint: string | null): Promise<CheckpointReport> {
    const checkpoint = await run.take({ kind: 'savepoint', thenStop: true, savepoint, final: false })
    this.#newest = checkpoint
    return checkpoint
  }

  async #deploy(wanted: Wanted): Promise<void> {
    const log = this.#log
    if (!log) return
    this.#setPhase('deploying')
    const subtasks = subtasksOf(wanted.plan)
    const beforeClaim = log.view().newest
    const attempt = await log.claim(wanted.target)
    this.#attempt = attempt
    await this.#stopWorkers(this.#registry.subtasks(), attempt, 'fence')
    const newest = (isPlanted('readBeforeFence') ? beforeClaim : log.view().newest) ?? await this.#importSaved(attempt)
    const manifest = newest && await this.#readManifest(newest)
    const sources = { plan: wanted.plan, connectors: this.#connectors, ports: this.#ports, baseDir: this.#config.baseDir }
    const splits = await this.#discover(sources, manifest)
    if (this.#closed) return
    const run = new AttemptRun({
      attempt, target: wanted.target, plan: wanted.plan, subtasks, job: this.#config.job, firstCheckpoint: (newest?.id ?? 0) + 1,
      timeoutMs: CHECKPOINT_TIMEOUT_MS, clock: this.#ports.clock, store: this.#store, log,
      send: (subtask, message) => { this.#registry.send(subtask, message) },
    })
    await this.#startWorkers(run, assignRestore(wanted.plan, manifest, splits))
    if (this.#closed) return
    this.#run = run
    this.#revision = wanted.target.revision
    this.#error = undefined
    this.#setPhase('running')
    this.#ports.logger.info('attempt running', { attempt, subtasks: subtasks.length, from: newest ? `${newest.attempt}-${newest.id}` : 'nothing' })
    this.#scheduleCheckpoint(run, wanted.checkpoints.intervalMs)
    // The readers tell of a source that does not answer.
    watchSplits({ ...sources, reportTrouble: () => undefined }, splits, {
      isCurrent: () => this.#run === run && !this.#closed,
      deal: (subtask, operator, fresh) => { this.#registry.send(subtask, { kind: 'splits', attempt, operator, splits: fresh }) },
    })
    this.#driveAgain = true
  }

  /** A source that does not answer is told at once, not only when it is given up. */
  async #discover(sources: Omit<SplitParts, 'reportTrouble'>, manifest: Manifest | undefined): ReturnType<typeof discoverSplits> {
    let told: Error | undefined
    return discoverSplits({
      ...sources,
      reportTrouble: (error) => {
        if (error) this.#error = error
        else if (this.#error === told) this.#error = undefined
        told = error ?? undefined
      },
    }, manifest)
  }

  /** Resolves when every subtask runs; a `drained` may come before that and is kept by the run. */
  #startWorkers(run: AttemptRun, restores: ReturnType<typeof assignRestore>): Promise<void> {
    const { attempt, subtasks, plan, target } = run.parts
    const upstream: Record<SubtaskId, NetAddress> = {}
    for (const subtask of subtasks) {
      const worker = this.#registry.worker(subtask)
      if (!worker) throw new MillraceError('WORKER_LOST', `worker ${subtask} is gone`, { domain: 'platform', retriable: true })
      upstream[subtask] = worker.data
    }
    return new Promise<void>((resolve, reject) => {
      const cancel = this.#ports.clock.after(START_TIMEOUT_MS, () => {
        this.#startWaiters?.settle(new MillraceError('START_TIMEOUT', `${[...this.#startWaiters.missing].join(', ')} did not start attempt ${attempt} within ${START_TIMEOUT_MS} ms`,
          { domain: 'platform', retriable: true }))
      })
      this.#startWaiters = {
        attempt, missing: new Set(subtasks),
        settle: (error) => {
          cancel()
          this.#startWaiters = undefined
          if (error) reject(error)
          else resolve()
        },
      }
      // Early messages of this attempt (drained) belong to the run, so it is in place before the deployments go out.
      this.#run = run
      for (const chain of plan.chains) {
        for (let slot = 0; slot < chain.parallelism; slot++) {
          const subtask = subtaskId(chain.id, slot)
          this.#registry.send(subtask, { kind: 'deploy', deployment: {
            attempt, jobUid: this.#config.jobUid, spec: target.spec, baseDir: this.#config.baseDir, store: this.#config.storeUrl,
            chain: chain.id, slot, upstream, restore: restores[subtask] ?? { splits: {}, state: {}, committables: {} },
          } })
        }
      }
    })
  }

  /** Resolves when each of these workers runs nothing older than `attempt`, or is gone. */
  async #stopWorkers(subtasks: readonly SubtaskId[], attempt: Attempt, kind: 'fence' | 'stop'): Promise<void> {
    const present = subtasks.filter((subtask) => this.#registry.worker(subtask))
    await Promise.all(present.map((subtask) => new Promise<void>((resolve, reject) => {
      const cancel = this.#ports.clock.after(STOP_TIMEOUT_MS, () => {
        this.#stopWaiters.delete(subtask)
        reject(new MillraceError('STOP_TIMEOUT', `worker ${subtask} did not stop within ${STOP_TIMEOUT_MS} ms`, { domain: 'platform', retriable: true }))
      })
      this.#stopWaiters.set(subtask, { attempt, resolve: () => { cancel(); this.#stopWaiters.delete(subtask); resolve() } })
      this.#registry.send(subtask, { kind, attempt })
    })))
  }

  async #readManifest(checkpoint: CheckpointReport): Promise<Manifest> {
    const bytes = await this.#store.get(checkpoint.path)
    if (!bytes) throw new MillraceError('MANIFEST_MISSING', `manifest ${checkpoint.path} is not in the store`, { domain: 'platform' })
    return decodeManifest(checkpoint.path, bytes)
  }

  #scheduleCheckpoint(run: AttemptRun, intervalMs: number): void {
    this.#cancelCheckpoint = this.#ports.clock.after(intervalMs, () => { void this.#periodicCheckpoint(run, intervalMs) })
  }

  async #periodicCheckpoint(run: AttemptRun, intervalMs: number): Promise<void> {
    if (this.#run !== run || this.#phase !== 'running' || this.#closed) return
    try {
      const checkpoint = await run.take({ kind: 'checkpoint', thenStop: false, savepoint: null, final: false })
      if (this.#run !== run) return
      this.#newest = checkpoint
      this.#checkpointFailures = 0
      this.#failures.forget()
      if (this.#error instanceof MillraceError && this.#error.code.startsWith('CHECKPOINT')) this.#error = undefined
      if (this.#log) await retire(this.#log, this.#store, run.parts.attempt)
    } catch (error) {
      if (this.#run !== run) return
      if (error instanceof MillraceError && error.code === 'ATTEMPT_SUPERSEDED') { this.#onSuperseded(this.#log?.view().attempt ?? 0); return }
      this.#checkpointFailures += 1
      this.#error = new MillraceError('CHECKPOINT_FAILED', `checkpoint failed ${this.#checkpointFailures} times in a row`,
        { domain: 'platform', retriable: true, cause: error })
      this.#ports.logger.warn('checkpoint failed', { attempt: run.parts.attempt, reason: describeWithCauses(error) })
    }
    this.#scheduleCheckpoint(run, intervalMs)
  }

  #setPhase(phase: JobPhase): void {
    if (phase !== this.#phase) this.#ports.logger.debug('phase', { from: this.#phase, to: phase })
    this.#phase = nextPhase(this.#phase, phase)
  }
}

export function subtasksOf(plan: ExecutionPlan): SubtaskId[] {
  return plan.chains.flatMap((chain) => Array.from({ length: chain.parallelism }, (_, slot) => subtaskId(chain.id, slot))).sort()
}

function failureOf(subtask: SubtaskId, { code, message, domain, retriable, hint }: ErrorReport): MillraceError {
  return new MillraceError(code, `subtask ${subtask}: ${message}`, { domain, retriable, ...(hint === undefined ? {} : { hint }) })
}

/** Of a job whose sources have been read to the end there is no watermark to tell. */
function gaugesOf(metrics: readonly SubtaskMetrics[]): Pick<JobReport, 'lagRecords' | 'watermark' | 'pausedSplits'> {
  const lags = metrics.map((metric) => metric.lagRecords).filter((lag) => lag !== null)
  const watermarks = metrics.map((metric) => metric.watermark).filter((time) => time !== null).filter((time) => time > MIN_TIMESTAMP && time < MAX_TIMESTAMP)
  return {
    lagRecords: lags.length === 0 ? null : lags.reduce((sum, lag) => sum + lag, 0),
    watermark: watermarks.length === 0 ? null : watermarks.reduce((least, time) => Math.min(least, time)),
    pausedSplits: metrics.reduce((sum, metric) => sum + (metric.pausedSplits ?? 0), 0),
  }
}

/** Summed over the slots of each operator. */
function blockedOf(slots: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const [operator, ms] of slots.flatMap((slot) => Object.entries(slot))) sums[operator] = (sums[operator] ?? 0) + ms
  return sums
}
