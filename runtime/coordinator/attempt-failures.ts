import { MillraceError, type ErrorDomain } from '../model/errors.ts'

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

  /** A checkpoint is complete, or something else is wanted: what was before says nothing about what comes. */
  forget(): void {
    this.#counts.clear()
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
