import { DEFAULT_HEARTBEAT_TIMEOUT_MS, SilenceWatch } from '../control/silence-watch.ts'
import { onMessages, sendMessage } from '../control/json-lines.ts'
import type { CoordinatorMessage, WorkerMessage } from '../control/messages.ts'
import { describeWithCauses } from '../model/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Connection, Net, NetAddress } from '../ports/net.ts'
import { sleep } from '../ports/clock.ts'

const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 2_000

/**
 * The worker's control connection. It reconnects whenever the connection is lost; the worker itself continues
 * meanwhile. Messages sent while there is no connection are dropped: a coordinator that comes back starts a new
 * attempt.
 */
export class CoordinatorLink {
  readonly #net: Net
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #address: NetAddress
  readonly #heartbeatTimeoutMs: number
  readonly #greeting: () => WorkerMessage
  readonly #onMessage: (message: CoordinatorMessage) => void
  #connection: Connection | undefined
  #closed = false

  constructor(parts: {
    net: Net
    clock: Clock
    logger: Logger
    address: NetAddress
    /** A coordinator that says nothing for so long is connected to again. */
    heartbeatTimeoutMs?: number | undefined
    /** The `register` message, asked for at each connection. */
    greeting: () => WorkerMessage
    onMessage: (message: CoordinatorMessage) => void
  }) {
    this.#net = parts.net
    this.#clock = parts.clock
    this.#logger = parts.logger
    this.#address = parts.address
    this.#heartbeatTimeoutMs = parts.heartbeatTimeoutMs ?? DEFAULT_HEARTBEAT_TIMEOUT_MS
    this.#greeting = parts.greeting
    this.#onMessage = parts.onMessage
  }

  send(message: WorkerMessage): void {
    if (this.#connection) sendMessage(this.#connection, message)
  }

  /** Runs until close. */
  async run(): Promise<void> {
    let retryMs = FIRST_RETRY_MS
    while (!this.#closed) {
      try {
        const connection = await this.#net.connect(this.#address)
        retryMs = FIRST_RETRY_MS
        await this.#serve(connection)
      } catch (error) {
        this.#logger.debug('coordinator not reached', {
          address: `${this.#address.host}:${this.#address.port}`,
          reason: describeWithCauses(error),
        })
      }
      if (this.#closed) return
      await sleep(this.#clock, retryMs)
      retryMs = Math.min(LAST_RETRY_MS, retryMs * 2)
    }
  }

  #serve(connection: Connection): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closed) {
        connection.destroy()
        resolve()
        return
      }
      this.#connection = connection
      const silence = new SilenceWatch(this.#clock, this.#heartbeatTimeoutMs, () => {
        connection.destroy()
      })
      connection.onClose(() => {
        silence.stop()
        if (this.#connection === connection) this.#connection = undefined
        resolve()
      })
      onMessages(connection, {
        onMessage: (message) => {
          silence.heard()
          if (this.#connection === connection) this.#onMessage(message as CoordinatorMessage)
        },
        onError: (error) => {
          this.#logger.warn('control connection broken', { reason: describeWithCauses(error) })
        },
      })
      sendMessage(connection, this.#greeting())
    })
  }

  close(): void {
    this.#closed = true
    this.#connection?.destroy()
  }
}
