import { describeWithCauses, MillraceError } from '../model/errors.ts'
import type { Attempt } from '../model/ids.ts'
import { isSameSecret } from '../model/same-secret.ts'
import type { Clock } from '../ports/clock.ts'
import { MAX_PROOF_BYTES, StrangerLimit } from '../ports/stranger-limit.ts'
import { WaitingPeers, type Patience } from '../ports/waiting-peers.ts'
import type { Connection, Listener, Net, NetAddress } from '../ports/net.ts'
import type { ChannelWriter } from './channel-writer.ts'
import { encodeFrame, FrameDecoder, type ChannelHello } from './frame.ts'

/**
 * The most consumers that wait for an attempt at once, and how long. A job has about a thousand subtasks at most, and
 * the coordinator ends an attempt that has not started after a minute.
 */
const EARLY: Patience = { most: 4096, ms: 120_000, yet: 'been offered the attempt that it asks for' }

/** The channels one subtask offers in one attempt. */
export interface OfferedChannels {
  jobUid: string
  attempt: Attempt
  /** The writer of the channel a consumer asks for; undefined when there is none of that name. */
  find(exchange: string, producerSlot: number, consumerSlot: number): ChannelWriter | undefined
}

/**
 * The data port of a worker. A consumer proves with its first frame that it is of this job. One of the offered attempt
 * is attached, one of an older attempt is refused aloud. One of the attempt for which this worker has been fenced, or
 * of the next one, waits until that is offered here; nobody has a reason to ask for a later one.
 */
export class ChannelServer {
  #listener: Listener | undefined
  #offer: OfferedChannels | undefined
  /** The newest attempt this worker has been fenced for. */
  #seen: Attempt = 0
  readonly #early = new Map<Connection, ChannelHello>()
  readonly #waiting: WaitingPeers<Connection>
  readonly #token: string
  readonly #strangers: StrangerLimit
  readonly #onRejected: (error: Error) => void

  constructor(parts: { token: string; clock: Clock; onRejected(error: Error): void }) {
    this.#token = parts.token
    this.#onRejected = (error) => {
      parts.onRejected(error)
    }
    this.#strangers = new StrangerLimit(parts.clock, (remote, reason, others) => {
      this.#onRejected(
        new MillraceError(
          'CHANNEL_REFUSED',
          `${remote}: ${reason}${others === 0 ? '' : `; ${others} other connections were refused`}`,
        ),
      )
    })
    this.#waiting = new WaitingPeers(parts.clock, EARLY, (connection, reason) => {
      this.#early.delete(connection)
      this.#strangers.report(connection.remote, reason)
    })
  }

  async listen(net: Net, address: NetAddress): Promise<NetAddress> {
    this.#listener = await this.#strangers.listen(net, address, (connection) => {
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
    const decoder = new FrameDecoder(MAX_PROOF_BYTES)
    let greeted = false
    connection.onClose(() => {
      this.#strangers.forget(connection)
      this.#forget(connection)
    })
    connection.onData((bytes) => {
      try {
        decoder.push(bytes, (frame) => {
          if (frame.kind !== 'hello' || greeted)
            throw new MillraceError('FRAME_CORRUPT', `${connection.remote} sent a ${frame.kind} where a hello was due`)
          greeted = true
          this.#greet(connection, frame.hello)
        })
      } catch (error) {
        this.#strangers.refuse(connection, describeWithCauses(error))
      }
    })
  }

  #greet(connection: Connection, hello: ChannelHello): void {
    if (!isSameSecret(hello.token, this.#token)) {
      this.#strangers.refuse(connection, "it does not know the job's token")
      return
    }
    this.#strangers.forget(connection)
    if (hello.attempt <= this.#seen + 1) this.#route(connection, hello)
    else this.#strangers.refuse(connection, `it asks for attempt ${hello.attempt}, the newest here is ${this.#seen}`)
  }

  #route(connection: Connection, hello: ChannelHello): void {
    if (hello.attempt < this.#seen) {
      this.#refuse(connection)
      return
    }
    if (this.#offer?.attempt !== hello.attempt) {
      if (this.#early.has(connection)) return
      this.#early.set(connection, hello)
      this.#waiting.admit(connection)
      return
    }
    this.#forget(connection)
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
    try {
      writer.attach(connection)
    } catch (error) {
      // the channel has a consumer, which is not to suffer from another one
      this.#strangers.report(connection.remote, describeWithCauses(error))
    }
  }

  #forget(connection: Connection): void {
    this.#early.delete(connection)
    this.#waiting.forget(connection)
  }

  #refuse(connection: Connection): void {
    this.#forget(connection)
    connection.write(encodeFrame({ kind: 'refused', seen: this.#seen }))
    connection.end()
  }

  async close(): Promise<void> {
    this.#strangers.close()
    this.#waiting.close()
    await this.#listener?.close()
  }
}
