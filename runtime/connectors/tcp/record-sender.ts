import { MillraceError } from '../../model/errors.ts'
import { sleep } from '../../ports/clock.ts'
import type { Connection } from '../../ports/net.ts'
import { Backoff } from '../kit/backoff.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import type { SinkContext } from '../sink.ts'
import { AcknowledgementReader } from './acknowledgements.ts'
import type { TcpSinkOptions } from './declaration.ts'
import { peerAt } from '../kit/host-and-port.ts'

/** Above it the job waits. */
const MOST_UNCONFIRMED_BYTES = 4 * 1024 * 1024
/** Then the attempt ends, and the job restarts from its checkpoint. */
const PATIENCE_MS = 600_000
const LOOK_MS = 100

type SenderOptions = Pick<TcpSinkOptions, 'connect' | 'tls' | 'acknowledge' | 'timeoutMs'>
type SenderContext = Pick<SinkContext, 'ports' | 'reportTrouble'>

/**
 * Sends frames in order over one connection at a time. A frame is confirmed once the receiver has acknowledged it, or,
 * where it acknowledges nothing, once the kernel has it. What was acknowledged is never sent again; of a connection that
 * acknowledges nothing nobody knows what arrived, so that its end is the end of the attempt.
 */
export class RecordSender {
  readonly #options: SenderOptions
  readonly #context: SenderContext
  readonly #trouble: TroubleReporter
  readonly #backoff = new Backoff()
  /** Frames that are not confirmed, in order; the first `#written` of them went over this connection. */
  #frames: Buffer[] = []
  #unconfirmedBytes = 0
  #written = 0
  #confirmedHere = 0
  #connection: Connection | undefined
  /** From the first try on until the connection that it gave has ended. */
  #hasConnection = false
  #wake: () => void = () => undefined
  /** Connections that could not be made or have ended: the next server is tried after each. */
  #failures = 0
  /** The receiver may lose what was sent since the last checkpoint. */
  #isExposed = false
  /** When a frame was last confirmed, or the first of those that are not was given. */
  #confirmedAt = 0
  #connectedAt = 0
  #failure: Error | undefined
  #closed = false

  constructor(options: SenderOptions, context: SenderContext) {
    this.#options = options
    this.#context = context
    this.#trouble = new TroubleReporter(context.ports.clock, context)
  }

  /** Resolves once there is room for more. Rejects with TCP_FAILED when the receiver is away for too long, with
   * HTTP_FORBIDDEN where a job has no business. */
  async send(frames: readonly Buffer[]): Promise<void> {
    if (frames.length === 0) return
    if (this.#frames.length === 0) {
      this.#trouble.starts()
      this.#confirmedAt = this.#context.ports.clock.now()
    }
    this.#frames.push(...frames)
    for (const { length } of frames) this.#unconfirmedBytes += length
    this.#writeWaiting()
    await this.#until(() => this.#unconfirmedBytes <= MOST_UNCONFIRMED_BYTES)
  }

  /** Resolves once everything is confirmed. */
  async flushed(): Promise<void> {
    await this.#until(() => this.#frames.length === 0)
    this.#isExposed = false
  }

  close(): void {
    this.#closed = true
    this.#connection?.destroy()
  }

