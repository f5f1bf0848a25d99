import { checkpointFolder, encodeManifest } from '../checkpoint/manifest.ts'
import { markCommitted } from '../checkpoint/commit-marker.ts'
import type { JobLog } from '../checkpoint/job-log.ts'
import { PendingCheckpoint, sizeOfSnapshots } from '../checkpoint/pending-checkpoint.ts'
import type { CoordinatorMessage, WorkerMessage } from '../control/messages.ts'
import { describeWithCauses, MillraceError } from '../model/errors.ts'
import type { Attempt, CheckpointId, SubtaskId } from '../model/ids.ts'
import type { CheckpointReport, JobTarget } from '../model/job.ts'
import type { SnapshotExtent } from '../model/snapshot.ts'
import type { JobGraph } from '../graph/job-graph.ts'
import type { ExecutionPlan } from '../plan/execution-plan.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Store } from '../ports/store.ts'
import { AlignmentGroups } from './alignment.ts'

export interface CheckpointRequest {
  kind: CheckpointReport['kind']
  extent: SnapshotExtent
  /** Sources emit nothing behind the barrier: the attempt ends with this checkpoint. */
  thenStop: boolean
  /** The savepoint's id, so that asking again finds it. */
  savepoint: string | null
  final: boolean
}

export interface AttemptParts {
  attempt: Attempt
  target: JobTarget
  graph: JobGraph
  plan: ExecutionPlan
  subtasks: readonly SubtaskId[]
  job: string
  jobUid: string
  /** As in the manifest that the attempt is restored from. */
  predecessors: readonly string[]
  /** As in Deployment. */
  readingShare: number
  /** State that stays inline in manifests at most, of all subtasks together. */
  inlineStateBytes: number
  firstCheckpoint: CheckpointId
  timeoutMs: number
  clock: Clock
  store: Store
  log: JobLog
  logger: Logger
  send(subtask: SubtaskId, message: CoordinatorMessage): void
}

/** One attempt that runs on all its workers: its checkpoints, and what its subtasks have reported. */
export class AttemptRun {
  readonly parts: AttemptParts
  readonly drained = new Set<SubtaskId>()
  /**
   * Whether the store may hold files that no manifest names: at first those of older attempts, later those of failed
   * checkpoints.
   */
  leavesFiles = true
  readonly #alignment: AlignmentGroups
  readonly #committed = new Map<SubtaskId, CheckpointId>()
  /** Complete checkpoints whose output not every subtask has committed yet. */
  #uncommitted: CheckpointReport[] = []
  /** Resolves when everything that was committed so far is marked so. */
  #marked: Promise<void> = Promise.resolve()
  #failure: Error | undefined
  /** Nothing comes behind the barrier at which it stopped: a checkpoint that was queued would tell nothing new. */
  #hasStopped = false
  #nextId: CheckpointId
  #pending: { checkpoint: PendingCheckpoint; resolve(): void; reject(error: Error): void } | undefined
  #queue: Promise<unknown> = Promise.resolve()
  #commitWaiters: (() => void)[] = []

