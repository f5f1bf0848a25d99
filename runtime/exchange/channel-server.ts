import { MillraceError } from '../model/errors.ts'
import type { Attempt } from '../model/ids.ts'
import type { Connection, Listener, Net, NetAddress } from '../ports/net.ts'
import type { ChannelWriter } from './channel-writer.ts'
import { encodeFrame, FrameDecoder, type ChannelHello } from './frame.ts'

/** A hello is a few names and numbers. */
const MAX_HELLO_BYTES = 64 * 1024

/** The channels one subtask offers in one attempt. */
export interface OfferedChannels {
  jobUid: string
  attempt: Attempt
  /** The writer of the channel a consumer asks for; undefined when there is none of that name. */
  find(exchange: string, producerSlot: number, consumerSlot: number): ChannelWriter | undefined
}

/**
 * The data port of a worker. A consumer of the offered attempt is attached; one of an older attempt is refused
 * aloud; one of a newer attempt waits until that attempt is offered here.
 */
export class ChannelServer {
  #listener: Listener | undefined
  #offer: OfferedChannels | undefined
  /** The newest attempt this worker has been fenced for. */
  #seen: Attempt = 0
  readonly #early = new Map<Connection, ChannelHello>()
  readonly #onRejected: (error: Error) => void

  constructor(onRejected: (error: Error) => void) {
    this.#onRejected = onRejected
  }

  async listen(net: Net, address: NetAddress): Promise<NetAddress> {
    this.#listener = await net.listen(address, (connection) => {
      this.#onConnection(connection)
    })
    return this.#listener.address
  }

  /** From here on older attempts are refused. */
  fence(attempt: Attempt): void {
    this.#seen = Math.max(this.#seen, attempt)
    if (this.#offer && this.#offer.attempt < this.#seen) this.#offer = undefined
    for (const [connection, hello] of this.#early) if (hello.attempt < this.#seen) this.#refuse(connection)
  }

  offer(channels: OfferedChannels): void {
    this.fence(channels.attempt)
    this.#offer = channels
    for (const [connection, hello] of this.#early) this.#route(connection, hello)
  }

  #onConnection(connection: Connection): void {
    const decoder = new FrameDecoder(MAX_HELLO_BYTES)
    let greeted = false
    connection.onClose(() => {
      this.#early.delete(connection)
    })
    connection.onData((bytes) => {
      try {
        decoder.push(bytes, (frame) => {
          if (frame.kind !== 'hello' || greeted)
            throw new MillraceError('FRAME_CORRUPT', `${connection.remote} sent a ${frame.kind} where a hello was due`)
          greeted = true
          this.#route(connection, frame.hello)
        })
      } catch (error) {
        connection.destroy()
        this.#onRejected(error instanceof Error ? error : new Error(String(error)))
      }
    })
  }

  #route(connection: Connection, hello: ChannelHello): void {
    if (hello.attempt < this.#seen) {
      this.#refuse(connection)
      return
    }
    if (this.#offer?.attempt !== hello.attempt) {
      this.#early.set(connection, hello)
      return
    }
    this.#early.delete(connection)
    const writer =
      hello.jobUid === this.#offer.jobUid
        ? this.#offer.find(hello.exchange, hello.producerSlot, hello.consumerSlot)
        : undefined
    if (!writer) {
      connection.destroy()
      this.#onRejected(
        new MillraceError(
          'CHANNEL_UNKNOWN',
          `${connection.remote} asked for channel ${hello.exchange} ${hello.producerSlot}→${hello.consumerSlot} of job ${hello.jobUid}, which is not offered here`,
        ),
      )
      return
    }
    writer.attach(connection)
  }

  #refuse(connection: Connection): void {
    this.#early.delete(connection)
    connection.write(encodeFrame({ kind: 'refused', seen: this.#seen }))
    connection.end()
  }

  async close(): Promise<void> {
    for (const connection of this.#early.keys()) connection.destroy()
    await this.#listener?.close()
  }
}
