import type { RetryPolicy } from '../kit/retry.ts'
import { asMillraceError, isRetriable } from './errors.ts'

export function pulsarRetryPolicy(serviceUrl: string): RetryPolicy {
  return {
    isRetriable,
    describe: (what, error) => asMillraceError(what, serviceUrl, error),
    closedCode: 'PULSAR_CLOSED',
  }
}
