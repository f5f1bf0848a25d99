import { reportDigest } from '../../runtime/control/report-digest.ts'
import type { JobReport } from '../../runtime/control/job-report.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { sleep } from '../../runtime/ports/clock.ts'
import { CoordinatorRefusal } from '../job-client.ts'
import type { JobClient, JobEndpoint } from '../job-client.ts'
import type { ObjectRef } from '../kube/kube.ts'

/** A coordinator that hangs is noticed after this time and the patience of the client. */
const WAIT_MS = 60_000
/** A coordinator that does not wait, or takes each digest for another one, is asked no more often. */
const AGAIN_MS = 3_000
/** A coordinator that says something else each time costs a pass in this time. */
const LEAST_LISTENING_MS = 1_000
const LEAST_REST_MS = 3_000
const LONGEST_REST_MS = 15 * 60_000

interface ListenerParts {
  jobClient: Pick<JobClient, 'reportUnlike'>
  clock: Clock
  /** Has a pass made over the job. */
  wake: (ref: ObjectRef) => void
  /** How many jobs there are. */
  jobs: () => number
  /** How many passes a second all jobs at rest together may cost. */
  passesPerSecond: number
}

interface Listening {
  endpoint: JobEndpoint
  digest: string
}

/**
 * Spares the API server and the coordinators the looks at jobs that are at rest. While nothing happens to a job, its
 * coordinator is listened to, and a pass is made when it says something else. Its object and its pods are watched
 * anyhow. Nothing is decided here, so nothing of it matters after a restart.
 */
export class Listener {
  readonly #parts: ListenerParts
  readonly #listening = new Map<string, Listening>()
  /** Coordinators of images that cannot be listened to, by job. */
  readonly #deaf = new Map<string, string>()
  #isStopped = false

  constructor(parts: ListenerParts) {
    this.#parts = parts
  }

  /**
   * After a pass that found the job at rest, with the report that it decided on. Gives the time after which another
   * pass is due even if nothing is heard: figures in the status are as old as that.
   */
  listen(ref: ObjectRef, endpoint: JobEndpoint, report: JobReport): number {
    const key = keyOf(ref)
    // A pass that was under way when listening ended.
    if (this.#isStopped || this.#deaf.get(key) === endpoint.host) return LEAST_REST_MS
    const digest = reportDigest(report)
    const known = this.#listening.get(key)
    if (known?.digest !== digest || known.endpoint.host !== endpoint.host || known.endpoint.token !== endpoint.token) {
      const listening = { endpoint, digest }
      this.#listening.set(key, listening)
      void this.#listen(ref, listening)
    }
    return this.restMs()
  }

  /** The time between two passes over a job at rest, of which nothing is heard. */
  restMs(): number {
    const share = (this.#parts.jobs() / this.#parts.passesPerSecond) * 1000
    return Math.min(Math.max(share, LEAST_REST_MS), LONGEST_REST_MS)
  }

  /** The job is not at rest: its passes look for themselves. */
  forget(ref: ObjectRef): void {
    this.#listening.delete(keyOf(ref))
    this.#deaf.delete(keyOf(ref))
  }

  stop(): void {
    this.#isStopped = true
    this.#listening.clear()
  }

  async #listen(ref: ObjectRef, listening: Listening): Promise<void> {
    const key = keyOf(ref)
    const { clock, wake } = this.#parts
    const mayWakeAt = clock.now() + LEAST_LISTENING_MS
    while (this.#listening.get(key) === listening) {
      const askAgainAt = clock.now() + AGAIN_MS
      const heard = await this.#hear(listening)
      const restMs = (heard === 'same' ? askAgainAt : mayWakeAt) - clock.now()
      // Longer only when the clock of the machine was set back.
      if (restMs > 0) await sleep(clock, Math.min(restMs, AGAIN_MS))
      if (heard === 'same') continue
      if (this.#listening.get(key) !== listening) return
      if (heard === 'deaf') this.#deaf.set(key, listening.endpoint.host)
      this.#listening.delete(key)
      wake(ref)
    }
  }

  /**
   * A coordinator runs its user's image and may answer anything. Whatever goes wrong is the next pass's to find and to
   * report: it reads the same report again.
   */
  async #hear({ endpoint, digest }: Listening): Promise<'same' | 'changed' | 'deaf'> {
    try {
      const report = await this.#parts.jobClient.reportUnlike(endpoint, { digest, waitMs: WAIT_MS })
      return report === undefined || reportDigest(report) === digest ? 'same' : 'changed'
    } catch (error) {
      return error instanceof CoordinatorRefusal ? 'deaf' : 'changed'
    }
  }
}

function keyOf({ namespace, name }: ObjectRef): string {
  return `${namespace}/${name}`
}
