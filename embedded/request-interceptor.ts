import type { RequestInfo } from './request-info.ts'

/** One request for objects, as the interceptor of a test sees it: before anything was done. */
export interface ApiCall extends RequestInfo {
  /** Counts the calls of each user from 0, so that a test can name "the k-th call of the operator". */
  index: number
  user: string
}

/**
 * What is done to a call instead of serving it.
 * - `refuse`: answered with an error, nothing was done.
 * - `drop-request`: the connection is cut, nothing was done.
 * - `drop-reply`: the call is carried out and the connection cut before the answer; `after` runs in between.
 */
export type Fault =
  | { kind: 'refuse'; httpCode: number; reason: string; message: string; retryAfterSeconds?: number }
  | { kind: 'drop-request' }
  | { kind: 'drop-reply'; after?: () => void }

/**
 * Called for every call for objects over HTTP. May wait, and may kill the caller before it returns. Undefined:
 * serve it.
 */
export type RequestInterceptor = (call: ApiCall) => Fault | undefined | Promise<Fault | undefined>
