import { MillraceError } from '../../model/errors.ts'
import type { RetryPolicy } from './retry.ts'

/** For sources that listen: a port that another process still has may be free in a moment. */
export const listenPolicy: RetryPolicy = {
  isRetriable: (error) => error instanceof MillraceError,
  describe: (what, error) =>
    error instanceof MillraceError
      ? error
      : new MillraceError('LISTEN_FAILED', what, { domain: 'platform', cause: error }),
  closedCode: 'SOURCE_CLOSED',
}
