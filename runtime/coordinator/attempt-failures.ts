import { MillraceError, type ErrorDomain } from '../model/errors.ts'
import type { CheckpointTimes } from './periodic-checkpoints.ts'

/**
 * How many attempts in a row the same error may end, with no checkpoint completed between, before it ends the job. What
 * may pass without anyone's help (`retriable`) never does: the store, Kafka or a worker may come back after any time.
 * A mistake in the job shows soon; files and state that are gone may lie on a volume that comes back; errors that
 * nobody foresaw get the longest trial, about six minutes with the waits between. Flink's `exponential-delay` goes
 * on for ever and its
 * `fixed-delay` counts every failure alike.
 */
const ATTEMPTS: Readonly<Record<ErrorDomain, number>> = { user: 3, platform: 5, dependency: 10, bug: 30 }

const ATTEMPTS_OF_CODE: ReadonlyMap<string, number> = new Map([
  // Retriable, but only ever the end of an attempt when its last checkpoint or its savepoint was not taken in time.
  ['CHECKPOINT_TIMEOUT', 10],
  // The whole input has been read: the same records are as bad the next time.
  ['TOO_MANY_BAD_RECORDS', 1],
])

/** From so many attempts on that crashed in a row, sources read more slowly with each one. */
const CRASH_LOOP = 3
const SMALLEST_SHARE = 1 / 16
/** An error that ends a job after so many attempts is seen soon enough. */
const FEW_ATTEMPTS = 10
/** In a crash loop the first checkpoint comes this soon: the job has made progress once it is complete. */
const EARLY_CHECKPOINT_MS = 1_000

const FIRST_WAIT_MS = 100
const LAST_WAIT_MS = 15_000

/** How many attempts this error may end before it ends the job. */
export function attemptsFor(error: Error): number {
  if (!(error instanceof MillraceError)) return ATTEMPTS.bug
  const ofCode = ATTEMPTS_OF_CODE.get(error.code)
  if (ofCode !== undefined) return ofCode
  return error.retriable ? Infinity : ATTEMPTS[error.domain]
}

/**
 * The errors that ended attempts since the last completed checkpoint, counted by code. An error that makes several
 * workers fail shows once as itself and once as the connection that it broke, so codes are counted apart.
 */
export class AttemptFailures {
  readonly #counts = new Map<string, number>()
  #crashes = 0
  #last: Error | undefined
  #waitMs = FIRST_WAIT_MS
  #hopeless = false

  /** True when one of the errors has come back too often: no further attempt is to be made until `forget`. */
  get isHopeless(): boolean {
    return this.#hopeless
  }

  add(error: Error): void {
    const code = error instanceof MillraceError ? error.code : error.name
    const count = (this.#counts.get(code) ?? 0) + 1
    this.#counts.set(code, count)
    if (count >= attemptsFor(error)) this.#hopeless = true
  }

  /** As add, for an attempt that ran. What is away outside ends attempts, too; reading more slowly brings it not back. */
  addCrash(error: Error): void {
    this.add(error)
    if (error instanceof MillraceError && error.domain === 'dependency') return
    this.#crashes += 1
    this.#last = error
  }

  /** What share of the time sources are to read in the next attempt. */
  get readingShare(): number {
    return this.#crashes < CRASH_LOOP ? 1 : Math.max(SMALLEST_SHARE, 2 ** (CRASH_LOOP - 1 - this.#crashes))
  }

  /** When the next attempt takes its checkpoints. */
  checkpointTimes(intervalMs: number): CheckpointTimes {
    return {
      intervalMs,
      firstMs: this.#crashes < CRASH_LOOP ? intervalMs : Math.min(intervalMs, EARLY_CHECKPOINT_MS),
    }
  }

  /** To be shown while an attempt runs and between two; undefined when there is no crash loop. */
  get crashLoop(): MillraceError | undefined {
    if (this.#crashes < CRASH_LOOP) return undefined
    const why = this.#last instanceof MillraceError ? this.#last : undefined
    const code = why === undefined ? '' : ` [${why.code}]`
    const last = this.#last === undefined ? '' : ` The last one: ${this.#last.message}${code}`
    return new MillraceError(
      'CRASH_LOOP',
      `${this.#crashes} attempts in a row ended before a checkpoint was complete: sources read for 1/${1 / this.readingShare} of the time until one is.${last}`,
      {
        domain: 'platform',
        retriable: true,
        hint: why?.hint ?? 'When workers run out of memory, raise their limit or spread the job over more replicas.',
      },
    )
  }

  /** The same between two attempts, where an error that soon ends the job is told itself. */
  get crashLoopBetween(): MillraceError | undefined {
    const endsSoon = this.#last !== undefined && attemptsFor(this.#last) <= FEW_ATTEMPTS
    return endsSoon ? undefined : this.crashLoop
  }

  /** A checkpoint is complete, or something else is wanted: what was before says nothing about what comes. */
  forget(): void {
    this.#counts.clear()
    this.#crashes = 0
    this.#last = undefined
    this.#waitMs = FIRST_WAIT_MS
    this.#hopeless = false
  }

  /** How long to wait before the next attempt: twice as long each time. */
  nextWaitMs(): number {
    const waitMs = this.#waitMs
    this.#waitMs = Math.min(LAST_WAIT_MS, waitMs * 2)
    return waitMs
  }
}
