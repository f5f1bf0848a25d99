import { MillraceError } from '../../model/errors.ts'
import type { ServiceCall } from '../kit/service-call.ts'
import type { RetryPolicy } from '../kit/retry.ts'
import { HttpRefusal } from './refusal.ts'

/** How a service is called, of sources and sinks alike. */
export interface ServiceOptions extends ServiceCall {
  readonly url: string
}

export const servicePolicy: RetryPolicy = {
  isRetriable: (error) => error instanceof MillraceError && error.retriable,
  describe: (what, error) =>
    error instanceof MillraceError
      ? error
      : new MillraceError('HTTP_FAILED', `${what} failed`, { domain: 'bug', cause: error }),
  waitMs: (error) => (error instanceof HttpRefusal ? error.waitMs : undefined),
  closedCode: 'HTTP_CLOSED',
}
