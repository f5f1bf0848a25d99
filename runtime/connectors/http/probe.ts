import { callService } from '../kit/service-call.ts'
import type { ProbeContext } from '../sink.ts'
import { HttpRefusal } from './refusal.ts'
import type { ServiceOptions } from './service.ts'

type Context = Pick<ProbeContext, 'ports' | 'stopping'>

/** Asks for what a source polls. Rejects as HttpClient does, and with HTTP_REFUSED. */
export async function probePolled(options: ServiceOptions, { ports, stopping }: Context): Promise<string> {
  const answer = await callService(ports, options, get(options, stopping))
  if (answer.status !== 200) throw new HttpRefusal(options.url, answer, ports.clock.now())
  return `${new URL(options.url).host} answers`
}

/**
 * Sends no row: a GET, which changes nothing (RFC 9110, 9.2.1), shows whether the service answers and takes the login.
 * Few services that take rows have an answer to it, so most of what they say counts as one.
 */
export async function probeReceiver(options: ServiceOptions, { ports, stopping }: Context): Promise<string> {
  const answer = await callService(ports, options, get(options, stopping))
  if (REFUSALS.has(answer.status)) throw new HttpRefusal(options.url, answer, ports.clock.now())
  return `${new URL(options.url).host} answers; no row was sent`
}

/** The login, or that of a proxy, is missing or not enough. */
const REFUSALS: ReadonlySet<number> = new Set([401, 403, 407])

function get({ url }: ServiceOptions, signal: AbortSignal) {
  return { method: 'GET', url, headers: {}, signal } as const
}
