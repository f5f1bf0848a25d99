import { MillraceError } from '../../model/errors.ts'
import { sleep } from '../../ports/clock.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Rng } from '../../ports/rng.ts'
import { KafkaBrokerError } from '../kafka/client.ts'
import { KAFKA_ERROR } from '../kafka/error-codes.ts'
import { asMillraceError, isRetriable } from '../kafka/errors.ts'

const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 2000
/** The coordinator finishes the last transaction: normal for some ms after its end, never worth a longer wait. */
const CONCURRENT_WAIT_MS = 20
/** Trouble shorter than this is a change of leader or coordinator and not worth a word to the user. */
const QUIET_MS = 3000

/** Back-off with jitter: doubling from 50 ms to 2 s. */
export class Backoff {
  #waitMs = FIRST_WAIT_MS

  reset(): void {
    this.#waitMs = FIRST_WAIT_MS
  }

  nextMs(rng: Rng): number {
    const wait = this.#waitMs * (0.5 + rng.next() / 2)
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS)
    return wait
  }
}

/** Tells the user about trouble that lasts, once, and when it is over. */
export class TroubleReporter {
  readonly #clock: Clock
  readonly #report: (error: Error | null) => void
  #lastSuccess: number
  #reported = false

  constructor(clock: Clock, report: (error: Error | null) => void) {
    this.#clock = clock
    this.#report = report
    this.#lastSuccess = clock.now()
  }

  works(): void {
    this.#lastSuccess = this.#clock.now()
    if (!this.#reported) return
    this.#reported = false
    this.#report(null)
  }

  /** Between a pause of the caller and its next call nothing was tried, so nothing was in trouble. */
  starts(): void {
    if (!this.#reported) this.#lastSuccess = this.#clock.now()
  }

  fails(error: Error): void {
    if (this.#clock.now() - this.#lastSuccess < QUIET_MS) return
    this.#reported = true
    this.#report(error)
  }
}

export interface RetryEnvironment {
  clock: Clock
  rng: Rng
  trouble: TroubleReporter
  bootstrap: string
  /** Once aborted, the call or the pause under way is left alone and KAFKA_CLOSED is thrown. */
  signal: AbortSignal
}

/**
 * Repeats `call` while it fails for reasons that pass, for at most `patienceMs`; then the last error is thrown and
 * the job is started again from its checkpoint. KafkaBrokerErrors that are final are thrown as they are, so that the
 * caller can tell them apart.
 */
export async function retrying<T>(
  environment: RetryEnvironment,
  what: string,
  patienceMs: number,
  call: () => Promise<T>,
): Promise<T> {
  const { clock, rng, trouble, signal } = environment
  const backoff = new Backoff()
  const deadline = clock.now() + patienceMs
  trouble.starts()
  for (;;) {
    try {
      const result = await unlessAborted(signal, what, call)
      trouble.works()
      return result
    } catch (error) {
      if (signal.aborted || !isRetriable(error)) throw error
      const known = asMillraceError(what, environment.bootstrap, error)
      trouble.fails(known)
      if (clock.now() >= deadline) throw known
      const isConcurrent = error instanceof KafkaBrokerError && error.errorCode === KAFKA_ERROR.CONCURRENT_TRANSACTIONS
      await unlessAborted(signal, what, () => sleep(clock, isConcurrent ? CONCURRENT_WAIT_MS : backoff.nextMs(rng)))
    }
  }
}

/** What `act` gives, or KAFKA_CLOSED as soon as the signal is aborted; `act` then goes on unheard. */
function unlessAborted<T>(signal: AbortSignal, what: string, act: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      reject(
        new MillraceError('KAFKA_CLOSED', `${what} was given up: the connector is closed`, {
          domain: 'platform',
          retriable: true,
        }),
      )
    }
    if (signal.aborted) {
      giveUp()
      return
    }
    signal.addEventListener('abort', giveUp, { once: true })
    act()
      .then(resolve, reject)
      .finally(() => {
        signal.removeEventListener('abort', giveUp)
      })
  })
}
