import type { LogView } from '../checkpoint/job-log.ts'
import type { CheckpointReport, SavepointReport } from '../control/job-report.ts'
import { errorReport, MillraceError } from '../model/errors.ts'

export interface SavepointParts {
  /** Takes one of that name; rejects with JOB_NOT_RUNNING when nothing runs. */
  take(id: string): Promise<CheckpointReport>
  /** Deletes its files and its entry in the log. Rejects with JOB_NOT_RUNNING: only a running attempt may delete. */
  discard(id: string): Promise<void>
}

/** The savepoints of a job that have names: those in its log, and those asked for since. */
export class Savepoints {
  readonly #parts: SavepointParts
  readonly #reports = new Map<string, SavepointReport>()

  constructor(parts: SavepointParts) {
    this.#parts = parts
  }

  /** Adds the savepoints that a log names. */
  add(checkpoints: LogView['checkpoints']): void {
    for (const { savepoint, checkpoint } of checkpoints) if (savepoint !== null) this.completed(savepoint, checkpoint)
  }

  completed(id: string, checkpoint: CheckpointReport): void {
    this.#reports.set(id, { id, phase: 'completed', checkpoint })
  }

  find(id: string): SavepointReport | undefined {
    return this.#reports.get(id)
  }

  /** The same id again asks for the same one, unless that failed. */
  ask(id: string): SavepointReport {
    const known = this.#reports.get(id)
    if (known && known.phase !== 'failed') return known
    const report: SavepointReport = { id, phase: 'inProgress' }
    this.#reports.set(id, report)
    void this.#take(id)
    return report
  }

  async #take(id: string): Promise<void> {
    try {
      this.completed(id, await this.#parts.take(id))
    } catch (error) {
      this.#reports.set(id, { id, phase: 'failed', error: errorReport(error) })
    }
  }

  /** Deletes a savepoint's files; unknown ones are gone already. Throws SAVEPOINT_IN_USE, or as `discard`. */
  async delete(id: string): Promise<void> {
    const known = this.#reports.get(id)
    if (!known) return
    if (known.phase === 'inProgress')
      throw new MillraceError('SAVEPOINT_IN_USE', `savepoint ${id} is being taken`, {
        domain: 'platform',
        retriable: true,
      })
    await this.#parts.discard(id)
    this.#reports.delete(id)
  }
}