  async #until(done: () => boolean): Promise<void> {
    const { clock } = this.#context.ports
    while (!done()) {
      this.#ensureConnection()
      const changed = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      await Promise.race([changed, sleep(clock, LOOK_MS)])
      this.#checkProgress()
      if (this.#failure !== undefined) throw this.#failure
      if (this.#closed) throw failed(this.#options.connect.join(', '), new Error('the sink is closed'))
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  #ensureConnection(): void {
    if (this.#hasConnection) return
    this.#hasConnection = true
    void this.#connect()
  }

  /** Connects to one server after the other until one answers; what is not confirmed then goes there. */
  async #connect(): Promise<void> {
    const { clock, rng, plainNet, secretFiles } = this.#context.ports
    while (!this.#closed && this.#failure === undefined) {
      // a server that accepts and ends connections is asked no faster than one that refuses them
      if (this.#failures > 0) await sleep(clock, this.#backoff.nextMs(rng))
      const server = this.#options.connect[this.#failures % this.#options.connect.length] ?? ''
      try {
        this.#adopt(server, await plainNet.connect(await peerAt(server, this.#options.tls, secretFiles)))
        return
      } catch (error) {
        this.#failures += 1
        if (error instanceof MillraceError && error.domain === 'user') this.#failure ??= error
        else this.#onTrouble(server, error)
      }
    }
    this.#wake()
  }

  #adopt(server: string, connection: Connection): void {
    const answers = new AcknowledgementReader()
    this.#connection = connection
    this.#written = 0
    this.#confirmedHere = 0
    this.#connectedAt = this.#context.ports.clock.now()
    connection.onData((bytes) => {
      if (this.#connection !== connection || this.#options.acknowledge === 'none') return
      try {
        this.#confirm(answers.push(bytes, this.#confirmedHere + this.#written))
      } catch (error) {
        this.#onTrouble(server, error)
        connection.destroy()
      }
    })
    connection.onDrain(() => {
      this.#writeWaiting()
    })
    connection.onClose((error) => {
      if (this.#connection !== connection) return
      this.#connection = undefined
      this.#hasConnection = false
      // what the kernel took may not have been read: nobody knows, and the rows since the checkpoint are sent again
      this.#isExposed ||= this.#confirmedHere > 0
      this.#onLost(server, error ?? new Error('the receiver has closed the connection'))
    })
    if (this.#closed) connection.destroy()
    else this.#writeWaiting()
  }

  #writeWaiting(): void {
    const connection = this.#connection
    while (connection !== undefined && this.#written < this.#frames.length && connection.bufferedBytes === 0) {
      const waiting = Buffer.concat(this.#frames.slice(this.#written))
      const count = this.#confirmedHere + this.#frames.length
      this.#written = this.#frames.length
      this.#isExposed = true
      if (this.#options.acknowledge === 'count') connection.write(waiting)
      else
        connection.write(waiting, () => {
          if (this.#connection === connection) this.#confirm(count)
        })
    }
  }

  /** So many frames of this connection are confirmed by now. */
  #confirm(count: number): void {
    const confirmed = this.#frames.splice(0, count - this.#confirmedHere)
    if (confirmed.length === 0) return
    for (const { length } of confirmed) this.#unconfirmedBytes -= length
    this.#written -= confirmed.length
    this.#confirmedHere = count
    this.#confirmedAt = this.#context.ports.clock.now()
    this.#backoff.reset()
    this.#trouble.works()
    this.#writeWaiting()
    this.#wake()
  }

  #checkProgress(): void {
    if (this.#connection === undefined || this.#frames.length === 0) return
    const { timeoutMs } = this.#options
    if (this.#context.ports.clock.now() - Math.max(this.#confirmedAt, this.#connectedAt) <= timeoutMs) return
    this.#onTrouble(this.#connection.remote, new Error(`nothing was taken within ${timeoutMs} ms`))
    this.#connection.destroy()
  }

  #onLost(server: string, error: Error): void {
    if (this.#closed) return
    this.#failures += 1
    this.#wake()
    if (this.#options.acknowledge === 'none' && this.#isExposed) this.#failure ??= failed(server, error)
    else this.#onTrouble(server, error)
  }

  #onTrouble(server: string, error: unknown): void {
    const known = failed(server, error)
    this.#trouble.fails(known)
    if (this.#frames.length > 0 && this.#context.ports.clock.now() - this.#confirmedAt > PATIENCE_MS)
      this.#failure ??= known
  }
}

function failed(server: string, cause: unknown): MillraceError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new MillraceError('TCP_FAILED', `${server}: ${reason}`, { domain: 'dependency', retriable: true, cause })
}
