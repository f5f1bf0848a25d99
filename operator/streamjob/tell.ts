import type { StreamJob, Untold } from '../api/stream-job.ts'
import type { OperatorMetrics } from '../controller/metrics.ts'
import type { EventRecorder } from '../kube/events.ts'
import type { Kube, ObjectRef } from '../kube/kube.ts'
import { recordSavepoint } from '../savepoint/record.ts'

interface TellParts {
  kube: Kube
  events: EventRecorder
  metrics: OperatorMetrics
  /** The checkpoint store of jobs that name none. */
  store: string
}

/**
 * Reports what the status of a job lists as untold. It comes off the list with the next write of the status, and who finds
 * it there meanwhile reports it again: an Event is found again by its name, and what is counted is counted when it is off
 * the list. What is remembered here only spares the repetition.
 */
export class Teller {
  readonly #parts: TellParts
  /** By job, what was reported and stands on its list still. */
  readonly #told = new Map<string, Map<string, Untold>>()

  constructor(parts: TellParts) {
    this.#parts = parts
  }

  /** Resolves with the job, whose status lists only what has to be reported again later. */
  async tell(job: StreamJob): Promise<StreamJob> {
    const { untold: listed } = job.status ?? {}
    const key = keyOf(job)
    if (job.status === undefined || !listed || listed.length === 0) return job
    const told = this.#told.get(key) ?? new Map<string, Untold>()
    for (const one of listed)
      if (!told.has(one.id) && (await this.#tellOne(job, one)) === 'written') told.set(one.id, one)
    if (told.size > 0) this.#told.set(key, told)
    const left = listed.filter(({ id }) => !told.has(id))
    return { ...job, status: { ...job.status, untold: left.length === 0 ? null : left } }
  }

  /** Whether the status has to be written only because something on its list was reported. */
  hasToldOf(job: StreamJob): boolean {
    return this.#told.has(keyOf(job))
  }

  /** The job as the API server has it: what was reported and is not on its list any more is done with. */
  seen(job: StreamJob): void {
    this.#count(keyOf(job), new Set((job.status?.untold ?? []).map(({ id }) => id)))
  }

  /** The job is gone, and its list with it. */
  gone({ namespace, name }: ObjectRef): void {
    this.#count(`${namespace}/${name}`, new Set())
  }

  #count(key: string, listed: ReadonlySet<string>): void {
    const told = this.#told.get(key)
    if (told === undefined) return
    for (const [id, one] of told) {
      if (listed.has(id)) continue
      told.delete(id)
      if ('ended' in one) this.#parts.metrics.operationEnded(one.ended.type, one.ended.result, one.ended.ms)
      else if ('paused' in one) this.#parts.metrics.paused(one.paused.type, one.paused.ms)
    }
    if (told.size === 0) this.#told.delete(key)
  }

  async #tellOne(job: StreamJob, one: Untold): Promise<'written' | 'later'> {
    if ('savepoint' in one) return recordSavepoint(this.#parts, job, one.savepoint)
    return 'event' in one ? this.#parts.events.recordOnce(job, { id: one.id, ...one.event }) : 'written'
  }
}

function keyOf({ metadata: { namespace = '', name } }: StreamJob): string {
  return `${namespace}/${name}`
}
