import { onMessages, sendMessage } from '../control/json-lines.ts'
import type { CoordinatorMessage, WorkerMessage } from '../control/messages.ts'
import { describeWithCauses } from '../model/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Connection, Net, NetAddress } from '../ports/net.ts'
import { sleep } from '../ports/clock.ts'

/** How long a coordinator may be silent before the worker reconnects. */
const SILENCE_MS = 10_000
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
  readonly #greeting: () => WorkerMessage
  readonly #onMessage: (message: CoordinatorMessage) => void
  #connection: Connection | undefined
  #lastHeardAt = 0
  #closed = false

  constructor(parts: {
    net: Net
    clock: Clock
    logger: Logger
    address: NetAddress
    /** The `register` message, asked for at each connection. */
    greeting: () => WorkerMessage
    onMessage: (message: CoordinatorMessage) => void
  }) {
    this.#net = parts.net
    this.#clock = parts.clock
    this.#logger = parts.logger
    this.#address = parts.address
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
      this.#lastHeardAt = this.#clock.now()
      const cancel = this.#watchSilence(connection)
      connection.onClose(() => {
        cancel()
        if (this.#connection === connection) this.#connection = undefined
        resolve()
      })
      onMessages(connection, {
        onMessage: (message) => {
          this.#lastHeardAt = this.#clock.now()
          if (this.#connection === connection) this.#onMessage(message as CoordinatorMessage)
        },
        onError: (error) => {
          this.#logger.warn('control connection broken', { reason: describeWithCauses(error) })
        },
      })
      sendMessage(connection, this.#greeting())
    })
  }

  #watchSilence(connection: Connection): () => void {
    let cancel = (): void => undefined
    const check = (): void => {
      if (this.#clock.now() - this.#lastHeardAt >= SILENCE_MS) {
        connection.destroy()
        return
      }
      cancel = this.#clock.after(SILENCE_MS / 4, check)
    }
    cancel = this.#clock.after(SILENCE_MS / 4, check)
    return () => {
      cancel()
    }
  }

  close(): void {
    this.#closed = true
    this.#connection?.destroy()
  }
}
