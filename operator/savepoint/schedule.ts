import type { StreamJob } from '../api/stream-job.ts'
import { streamJobs } from '../api/stream-job.ts'
import { streamSavepoints } from '../api/stream-savepoint.ts'
import type { StreamSavepoint } from '../api/stream-savepoint.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts'
import type { EventRecorder } from '../kube/events.ts'
import type { Kube } from '../kube/kube.ts'
import { JOB_UID_LABEL, selectorOf } from '../resources/labels.ts'
import { refusalFrom } from '../streamjob/refusal.ts'
import { decideSchedule, unpinned } from './decide-schedule.ts'
import { savepointOf } from './record.ts'

interface ScheduleParts {
  kube: Kube
  events: EventRecorder
}

/**
 * Periodic savepoints of jobs that run: creates what is due, deletes what need not stay. What it remembers only spares it
 * looks at jobs for which nothing is due.
 */
export class SavepointSchedule {
  readonly #parts: ScheduleParts
  readonly #nextLooks = new Map<string, { policy: string; at: number }>()

  constructor(parts: ScheduleParts) {
    this.#parts = parts
  }

  forget(jobUid: string): void {
    this.#nextLooks.delete(jobUid)
  }

  /**
   * Called after a pass that found the job running. Resolves with the time after which it is to be called again;
   * undefined when the job wants no such savepoints.
   */
  async keep(job: StreamJob): Promise<number | undefined> {
    const { kube } = this.#parts
    const { savepoints: policy } = job.spec
    const { uid = '', namespace = '' } = job.metadata
    if (policy === undefined) return undefined
    const known = this.#nextLooks.get(uid)
    const text = JSON.stringify(policy)
    if (known?.policy === text && kube.now() < known.at) return known.at - kube.now()
    const { items } = await kube.list(streamSavepoints, {
      namespace,
      labelSelector: selectorOf({ [JOB_UID_LABEL]: uid }),
    })
    const now = kube.now()
    const { due, old, nextAt } = decideSchedule({ job, policy, now, savepoints: items })
    if (due !== undefined) await this.#create(job, due)
    if (old.length > 0) await this.#delete(namespace, old)
    this.#nextLooks.set(uid, { policy: text, at: nextAt })
    return nextAt - now
  }

  async #create(job: StreamJob, name: string): Promise<void> {
    const { kube, events } = this.#parts
    const savepoint = savepointOf(job, { name, spec: { trigger: 'Periodic', deletionPolicy: 'Delete' } })
    const creation = kube.create(streamSavepoints, savepoint).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error
    })
    const refusal = await refusalFrom(savepoint, creation)
    if (refusal !== undefined) await events.record(job, { type: 'Warning', ...refusal })
  }

  async #delete(namespace: string, old: readonly StreamSavepoint[]): Promise<void> {
    const { kube } = this.#parts
    const jobs = await kube.list(streamJobs, { namespace })
    for (const { metadata } of unpinned(old, jobs.items)) {
      const { name, uid } = metadata
      try {
        await kube.delete(streamSavepoints, { namespace, name }, uid === undefined ? {} : { preconditions: { uid } })
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error
      }
    }
  }
}
