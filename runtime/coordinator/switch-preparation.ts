import type { Manifest } from '../checkpoint/manifest.ts'
import { assignRestore } from '../checkpoint/restore-assignment.ts'
import type { CoordinatorMessage, WorkerMessage } from '../control/messages.ts'
import { describeWithCauses, MillraceError } from '../model/errors.ts'
import type { CheckpointId, SubtaskId } from '../model/ids.ts'
import type { CheckpointReport, JobTarget } from '../model/job.ts'
import { encodeGraph } from '../graph/encoded-graph.ts'
import type { JobGraph } from '../graph/job-graph.ts'
import { subtasksOf } from '../plan/chaining.ts'
import type { ExecutionPlan } from '../plan/execution-plan.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { AttemptRun } from './attempt-run.ts'

/**
 * Nothing heard of a preparation for so long, or so long a time in all: the switch goes on with what is there. It
 * is wanted for a reason, often because the job is too slow.
 */
const SILENCE_MS = 30_000
const LIMIT_MS = 120_000
/** A round that brought no more than this leaves the rest to the switch itself. */
const LITTLE_BYTES = 256 * 1024
/** A round that brings more than this part of the one before does not get nearer to the end. */
const SHRINKS_TO = 0.5

export interface SwitchPreparationParts {
  run: AttemptRun
  target: JobTarget
  graph: JobGraph
  plan: ExecutionPlan
  baseDir: string
  storeUrl: string
  clock: Clock
  logger: Logger
  /** Takes a checkpoint of extent `appended` of the running attempt. */
  checkpoint(): Promise<CheckpointReport>
  readManifest(checkpoint: CheckpointReport): Promise<Manifest>
  send(subtask: SubtaskId, message: CoordinatorMessage): void
  /** Called once, when nothing is left to wait for; not after `end`. */
  onOver(): void
}

/**
 * Restores state ahead of a switch while the old attempt runs, so that the pause is short. The workers of the new plan
 * restore a checkpoint of the old attempt, then what came meanwhile, and so on while the rounds get smaller (as a
 * virtual machine is moved: Clark et al., "Live Migration of Virtual Machines", NSDI 2005). Nothing depends on it:
 * workers compare what they hold with what the switch gives them, and a failure here only makes the pause longer.
 */
export class SwitchPreparation {
  readonly #parts: SwitchPreparationParts
  #waiting:
    | { checkpoint: CheckpointId; missing: Set<SubtaskId>; prepared: number; settle(): void; heard(): void }
    | undefined
  #over = false
  #ended = false
  readonly #cancelLimit: () => void

  constructor(parts: SwitchPreparationParts) {
    this.#parts = parts
    this.#cancelLimit = parts.clock.after(LIMIT_MS, () => {
      this.#finish()
    })
    void this.#prepare()
      .catch((error: unknown) => {
        if (!this.#ended)
          parts.logger.warn('a switch continues without preparation', {
            attempt: parts.run.parts.attempt,
            reason: describeWithCauses(error),
          })
      })
      .finally(() => {
        this.#finish()
      })
  }

  /** Does not wait for what is still under way. */
  #finish(): void {
    this.#cancelLimit()
    this.#waiting?.settle()
    if (this.#over) return
    this.#over = true
    if (!this.#ended) this.#parts.onOver()
  }

  /** True when the switch may go on. */
  get isOver(): boolean {
    return this.#over
  }

  isFor(run: AttemptRun | undefined, { revision, desiredState }: JobTarget): boolean {
    return run === this.#parts.run && revision === this.#parts.target.revision && desiredState === 'running'
  }

  /** Nobody waits for it any more; what workers hold may still be of use for the next attempt. */
  end(): void {
    this.#ended = true
    this.#finish()
  }

  /** The switch will not come: workers discard what they hold. */
  revoke(): void {
    this.end()
    const { run, send } = this.#parts
    for (const { id } of subtasksOf(this.#parts.plan)) send(id, { kind: 'unprepare', attempt: run.parts.attempt })
  }

  onMessage(subtask: SubtaskId, message: WorkerMessage): void {
    const waiting = this.#waiting
    if (
      !waiting ||
      !('attempt' in message) ||
      message.attempt !== this.#parts.run.parts.attempt ||
      !('checkpoint' in message) ||
      message.checkpoint !== waiting.checkpoint
    )
      return
    if (message.kind === 'preparing') waiting.heard()
    if (message.kind === 'prepared') waiting.prepared += 1
    if (message.kind === 'unprepared')
      this.#parts.logger.info('a worker could not prepare', {
        subtask,
        code: message.error.code,
        reason: message.error.message,
      })
    if (message.kind === 'prepared' || message.kind === 'unprepared') this.#answered(subtask)
  }

  onLost(subtask: SubtaskId): void {
    this.#answered(subtask)
  }

  #answered(subtask: SubtaskId): void {
    const waiting = this.#waiting
    if (waiting?.missing.delete(subtask) !== true) return
    waiting.heard()
    if (waiting.missing.size === 0) waiting.settle()
  }

  async #prepare(): Promise<void> {
    const { clock, logger, run, checkpoint: take, readManifest } = this.#parts
    const startedAt = clock.now()
    let [size, brought] = [0, Infinity]
    for (let round = 1; ; round++) {
      const checkpoint = await take()
      const manifest = await readManifest(checkpoint)
      if (this.#over) return
      const prepared = await this.#round(checkpoint.id, manifest)
      const more = checkpoint.sizeBytes - size
      logger.info('switch prepared', {
        attempt: run.parts.attempt,
        checkpoint: checkpoint.id,
        round,
        workers: prepared,
        bytes: more,
        ms: clock.now() - startedAt,
      })
      if (this.#over || prepared === 0 || more <= LITTLE_BYTES || more > brought * SHRINKS_TO) return
      size = checkpoint.sizeBytes
      brought = more
    }
  }

  /** Resolves with the number of workers that have restored their part of a checkpoint. */
  #round(checkpoint: CheckpointId, manifest: Manifest): Promise<number> {
    const { run, graph, plan, baseDir, storeUrl, clock, send } = this.#parts
    const restores = assignRestore(plan, manifest, {})
    return new Promise((resolve, reject) => {
      let cancel = (): void => undefined
      const waiting = {
        checkpoint,
        missing: new Set(subtasksOf(plan).map(({ id }) => id)),
        prepared: 0,
        settle: () => {
          cancel()
          this.#waiting = undefined
          resolve(waiting.prepared)
        },
        heard: () => {
          cancel()
          cancel = clock.after(SILENCE_MS, () => {
            this.#waiting = undefined
            reject(
              new MillraceError(
                'PREPARATION_TIMEOUT',
                `${[...waiting.missing].join(', ')} said nothing for ${SILENCE_MS} ms`,
                { domain: 'platform', retriable: true },
              ),
            )
          })
        },
      }
      waiting.heard()
      this.#waiting = waiting
      for (const { id, chain, slot } of subtasksOf(plan)) {
        send(id, {
          kind: 'prepare',
          attempt: run.parts.attempt,
          preparation: {
            checkpoint,
            graph: encodeGraph(graph),
            baseDir,
            store: storeUrl,
            chain: chain.id,
            slot,
            state: restores[id]?.state ?? {},
          },
        })
      }
    })
  }
}
