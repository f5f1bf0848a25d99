import { importSavedState, openSavedState, type SavedState } from '../checkpoint/saved-state.ts'
import type { JobLog } from '../checkpoint/job-log.ts'
import { describeWithCauses, MillraceError } from '../model/errors.ts'
import type { Attempt } from '../model/ids.ts'
import type { CheckpointReport, JobTarget } from '../model/job.ts'
import type { PlannedJob } from '../front/planned-job.ts'
import type { Logger } from '../ports/logger.ts'
import type { Store } from '../ports/store.ts'
import { checkFit } from './restore-fit.ts'

export interface InitialStateParts {
  job: string
  jobUid: string
  store: Store
  logger: Logger
  openStore(url: string): Store
  planJob(spec: unknown): PlannedJob
}

/** What the first attempt of a job starts from, when its target names a savepoint or checkpoint of any job. */
export class InitialState {
  readonly #parts: InitialStateParts
  /** Found to fit that revision. */
  #saved: (SavedState & { revision: string }) | undefined

  constructor(parts: InitialStateParts) {
    this.#parts = parts
  }

  /** True when the target names nothing to start from, or what it names was found to fit. */
  isKnownToFit({ restore, revision }: JobTarget): boolean {
    return restore === undefined || (this.#saved?.location === restore && this.#saved.revision === revision)
  }

  /**
   * Looks at it before anything is claimed or started. Resolves with why it does not fit, `undefined` when it does
   * or none is named; rejects when it cannot be looked at now.
   */
  async refusal(wanted: PlannedJob & { target: JobTarget }): Promise<MillraceError | undefined> {
    const { restore, revision } = wanted.target
    if (restore === undefined || this.isKnownToFit(wanted.target)) return undefined
    try {
      const saved = await openSavedState(this.#parts.openStore, restore)
      checkFit(saved, wanted, this.#parts.planJob)
      if (saved.jobUid === undefined)
        this.#parts.logger.warn('the saved state has no seal: it is older than seals, or was changed', {
          from: restore,
        })
      this.#saved = { ...saved, revision }
      return undefined
    } catch (error) {
      if (!(error instanceof MillraceError) || error.domain !== 'user') throw error
      this.#parts.logger.warn('refused to restore', { from: restore, reason: describeWithCauses(error) })
      return error
    }
  }

  /** Makes it this job's own first checkpoint. The claim before it keeps others from doing so too. */
  async import(
    log: JobLog,
    attempt: Attempt,
    { restore, predecessor }: JobTarget,
  ): Promise<CheckpointReport | undefined> {
    if (!this.#saved || restore === undefined) return undefined
    const checkpoint = await importSavedState(this.#saved, this.#parts.store, { ...this.#parts, predecessor })
    await log.append(attempt, { kind: 'checkpoint', checkpoint, savepoint: null, final: false })
    this.#parts.logger.info('state taken over', { from: this.#saved.location, checkpoint: checkpoint.path })
    return checkpoint
  }
}