  constructor(parts: AttemptParts) {
    this.parts = parts
    this.#nextId = parts.firstCheckpoint
    this.#alignment = new AlignmentGroups(parts.plan, parts.clock, (subtask, minimum) => {
      parts.send(subtask, { kind: 'align', attempt: parts.attempt, minimum })
    })
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  /** Ends the attempt: everything that waits for it rejects. The first reason stays. */
  fail(error: Error): void {
    this.#failure ??= error
    this.#pending?.reject(error)
    this.#wakeCommitWaiters()
  }

  isDrained(): boolean {
    return this.parts.subtasks.every((subtask) => this.drained.has(subtask))
  }

  onMessage(subtask: SubtaskId, message: WorkerMessage): void {
    switch (message.kind) {
      case 'drained':
        this.drained.add(subtask)
        break
      case 'aligned':
        this.#alignment.onReport(subtask, message.minimum)
        break
      case 'committed':
        this.#committed.set(subtask, message.checkpoint)
        this.#markCommitted()
        this.#wakeCommitWaiters()
        break
      case 'snapshot': {
        const pending = this.#pending
        if (pending?.checkpoint.id !== message.checkpoint) break
        if (pending.checkpoint.acknowledge(subtask, message.snapshot) === 'completes') pending.resolve()
        break
      }
      case 'declined':
        if (this.#pending?.checkpoint.id === message.checkpoint) {
          this.#pending.reject(
            new MillraceError(message.error.code, `subtask ${subtask}: ${message.error.message}`, {
              domain: message.error.domain,
              retriable: message.error.retriable,
            }),
          )
        }
        break
      default:
        break
    }
  }

  /**
   * Takes a checkpoint after those already asked for. Resolves once it is in the log and was announced to the subtasks;
   * rejects when a subtask declined, time ran out or the attempt failed. A failed checkpoint leaves the job running.
   */
  take(request: CheckpointRequest): Promise<CheckpointReport> {
    const result = this.#queue.then(() => this.#take(request))
    this.#queue = result.catch(() => undefined)
    return result
  }

  async #take(request: CheckpointRequest): Promise<CheckpointReport> {
    if (this.#failure) throw this.#failure
    const { attempt, subtasks, clock } = this.parts
    if (this.#hasStopped && request.kind === 'checkpoint')
      throw new MillraceError('ATTEMPT_STOPPED', `attempt ${attempt} has stopped at its last checkpoint`, {
        domain: 'platform',
        retriable: true,
      })
    const pending = new PendingCheckpoint(attempt, this.#nextId++, clock.now(), subtasks)
    try {
      await this.#collect(pending, request)
      const report = await this.#complete(pending, request)
      this.#hasStopped ||= request.thenStop
      return report
    } catch (error) {
      this.leavesFiles = true
      this.#broadcast({ kind: 'abort', attempt, checkpoint: pending.id })
      throw error
    } finally {
      this.#pending = undefined
    }
  }

  #collect(checkpoint: PendingCheckpoint, { extent, thenStop }: CheckpointRequest): Promise<void> {
    const { attempt, clock, timeoutMs } = this.parts
    return new Promise<void>((resolve, reject) => {
      const cancel = clock.after(timeoutMs, () => {
        settle.reject(
          new MillraceError(
            'CHECKPOINT_TIMEOUT',
            `checkpoint ${attempt}-${checkpoint.id} had no snapshot of ${checkpoint.missing.join(', ')} after ${timeoutMs} ms`,
            { domain: 'platform', retriable: true },
          ),
        )
      })
      const settle = {
        checkpoint,
        resolve: (): void => {
          cancel()
          resolve()
        },
        reject: (error: Error): void => {
          cancel()
          reject(error)
        },
      }
      this.#pending = settle
      this.#broadcast({ kind: 'trigger', attempt, checkpoint: checkpoint.id, extent, thenStop })
    })
  }

  /**
   * The manifest first, then its entry in the log. The entry makes the checkpoint complete; only then is it
   * announced.
   */
  async #complete(pending: PendingCheckpoint, request: CheckpointRequest): Promise<CheckpointReport> {
    const { attempt, target, plan, clock, store, log, job, jobUid, predecessors } = this.parts
    const path = `${checkpointFolder(attempt, pending.id)}/manifest.json`
    const completedAt = clock.now()
    const report: CheckpointReport = {
      attempt,
      id: pending.id,
      kind: request.kind,
      ...(request.savepoint === null ? {} : { savepoint: request.savepoint }),
      path,
      completedAt,
      durationMs: completedAt - pending.startedAt,
      sizeBytes: sizeOfSnapshots(pending.snapshots),
    }
    await store.put(
      path,
      encodeManifest(
        {
          job,
          attempt,
          id: pending.id,
          kind: request.kind,
          completedAt,
          durationMs: report.durationMs,
          sizeBytes: report.sizeBytes,
          maxParallelism: plan.maxParallelism,
          revision: target.revision,
          spec: target.spec,
          ...(predecessors.length === 0 ? {} : { predecessors }),
          subtasks: pending.snapshots,
        },
        { path, job: jobUid },
      ),
    )
    if (this.#failure) throw this.#failure
    await log.append(attempt, {
      kind: 'checkpoint',
      checkpoint: report,
      savepoint: request.savepoint,
      final: request.final,
    })
    if (listsOutput(pending)) this.#uncommitted.push(report)
    this.#broadcast({ kind: 'complete', attempt, checkpoint: pending.id })
    return report
  }

  #broadcast(message: CoordinatorMessage): void {
    for (const subtask of this.parts.subtasks) this.parts.send(subtask, message)
  }

  /** Resolves when every subtask has committed this checkpoint and that is known for ever: its output is visible. */
  async committed(checkpoint: CheckpointId): Promise<void> {
    while (!this.#isCommitted(checkpoint)) {
      if (this.#failure) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#commitWaiters.push(resolve)
      })
    }
    await this.#marked
  }

  #isCommitted(checkpoint: CheckpointId): boolean {
    return this.parts.subtasks.every((subtask) => (this.#committed.get(subtask) ?? 0) >= checkpoint)
  }

  /** A mark that cannot be written costs nothing but another commit of the same, so it fails only who waits for it. */
  #markCommitted(): void {
    const { attempt, store, jobUid, logger } = this.parts
    const committed = this.#uncommitted.filter(({ id }) => this.#isCommitted(id))
    if (committed.length === 0) return
    this.#uncommitted = this.#uncommitted.filter((checkpoint) => !committed.includes(checkpoint))
    const earlier = this.#marked.catch(() => undefined)
    this.#marked = earlier.then(async () => {
      for (const checkpoint of committed) await markCommitted(store, checkpoint, jobUid)
    })
    this.#marked.catch((error: unknown) => {
      logger.warn('committed output was not marked', { attempt, reason: describeWithCauses(error) })
    })
  }

  #wakeCommitWaiters(): void {
    const waiters = this.#commitWaiters
    this.#commitWaiters = []
    for (const wake of waiters) wake()
  }
}

function listsOutput({ snapshots }: PendingCheckpoint): boolean {
  return Object.values(snapshots).some(({ committables }) => Object.keys(committables).length > 0)
}
