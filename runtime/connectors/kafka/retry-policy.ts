import type { RetryPolicy } from '../kit/retry.ts'
import { KafkaBrokerError } from './client.ts'
import { KAFKA_ERROR } from './error-codes.ts'
import { asMillraceError, isRetriable } from './errors.ts'

/** The coordinator finishes the last transaction: normal for some ms after its end and never worth a longer wait. */
const CONCURRENT_WAIT_MS = 20

export function kafkaRetryPolicy(bootstrap: string): RetryPolicy {
  return {
    isRetriable,
    describe: (what, error) => asMillraceError(what, bootstrap, error),
    waitMs: (error) =>
      error instanceof KafkaBrokerError && error.errorCode === KAFKA_ERROR.CONCURRENT_TRANSACTIONS
        ? CONCURRENT_WAIT_MS
        : undefined,
    closedCode: 'KAFKA_CLOSED',
  }
}
