import { MillraceError } from '../model/errors.ts'
import type { Connection } from '../ports/net.ts'
import { encodeFrame, type Frame } from './frame.ts'
import { frameBuffers } from './frame-buffers.ts'

/** Bytes in flight on one channel above which its producer waits: bounds memory and alignment. */
const MAX_IN_FLIGHT_BYTES = 512 * 1024

/**
 * The producer's end of one channel. Frames written before the consumer has connected wait here; `isFull`
 * says that the producer must stop, and `onWritable` (set by the owner) that it may go on.
 */
export class ChannelWriter {
  #connection: Connection | undefined
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #failure: Error | undefined
  readonly #name: string
  readonly #onChange: () => void

  constructor(name: string, onChange: () => void) {
    this.#name = name
    this.#onChange = onChange
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  /** Called once, when the consumer has said hello. */
  attach(connection: Connection): void {
    if (this.#connection) {
      connection.destroy()
      throw new MillraceError(
        'CHANNEL_TAKEN',
        `channel ${this.#name} has a consumer already: ${this.#connection.remote}`,
      )
    }
    this.#connection = connection
    connection.onDrain(this.#onChange)
    connection.onClose((error) => {
      this.#failure ??= new MillraceError('CHANNEL_LOST', `channel ${this.#name} to ${connection.remote} was closed`, {
        domain: 'platform',
        retriable: true,
        cause: error,
      })
      this.#onChange()
    })
    for (const bytes of this.#waiting) send(connection, bytes)
    this.#waiting = []
    this.#waitingBytes = 0
    this.#onChange()
  }

  /** The frame is copied. */
  write(frame: Frame): void {
    const bytes = encodeFrame(frame)
    if (this.#connection) {
      send(this.#connection, bytes)
      return
    }
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
  }

  get isFull(): boolean {
    return (this.#connection ? this.#connection.bufferedBytes : this.#waitingBytes) > MAX_IN_FLIGHT_BYTES
  }

  /** Writes that wait for room fail, also when the consumer has never connected. */
  close(): void {
    this.#failure ??= new MillraceError('CHANNEL_CLOSED', `channel ${this.#name} was closed by its producer`, {
      domain: 'platform',
      retriable: true,
    })
    this.#connection?.destroy()
    this.#onChange()
  }
}

function send(connection: Connection, bytes: Uint8Array): void {
  connection.write(bytes, () => {
    frameBuffers.give(bytes)
  })
}
