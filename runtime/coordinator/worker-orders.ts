import type { CoordinatorMessage, Deployment, WorkerMessage } from '../control/messages.ts'
import { MillraceError, type ErrorReport } from '../model/errors.ts'
import type { Attempt, SubtaskId } from '../model/ids.ts'
import type { Clock } from '../ports/clock.ts'

/** How long a worker may take to stop, and to start, an attempt. */
const STOP_TIMEOUT_MS = 15_000
const START_TIMEOUT_MS = 60_000

export interface OrderParts {
  clock: Clock
  isThere(subtask: SubtaskId): boolean
  send(subtask: SubtaskId, message: CoordinatorMessage): void
}

/** Tells workers to start and to stop, and waits until they have. */
export class WorkerOrders {
  readonly #parts: OrderParts
  readonly #stopping = new Map<SubtaskId, { attempt: Attempt; resolve(): void }>()
  #starting: { attempt: Attempt; missing: Set<SubtaskId>; settle(error?: Error): void } | undefined

  constructor(parts: OrderParts) {
    this.#parts = parts
  }

  /**
   * Resolves when every subtask runs; a `drained` may come before that. Rejects when one fails, is lost, or does
   * not start in time.
   */
  start(attempt: Attempt, deployments: ReadonlyMap<SubtaskId, Deployment>): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const cancel = this.#parts.clock.after(START_TIMEOUT_MS, () => {
        this.#starting?.settle(
          new MillraceError(
            'START_TIMEOUT',
            `${[...this.#starting.missing].join(', ')} did not start attempt ${attempt} within ${START_TIMEOUT_MS} ms`,
            { domain: 'platform', retriable: true },
          ),
        )
      })
      this.#starting = {
        attempt,
        missing: new Set(deployments.keys()),
        settle: (error) => {
          cancel()
          this.#starting = undefined
          if (error) reject(error)
          else resolve()
        },
      }
      for (const [subtask, deployment] of deployments) this.#parts.send(subtask, { kind: 'deploy', deployment })
    })
  }

  /** Resolves when each of these workers runs nothing older than `attempt`, or is gone. */
  async stop(subtasks: readonly SubtaskId[], attempt: Attempt, kind: 'fence' | 'stop'): Promise<void> {
    await Promise.all(
      subtasks
        .filter((subtask) => this.#parts.isThere(subtask))
        .map(
          (subtask) =>
            new Promise<void>((resolve, reject) => {
              const cancel = this.#parts.clock.after(STOP_TIMEOUT_MS, () => {
                this.#stopping.delete(subtask)
                reject(
                  new MillraceError('STOP_TIMEOUT', `worker ${subtask} did not stop within ${STOP_TIMEOUT_MS} ms`, {
                    domain: 'platform',
                    retriable: true,
                  }),
                )
              })
              this.#stopping.set(subtask, {
                attempt,
                resolve: () => {
                  cancel()
                  this.#stopping.delete(subtask)
                  resolve()
                },
              })
              this.#parts.send(subtask, { kind, attempt })
            }),
        ),
    )
  }

  onMessage(subtask: SubtaskId, message: WorkerMessage): void {
    if (message.kind === 'stopped') {
      const waiter = this.#stopping.get(subtask)
      if (waiter?.attempt === message.attempt) waiter.resolve()
    }
    const starting = this.#starting
    if (!starting || !('attempt' in message) || message.attempt !== starting.attempt) return
    if (message.kind === 'running' && starting.missing.delete(subtask) && starting.missing.size === 0) starting.settle()
    if (message.kind === 'failed') starting.settle(failureOf(subtask, message.error))
  }

  /** It runs nothing any more, for whoever waits for that. */
  onLost(subtask: SubtaskId): void {
    this.#stopping.get(subtask)?.resolve()
  }

  /** The attempt that is being started is over. */
  giveUpStart(error: Error): void {
    this.#starting?.settle(error)
  }
}

/** The error that a subtask reported. */
export function failureOf(subtask: SubtaskId, { code, message, domain, retriable, hint }: ErrorReport): MillraceError {
  return new MillraceError(code, `subtask ${subtask}: ${message}`, {
    domain,
    retriable,
    ...(hint === undefined ? {} : { hint }),
  })
}
