import { clipped } from '../../model/clipped.ts'
import { MillraceError } from '../../model/errors.ts'
import type { HttpAnswer } from '../../ports/http-client.ts'

/** Answers that say "later": Request Timeout, Too Early, Too Many Requests (RFC 9110, RFC 8470, RFC 6585). */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429])
/** A service that asks for more is asked again all the same. */
const LONGEST_WAIT_MS = 300_000

/** An answer that is no success; `waitMs` is how long the service asked to wait. */
export class HttpRefusal extends MillraceError {
  readonly waitMs: number | undefined

  constructor(url: string, { status, body, headers }: HttpAnswer, now: number) {
    const words = body.trim() === '' ? '' : `: ${clipped(body.trim())}`
    const isForbidden = status === 401 || status === 403
    super('HTTP_REFUSED', `${placeOf(url)} answered ${status}${words}`, {
      domain: isForbidden || status === 404 ? 'user' : 'dependency',
      retriable: status >= 500 || PASSING.has(status),
      ...(isForbidden ? { hint: 'auth names the login of the job.' } : {}),
    })
    this.waitMs = retryAfterMs(headers?.['retry-after'], now)
  }
}

/** The query may hold what nobody else should read. */
function placeOf(url: string): string {
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}

/** Seconds or a date (RFC 9110, 10.2.3). */
export function retryAfterMs(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_WAIT_MS)
}
