import { MillraceError } from '../../model/errors.ts'
import { sleep } from '../../ports/clock.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Rng } from '../../ports/rng.ts'
import { Backoff } from './backoff.ts'
import type { TroubleReporter } from './trouble-reporter.ts'

/** How one outside system fails. */
export interface RetryPolicy {
  /** True when the same call may succeed later. */
  isRetriable(error: unknown): boolean
  /** The error that the user sees while a retriable error lasts, and when patience ends. */
  describe(what: string, error: unknown): MillraceError
  /** The wait after an error that has its own rhythm; undefined: the back-off decides. */
  waitMs?(error: unknown): number | undefined
  /** Code of the error for a call that was given up because the connector is closed. */
  closedCode: string
}

/** A try that goes on for longer is reported meanwhile: its own time limit may be far off, and users wait for a reason. */
const SILENT_MS = 12_000

export interface RetryEnvironment {
  clock: Clock
  rng: Rng
  trouble: TroubleReporter
  policy: RetryPolicy
  /** Once it is aborted, the call or pause under way is given up with the policy's `closedCode`. */
  signal: AbortSignal
}

/**
 * Repeats `call` while it fails for reasons that pass, for at most `patienceMs`; then the last error is thrown and
 * the job restarts from its checkpoint. Errors that are not retriable are thrown unchanged, so that the caller can
 * tell them apart.
 */
export async function retrying<T>(
  environment: RetryEnvironment,
  what: string,
  patienceMs: number,
  call: () => Promise<T>,
): Promise<T> {
  const { clock, rng, trouble, policy, signal } = environment
  const backoff = new Backoff()
  const deadline = clock.now() + patienceMs
  trouble.starts()
  for (;;) {
    const startedAt = clock.now()
    try {
      const result = await unlessAborted(environment, what, () => reportingSilence(environment, what, call))
      trouble.answered(clock.now() - startedAt)
      return result
    } catch (error) {
      if (signal.aborted || !policy.isRetriable(error)) throw error
      const known = policy.describe(what, error)
      trouble.fails(known)
      if (clock.now() >= deadline) throw known
      await unlessAborted(environment, what, () => sleep(clock, policy.waitMs?.(error) ?? backoff.nextMs(rng)))
    }
  }
}

function reportingSilence<T>({ clock, trouble }: RetryEnvironment, what: string, call: () => Promise<T>): Promise<T> {
  const cancel = clock.after(SILENT_MS, () => {
    trouble.isSlow(
      new MillraceError('NO_ANSWER_YET', `${what} has taken ${SILENT_MS / 1000} s and goes on`, {
        domain: 'dependency',
        retriable: true,
      }),
    )
  })
  return call().finally(cancel)
}

/** The result of `act`, or `closedCode` as soon as the signal is aborted; the result of `act` is then ignored. */
function unlessAborted<T>({ signal, policy }: RetryEnvironment, what: string, act: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      reject(
        new MillraceError(policy.closedCode, `${what} was cancelled: the connector is closed`, {
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
