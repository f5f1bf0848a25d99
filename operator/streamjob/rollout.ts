import type { Operation, StreamJob } from '../api/stream-job.ts'

/**
 * How many jobs at once may have their pods replaced for a reason that is not in their spec: an operator of another
 * version, or with other settings, renders the pods of every job anew, and all at once they would need twice the cluster.
 * Jobs that hang in their upgrade keep their places, so a release that cannot start reaches no further.
 *
 * Nothing here must survive: a job in the middle of an upgrade says so in its status.
 */
export class Rollout {
  readonly #limit: number
  readonly #jobs: () => readonly StreamJob[]
  /** UIDs of those that may begin and do not say so in their status yet. */
  readonly #admitted = new Set<string>()

  /** `jobs`: all that the operator knows of, as far as it has heard. */
  constructor(limit: number, jobs: () => readonly StreamJob[]) {
    this.#limit = limit
    this.#jobs = jobs
  }

  /** Whether this job may begin, or is at it. Its place is kept until `ended`, or until the job is gone. */
  mayBegin({ metadata: { uid = '' }, status }: StreamJob): boolean {
    // What the operator has heard may be older than this job.
    if (isRollout(status?.operation)) return true
    const jobs = this.#jobs()
    const present = new Set(jobs.map(({ metadata }) => metadata.uid))
    for (const one of this.#admitted) if (!present.has(one)) this.#admitted.delete(one)
    const busy = new Set(this.#admitted)
    for (const other of jobs) if (isRollout(other.status?.operation)) busy.add(other.metadata.uid ?? '')
    if (!busy.has(uid) && busy.size >= this.#limit) return false
    this.#admitted.add(uid)
    return true
  }

  /** The pods that run this job are those that are wanted. */
  ended({ metadata: { uid = '' } }: StreamJob): void {
    this.#admitted.delete(uid)
  }
}

/** An edit that hangs is its author's affair and holds up no rollout. */
function isRollout(operation: Operation | null | undefined): boolean {
  return operation?.type === 'Upgrade' && operation.cause === 'operator'
}
