import { MillraceError } from '../../model/errors.ts'
import { sleep } from '../../ports/clock.ts'
import { Backoff } from '../kit/backoff.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import type { Intake, Receiver } from '../kit/write-ahead-log/reception.ts'
import type { ReaderContext } from '../source.ts'
import type { TcpSourceOptions } from './declaration.ts'
import { peerAt } from '../kit/host-and-port.ts'
import { HeldBytes } from '../kit/held-bytes.ts'
import { MOST_HELD_BYTES, type IntakeSurroundings } from '../kit/intake-surroundings.ts'
import { takeFrom } from './intake-connection.ts'

/** Connects to the servers of this slot, and again whenever a connection has ended. */
export function connectToServers(
  servers: readonly string[],
  options: TcpSourceOptions,
  context: ReaderContext,
  intake: Intake,
): Receiver {
  const { logger, clock } = context.ports
  const closing = new AbortController()
  const held = new HeldBytes(MOST_HELD_BYTES)
  const surroundings = { clock, logger, intake, held, signal: closing.signal }
  const mine = servers.filter((_, index) => index % context.parallelism === context.slot)
  const running = mine.map((server) => follow(server, options, context, surroundings))
  return {
    async close() {
      closing.abort()
      await Promise.all(running)
    },
  }
}

async function follow(
  server: string,
  options: TcpSourceOptions,
  context: ReaderContext,
  surroundings: IntakeSurroundings,
): Promise<void> {
  const { clock, rng, plainNet, secretFiles } = context.ports
  const { signal } = surroundings
  const trouble = new TroubleReporter(clock, context)
  let backoff = new Backoff()
  while (!signal.aborted) {
    const askedAt = clock.now()
    try {
      const connection = await plainNet.connect(await peerAt(server, options.tls, secretFiles))
      const abort = (): void => {
        connection.destroy()
      }
      signal.addEventListener('abort', abort, { once: true })
      if (signal.aborted) connection.destroy()
      trouble.answered(clock.now() - askedAt)
      backoff = new Backoff()
      const error = await takeFrom(connection, options, surroundings)
      signal.removeEventListener('abort', abort)
      if (error !== undefined) trouble.fails(failed(server, error))
    } catch (error) {
      trouble.fails(failed(server, error))
    }
    if (!signal.aborted) await sleep(clock, backoff.nextMs(rng))
  }
}

function failed(server: string, cause: unknown): MillraceError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new MillraceError('TCP_FAILED', `${server}: ${reason}`, { domain: 'dependency', retriable: true, cause })
}
