import { constants, createDeflate, createInflate } from 'node:zlib'
import { sleep } from '../../ports/clock.ts'
import type { Connection } from '../../ports/net.ts'
import type { IntakeSurroundings } from '../kit/intake-surroundings.ts'
import { keepReceived } from '../kit/write-ahead-log/received-rows.ts'
import type { FlumeOptions } from './declaration.ts'
import { FlumeRequests, pingAnswer, statusAnswer, type FlumeEvent, type FlumeStatus } from './flume-rpc.ts'
import { encodeNettyMessage, flumeProtocol, NettyReader, type NettyMessage } from './netty-frames.ts'

/** An agent waits 20 s for an answer (request-timeout), and rests for seconds after FAILED. */
const FULL_PATIENCE_MS = 10_000
const FULL_MS = 50
/** An agent reads each answer, of some 30 bytes, before its next call: so much is unread by those that never read. */
const MOST_UNREAD_BYTES = 256 * 1024

/**
 * Takes the events of one agent into the log: OK says that all events of a call are kept, FAILED that the agent is to
 * send them again. A connection is not read while its events are being kept. Resolves when it has ended, with the error
 * if there was one.
 */
export function takeFromAgent(
  connection: Connection,
  options: Pick<FlumeOptions, 'compression' | 'metadata' | 'maxBatchBytes' | 'maxBatchEvents'>,
  { clock, intake, held, signal }: IntakeSurroundings,
): Promise<Error | undefined> {
  const messages = new NettyReader(options.maxBatchBytes)
  const requests = new FlumeRequests(options.maxBatchEvents)
  const keep = keepReceived(options.metadata)
  let failure: Error | undefined
  let working: Promise<void> = Promise.resolve()

  const fail = (error: unknown): void => {
    failure ??= error instanceof Error ? error : new Error(String(error))
    connection.destroy()
  }
  const share = held.share(fail)
  const wire: Wire = options.compression === 'deflate' ? deflated(connection, fail) : connection

  const keepEvents = async (events: readonly FlumeEvent[]): Promise<FlumeStatus> => {
    const receivedAt = clock.now()
    const entries = events.map(({ headers, body }) => ({
      metadata: keep({ receivedAt, sender: connection.remote, header: (name) => headers.get(name) ?? null }),
      value: body,
    }))
    if (entries.length === 0) return 'OK'
    try {
      while ((await intake.append(entries)) === 'full') {
        if (signal.aborted || clock.now() - receivedAt > FULL_PATIENCE_MS) return 'FAILED'
        await sleep(clock, FULL_MS)
      }
      return 'OK'
    } catch {
      // the log tells the user why; the agent keeps its events
      return 'FAILED'
    }
  }

  const answer = async ({ serial, bytes }: NettyMessage): Promise<void> => {
    const request = requests.decode(bytes)
    const body =
      request.kind === 'handshake'
        ? request.answer
        : request.kind === 'ping'
          ? pingAnswer(request.handshake)
          : statusAnswer(request.handshake, await keepEvents(request.events))
    wire.write(encodeNettyMessage({ serial, bytes: body }))
    if (wire.bufferedBytes > MOST_UNREAD_BYTES)
      throw flumeProtocol(`the sender does not read its answers: ${wire.bufferedBytes} bytes of them wait`)
  }

  wire.onData((bytes) => {
    if (failure !== undefined) return
    try {
      const whole = messages.push(bytes)
      share.holds(messages.unfinishedBytes)
      if (whole.length === 0) return
      wire.pause()
      for (const message of whole) working = working.then(() => (failure === undefined ? answer(message) : undefined))
      working = working.then(() => {
        wire.resume()
      }, fail)
    } catch (error) {
      fail(error)
    }
  })
  return new Promise((resolve) => {
    connection.onClose((error) => {
      share.end()
      failure ??= error
      void working.then(() => {
        resolve(failure)
      })
    })
  })
}

/** The messages of a connection, as they are before compression. */
type Wire = Pick<Connection, 'bufferedBytes' | 'write' | 'onData' | 'pause' | 'resume'>

/** `compression-type=deflate` of the agent: one zlib stream each way, flushed behind every message. */
function deflated(connection: Connection, fail: (error: unknown) => void): Wire {
  const inflate = createInflate({ flush: constants.Z_SYNC_FLUSH })
  const deflate = createDeflate({ flush: constants.Z_SYNC_FLUSH })
  inflate.on('error', fail)
  deflate.on('data', (bytes: Buffer) => {
    connection.write(bytes)
  })
  connection.onData((bytes) => {
    // what a few bytes unpack to is read before more is taken from the network
    if (inflate.write(Buffer.from(bytes))) return
    connection.pause()
    inflate.once('drain', () => {
      connection.resume()
    })
  })
  return {
    get bufferedBytes() {
      return deflate.writableLength + connection.bufferedBytes
    },
    write: (bytes) => void deflate.write(bytes),
    onData: (handle) => void inflate.on('data', handle),
    // the network is held back by what is not unpacked
    pause: () => void inflate.pause(),
    resume: () => void inflate.resume(),
  }
}
