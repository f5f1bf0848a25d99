import { MillraceError } from '../../model/errors.ts'
import type { Connection } from '../../ports/net.ts'
import type { Ports } from '../../ports/ports.ts'
import { peerAt } from '../kit/host-and-port.ts'
import type { FlumeSinkOptions } from './declaration.ts'
import { answeredStatus, appendBatchCall, type FlumeEvent } from './flume-rpc.ts'
import { encodeNettyMessage, NettyReader } from './netty-frames.ts'

/** An answer is a handshake and a status, or an error with its trace. */
const MOST_ANSWER_BYTES = 1024 * 1024

type ClientPorts = Pick<Ports, 'plainNet' | 'clock' | 'secretFiles'>
type ClientOptions = Pick<FlumeSinkOptions, 'connect' | 'timeoutMs' | 'tls'>

interface OpenConnection {
  readonly server: string
  readonly connection: Connection
  /** Settles the call under way. */
  answered: (bytes: Buffer) => void
  failed: (error: Error) => void
  isAcquainted: boolean
}

/** Calls the Avro source of one agent at a time, and the next one after a failure. */
export class FlumeClient {
  readonly #ports: ClientPorts
  readonly #options: ClientOptions
  #open: OpenConnection | undefined
  #failures = 0
  #serial = 0

  constructor(ports: ClientPorts, options: ClientOptions) {
    this.#ports = ports
    this.#options = options
  }

  /** Resolves once the agent has taken all events. Rejects with FLUME_FAILED: nobody knows whether it has some. */
  async send(events: readonly FlumeEvent[]): Promise<void> {
    const open = (this.#open ??= await this.#connect())
    const isFirst = !open.isAcquainted
    try {
      const status = answeredStatus(await this.#call(open, appendBatchCall(events, isFirst)), isFirst)
      open.isAcquainted = true
      if (status === 'OK') return
      throw new Error('the agent answered FAILED: its channel may be full')
    } catch (cause) {
      this.close()
      this.#failures += 1
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new MillraceError('FLUME_FAILED', `${open.server}: ${reason}`, {
        domain: 'dependency',
        retriable: true,
        cause,
      })
    }
  }

  close(): void {
    this.#open?.connection.destroy()
    this.#open = undefined
  }

  async #connect(): Promise<OpenConnection> {
    const { connect, tls } = this.#options
    const server = connect[this.#failures % connect.length] ?? ''
    let connection: Connection
    try {
      connection = await this.#ports.plainNet.connect(await peerAt(server, tls, this.#ports.secretFiles))
    } catch (error) {
      this.#failures += 1
      throw error
    }
    const nothing = (): void => undefined
    const open: OpenConnection = { server, connection, answered: nothing, failed: nothing, isAcquainted: false }
    const answers = new NettyReader(MOST_ANSWER_BYTES)
    connection.onData((bytes) => {
      try {
        for (const { serial, bytes: answer } of answers.push(bytes)) if (serial === this.#serial) open.answered(answer)
      } catch (error) {
        open.failed(error instanceof Error ? error : new Error(String(error)))
      }
    })
    connection.onClose((error) => {
      if (this.#open === open) this.#open = undefined
      open.failed(error ?? new Error('the agent has closed the connection'))
    })
    return open
  }

  #call(open: OpenConnection, bytes: Buffer): Promise<Buffer> {
    const { timeoutMs } = this.#options
    return new Promise((resolve, reject) => {
      const cancel = this.#ports.clock.after(timeoutMs, () => {
        reject(new Error(`no answer within ${timeoutMs} ms`))
      })
      open.answered = (answer) => {
        cancel()
        resolve(answer)
      }
      open.failed = (error) => {
        cancel()
        reject(error)
      }
      this.#serial += 1
      open.connection.write(encodeNettyMessage({ serial: this.#serial, bytes }))
    })
  }
}
