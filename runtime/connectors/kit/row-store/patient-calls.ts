import type { Clock } from '../../../ports/clock.ts'
import type { Rng } from '../../../ports/rng.ts'
import { retrying, type RetryPolicy } from '../retry.ts'
import { TroubleReporter } from '../trouble-reporter.ts'

/** A server that dies is replaced by another one within a few seconds. */
export const PATIENCE_MS = 10_000
const NEVER = new AbortController().signal

/** Calls the servers of a store, and again while they cannot answer; then it rejects with what `policy` describes. */
export type PatientCall = <T>(doing: string, call: () => Promise<T>) => Promise<T>

export function patientCalls(
  { clock, rng }: { readonly clock: Clock; readonly rng: Rng },
  policy: RetryPolicy,
): PatientCall {
  // the caller of the store reports what it rejects with
  const trouble = new TroubleReporter(clock, { reportTrouble: () => undefined })
  return async (doing, call) => {
    try {
      return await retrying({ clock, rng, trouble, policy, signal: NEVER }, doing, PATIENCE_MS, call)
    } catch (error) {
      throw policy.describe(doing, error)
    }
  }
}
