import type { TlsFiles } from '../../model/tls-files.ts'
import type { Connection } from '../../ports/net.ts'
import { readTlsMaterial } from '../../ports/tls-material.ts'
import type { ReaderContext } from '../source.ts'
import { HeldBytes } from './held-bytes.ts'
import { MOST_HELD_BYTES, type IntakeSurroundings } from './intake-surroundings.ts'
import type { Intake, Receiver } from './write-ahead-log/reception.ts'

/** Resolves when a connection has ended and what it sent is kept, with the error if there was one. */
type TakeFrom = (connection: Connection, surroundings: IntakeSurroundings) => Promise<Error | undefined>

/** Serves every connection that senders make, up to so many at once. Rejects with LISTEN_FAILED. */
export async function listenForSenders(
  { port, maxConnections, tls }: { port: number; maxConnections: number; tls: TlsFiles | undefined },
  context: ReaderContext,
  intake: Intake,
  take: TakeFrom,
): Promise<Receiver> {
  const { logger, clock, plainNet, secretFiles } = context.ports
  const closing = new AbortController()
  const held = new HeldBytes(MOST_HELD_BYTES)
  const surroundings = { clock, logger, intake, held, signal: closing.signal }
  const open = new Set<Connection>()
  const admit = (connection: Connection): void => {
    if (open.size >= maxConnections) {
      logger.warn('a connection was refused: there are too many', { sender: connection.remote, most: open.size })
      connection.destroy()
      return
    }
    open.add(connection)
    void take(connection, surroundings).then((error) => {
      open.delete(connection)
      if (error !== undefined && !closing.signal.aborted)
        logger.warn('a connection has failed', { sender: connection.remote, reason: error.message })
    })
  }
  const listener = await plainNet.listen(
    {
      host: context.host,
      port,
      shared: context.parallelism > 1,
      tls: tls && (() => readTlsMaterial(tls, secretFiles)),
    },
    admit,
  )
  return {
    async close() {
      closing.abort()
      await listener.close()
    },
  }
}
