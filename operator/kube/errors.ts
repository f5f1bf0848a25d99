import { MillraceError } from '../../runtime/model/errors.ts'
import type { ErrorDomain } from '../../runtime/model/errors.ts'

/**
 * A call to the API server that did not succeed. `status` is the HTTP status, 0 when no answer came;
 * `reason` is Kubernetes' own word (`NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, …).
 */
export class KubeError extends MillraceError {
  readonly status: number
  readonly reason: string
  /** What the server asked us to wait, if it did. */
  readonly retryAfterMs: number | undefined
  /** The server's own words, without what was asked of it. */
  readonly words: string

  constructor(
    message: string,
    answer: { status: number; reason: string; words?: string; retryAfterMs?: number; cause?: unknown },
  ) {
    super(`KUBE_${answer.reason.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()}`, message, {
      domain: domainOf(answer.status),
      retriable: answer.status === 0 || answer.status === 429 || answer.status >= 500,
      ...(answer.cause === undefined ? {} : { cause: answer.cause }),
    })
    this.name = 'KubeError'
    this.status = answer.status
    this.reason = answer.reason
    this.words = answer.words ?? message
    this.retryAfterMs = answer.retryAfterMs
  }
}

function domainOf(status: number): ErrorDomain {
  if (status === 400 || status === 422) return 'bug'
  return 'platform'
}

export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404
}

/** Somebody else changed the object, or a precondition did not hold. AlreadyExists is not a conflict. */
export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409 && error.reason !== 'AlreadyExists'
}

export function isAlreadyExists(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409 && error.reason === 'AlreadyExists'
}

/** What is read, or undefined when it is not there. */
export async function unlessNotFound<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** What the server that has answered with this error asked us to wait (`Retry-After`); 0 when it did not. */
export function askedToWaitMs(error: unknown): number {
  return error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0
}

/** The header `Retry-After` in whole seconds, as the API server writes it. */
export function retryAfterMs(header: string | string[] | undefined): { retryAfterMs?: number } {
  const seconds = typeof header === 'string' ? Number(header) : NaN
  return Number.isFinite(seconds) ? { retryAfterMs: seconds * 1000 } : {}
}
