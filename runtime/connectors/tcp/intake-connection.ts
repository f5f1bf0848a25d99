import type { Connection } from '../../ports/net.ts'
import { MillraceError } from '../../model/errors.ts'
import { sleep } from '../../ports/clock.ts'
import type { IntakeSurroundings } from '../kit/intake-surroundings.ts'
import type { LogEntry } from '../kit/write-ahead-log/log-frame.ts'
import { keepReceived } from '../kit/write-ahead-log/received-rows.ts'
import { acknowledgement } from './acknowledgements.ts'
import type { TcpSourceOptions } from './declaration.ts'
import { FrameReader } from './frames.ts'

/** A sender reads what is acknowledged before it sends much more: so much is unread by those that never read. */
const MOST_UNREAD_BYTES = 256 * 1024
/** How soon a full log is asked again. */
const FULL_MS = 100

/**
 * Takes what comes over one connection into the log. It is not read while what came before is being kept, so that a log
 * that is slow or full holds the sender back. Resolves when the connection has ended, with the error if there was one.
 */
export function takeFrom(
  connection: Connection,
  options: Pick<TcpSourceOptions, 'framing' | 'acknowledge' | 'metadata' | 'maxRecordBytes'>,
  { clock, logger, intake, held, signal }: IntakeSurroundings,
): Promise<Error | undefined> {
  const frames = new FrameReader(options.framing, options.maxRecordBytes)
  const keep = keepReceived(options.metadata)
  let kept = 0
  let keeping: Promise<void> = Promise.resolve()
  let failure: Error | undefined

  const fail = (error: unknown): void => {
    failure ??= error instanceof Error ? error : new Error(String(error))
    connection.destroy()
  }
  const share = held.share(fail)

  const keepAll = async (entries: readonly LogEntry[]): Promise<void> => {
    while (!signal.aborted && failure === undefined && (await intake.append(entries)) === 'full')
      await sleep(clock, FULL_MS)
    if (signal.aborted || failure !== undefined) return
    kept += entries.length
    if (options.acknowledge === 'count') connection.write(acknowledgement(kept))
    if (connection.bufferedBytes > MOST_UNREAD_BYTES)
      throw new MillraceError('FLOOD', 'the sender does not read what is acknowledged', { domain: 'dependency' })
  }

  connection.onData((bytes) => {
    if (failure !== undefined) return
    try {
      const values = frames.push(bytes)
      share.holds(frames.unfinishedBytes)
      if (values.length === 0) return
      const metadata = keep({ receivedAt: clock.now(), sender: connection.remote, header: () => null })
      connection.pause()
      keeping = keeping
        .then(() => keepAll(values.map((value) => ({ metadata, value }))))
        .then(() => {
          connection.resume()
        }, fail)
    } catch (error) {
      fail(error)
    }
  })

  return new Promise((resolve) => {
    connection.onClose((error) => {
      share.end()
      const { unfinishedBytes } = frames
      if (unfinishedBytes > 0)
        logger.warn('a connection ended within a record, which is left out', {
          sender: connection.remote,
          bytes: unfinishedBytes,
        })
      failure ??= error
      // what was read is kept, whether the sender hears of it or not
      void keeping.then(() => {
        resolve(failure)
      })
    })
  })
}
