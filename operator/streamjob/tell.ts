import type { StreamJob, Untold } from '../api/stream-job.ts'
import { streamJobs } from '../api/stream-job.ts'
import type { OperatorMetrics } from '../controller/metrics.ts'
import type { EventRecorder } from '../kube/events.ts'
import type { Kube } from '../kube/kube.ts'
import { tellUntold } from '../kube/tell-untold.ts'
import { recordSavepoint } from '../savepoint/record.ts'

const REMEMBERED = 2_000

interface TellParts {
  kube: Kube
  events: EventRecorder
  metrics: OperatorMetrics
  /** The checkpoint store of jobs that name none. */
  store: string
}

/**
 * Reports what the status of a job lists as untold, and takes it off the list. An Event is found again by its name; what
 * is counted is remembered here, in the process that has the counter, so that it counts once however often it is listed.
 */
export class Teller {
  readonly #parts: TellParts
  readonly #counted = new Set<string>()

  constructor(parts: TellParts) {
    this.#parts = parts
  }

  /** Resolves with the job as it is then: whatever its status still lists is to be told again later. */
  tell(job: StreamJob): Promise<StreamJob> {
    return tellUntold(this.#parts.kube, streamJobs, job, (one: Untold) => this.#tellOne(job, one))
  }

  async #tellOne(job: StreamJob, one: Untold): Promise<'written' | 'later'> {
    if ('savepoint' in one) return recordSavepoint(this.#parts, job, one.savepoint)
    if ('event' in one) return this.#parts.events.recordOnce(job, { id: one.id, ...one.event })
    if (this.#counted.has(one.id)) return 'written'
    this.#counted.add(one.id)
    if (this.#counted.size > REMEMBERED) {
      const [oldest = ''] = this.#counted
      this.#counted.delete(oldest)
    }
    if ('ended' in one) this.#parts.metrics.operationEnded(one.ended.type, one.ended.result, one.ended.ms)
    else this.#parts.metrics.paused(one.paused.type, one.paused.ms)
    return 'written'
  }
}
