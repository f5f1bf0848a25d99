import type { JobLog } from '../checkpoint/job-log.ts'
import { retire, sweep } from '../checkpoint/retention.ts'
import { describeWithCauses, MillraceError } from '../model/errors.ts'
import type { CheckpointReport } from '../model/job.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Store } from '../ports/store.ts'
import type { AttemptRun, CheckpointRequest } from './attempt-run.ts'
import { type CheckpointTimes, PeriodicCheckpoints } from './periodic-checkpoints.ts'
import { findVanished } from './vanished-checkpoints.ts'

export interface AttemptCheckpointsParts {
  clock: Clock
  logger: Logger
  store: Store
  /** The store's address as workers open it. */
  storeUrl: string
  isCurrent(run: AttemptRun): boolean
  /** The attempt is the current one, and neither switches nor ends. */
  isRunning(run: AttemptRun): boolean
  /** The extent of the next periodic checkpoint. */
  extent(): 'appended' | 'changes'
  /** A periodic checkpoint is complete. `vanished`: it had to hold everything, because those before were gone. */
  onComplete(vanished: MillraceError | undefined): void
  onFailed(error: MillraceError): void
  /** Another coordinator owns the job. */
  onSuperseded(): void
}

/** The checkpoints of the attempt that runs: those taken from time to time, and the last one of any kind. */
export class AttemptCheckpoints {
  newest: CheckpointReport | null = null
  readonly #parts: AttemptCheckpointsParts
  readonly #periodic: PeriodicCheckpoints
  #failures = 0

  constructor(parts: AttemptCheckpointsParts) {
    this.#parts = parts
    this.#periodic = new PeriodicCheckpoints(parts.clock)
  }

  /** Periodic ones that failed since one was complete. */
  get failures(): number {
    return this.#failures
  }

  start(run: AttemptRun, times: CheckpointTimes): void {
    this.#periodic.start(times, () => this.#takePeriodic(run))
  }

  stop(): void {
    this.#periodic.stop()
  }

  /** As AttemptRun.take; the checkpoint is the newest then. */
  async take(run: AttemptRun, request: CheckpointRequest): Promise<CheckpointReport> {
    return (this.newest = await run.take(request))
  }

  /**
   * A savepoint with a name is whole. The savepoint of a switch has no name and serves only the next attempt, which has
   * restored most of it by then.
   */
  async stopAtSavepoint(run: AttemptRun, savepoint: string | null): Promise<CheckpointReport> {
    const isBroken = savepoint === null && (await this.#findVanished(run)) !== undefined
    const extent = savepoint === null && !isBroken ? 'appended' : 'whole'
    return this.take(run, { kind: 'savepoint', extent, thenStop: true, savepoint, final: false })
  }

  async #takePeriodic(run: AttemptRun): Promise<'goesOn' | 'over'> {
    const { isRunning, isCurrent, extent, onComplete, store } = this.#parts
    if (!isRunning(run)) return 'over'
    try {
      const vanished = await this.#findVanished(run)
      const checkpoint = await run.take({
        kind: 'checkpoint',
        extent: vanished ? 'whole' : extent(),
        thenStop: false,
        savepoint: null,
        final: false,
      })
      if (!isCurrent(run)) return 'over'
      this.newest = checkpoint
      this.#failures = 0
      onComplete(vanished)
      const { log, attempt } = run.parts
      await retire(log, store, attempt)
      if (run.leavesFiles) await this.#sweep(log, run, checkpoint)
    } catch (error) {
      return this.#onError(run, error)
    }
    return 'goesOn'
  }

  #onError(run: AttemptRun, error: unknown): 'goesOn' | 'over' {
    const { isCurrent, onFailed, onSuperseded, logger } = this.#parts
    if (!isCurrent(run) || (error instanceof MillraceError && error.code === 'ATTEMPT_STOPPED')) return 'over'
    if (error instanceof MillraceError && error.code === 'ATTEMPT_SUPERSEDED') {
      onSuperseded()
      return 'over'
    }
    this.#failures += 1
    onFailed(
      new MillraceError('CHECKPOINT_FAILED', `checkpoint failed ${this.#failures} times in a row`, {
        domain: 'platform',
        retriable: true,
        cause: error,
      }),
    )
    logger.warn('checkpoint failed', { attempt: run.parts.attempt, reason: describeWithCauses(error) })
    return 'goesOn'
  }

  async #findVanished({ parts }: AttemptRun): Promise<MillraceError | undefined> {
    const vanished = await findVanished(parts, this.newest, this.#parts.storeUrl)
    if (vanished) this.#parts.logger.warn('checkpoints vanished', { attempt: parts.attempt, reason: vanished.message })
    return vanished
  }

  /** Deletes what failed checkpoints left. Their files only take room, so a failure here fails nothing else. */
  async #sweep(log: JobLog, run: AttemptRun, checkpoint: Pick<CheckpointReport, 'attempt' | 'id'>): Promise<void> {
    const { logger, store } = this.#parts
    run.leavesFiles = false
    try {
      const files = await sweep(log, store, checkpoint)
      if (files > 0) logger.info('swept', { attempt: run.parts.attempt, checkpoint: checkpoint.id, files })
    } catch (error) {
      run.leavesFiles = true
      logger.warn('what failed checkpoints left was not swept', {
        attempt: run.parts.attempt,
        reason: describeWithCauses(error),
      })
    }
  }
}
