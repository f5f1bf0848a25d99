import { MAX_UNPACKED_BYTES } from '../../model/decoding-limits.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Connection } from '../../ports/net.ts'
import { PulsarServerError, SERVER_ERROR, unreachable } from './errors.ts'
import type { Command, MessageId } from './protocol/commands.ts'
import { encodeFrame, FRAME_PADDING, FrameReader, pulsarProtocol, type Frame } from './protocol/frames.ts'

const CLIENT_VERSION = 'Millrace'
/** That of Pulsar 2.8, whose commands are used here. */
const PROTOCOL_VERSION = 19
/** A broker that says nothing of its limit has this one. */
const DEFAULT_MESSAGE_BYTES = 5 * 1024 * 1024
const HANDSHAKE_MS = 5_000
const REQUEST_MS = 8_000
/** A broker that was silent for so long is asked for a sign of life, and given up when it is silent for as long again. */
const SILENCE_MS = 15_000

/** How a client shows who it is: the name of the method, and what it says. */
export interface Login {
  readonly method: string
  readonly data: Buffer
}

/** Receives messages of a broker to one consumer. */
export interface ConsumerEvents {
  /** `rest` is the entry, undecoded. */
  onEntry(id: MessageId, rest: Buffer): void
  /** The broker or the connection is gone; nothing else follows. */
  onClosed(reason: Error): void
}

/** Receives messages of a broker to one producer. */
export interface ProducerEvents {
  onReceipt(sequenceId: number): void
  onRefused(sequenceId: number, error: PulsarServerError): void
  onClosed(reason: Error): void
}

/** A command that is answered, without the id of the request. */
export type Request = Omit<Command, 'type'>
/** Builds the command of a request from its id. */
type RequestOf = (requestId: number) => Request

interface Waiting {
  resolve(answer: Command): void
  reject(error: Error): void
}

export interface ConnectionParts {
  /** host:port, for messages. */
  readonly address: string
  readonly connection: Connection
  /** Called for the handshake, and again when the broker wants a fresh login. */
  readonly login: () => Promise<Login | undefined>
  /** The broker that a proxy is to connect to. */
  readonly proxyTo?: string | undefined
  readonly clock: Clock
}

/**
 * One connection to a broker or proxy: the handshake, requests and their answers, signs of life, and what the broker
 * sends to consumers and producers. Source: "Binary protocol" of Pulsar's documentation, ClientCnx.java of apache/pulsar.
 */
export class PulsarConnection {
  readonly address: string
  /** The longest message that the broker takes, in bytes. */
  maxMessageBytes = DEFAULT_MESSAGE_BYTES
  readonly #connection: Connection
  readonly #login: () => Promise<Login | undefined>
  readonly #clock: Clock
  readonly #frames = new FrameReader(DEFAULT_MESSAGE_BYTES + FRAME_PADDING)
  readonly #waiting = new Map<number, Waiting>()
  readonly #consumers = new Map<number, ConsumerEvents>()
  readonly #producers = new Map<number, ProducerEvents>()
  #onConnected: Waiting | undefined
  #nextRequest = 1
  #failure: Error | undefined
  #isHeard = true
  #stopHeartbeat: () => void = () => undefined

  private constructor({ address, connection, login, clock }: ConnectionParts) {
    this.address = address
    this.#connection = connection
    this.#login = login
    this.#clock = clock
    connection.onData((bytes) => {
      this.#take(bytes)
    })
    connection.onClose((error) => {
      this.#fail(error ?? new Error('the connection was closed'))
    })
  }

  /** Shakes hands over a fresh connection. Rejects with PULSAR_UNREACHABLE or PULSAR_PROTOCOL, or as the broker refuses. */
  static async open(parts: ConnectionParts): Promise<PulsarConnection> {
    const opened = new PulsarConnection(parts)
    try {
      const login = await parts.login()
      await opened.#handshake(login, parts.proxyTo)
    } catch (error) {
      opened.close()
      throw error
    }
    opened.#heartbeat()
    return opened
  }

  get isOpen(): boolean {
    return this.#failure === undefined
  }

  /** Sends a command and resolves with its answer. Rejects with a PulsarServerError or PULSAR_UNREACHABLE. */
  request(of: RequestOf): Promise<Command> {
    const id = this.#nextRequest++
    return this.#answered(REQUEST_MS, (waiting) => {
      this.#waiting.set(id, waiting)
      this.send(encodeFrame(of(id)))
    }).finally(() => this.#waiting.delete(id))
  }

  /** Sends a frame that is answered to a consumer or producer, or not at all. */
  send(frame: Buffer): void {
    if (this.isOpen) this.#connection.write(frame)
  }

  /** From now on `events` has what the broker sends to this consumer; the returned function ends that. */
  addConsumer(id: number, events: ConsumerEvents): () => void {
    this.#consumers.set(id, events)
    return () => this.#consumers.delete(id)
  }

  /** As addConsumer. */
  addProducer(id: number, events: ProducerEvents): () => void {
    this.#producers.set(id, events)
    return () => this.#producers.delete(id)
  }

  close(): void {
    this.#fail(new Error('the connection was closed here'))
  }

  async #handshake(login: Login | undefined, proxyToBrokerUrl: string | undefined): Promise<void> {
    const answer = await this.#answered(HANDSHAKE_MS, (waiting) => {
      this.#onConnected = waiting
      const connect = {
        clientVersion: CLIENT_VERSION,
        protocolVersion: PROTOCOL_VERSION,
        features: { refreshesLogin: true },
        proxyToBrokerUrl,
        ...(login === undefined ? {} : { authMethod: login.method, authData: login.data }),
      }
      this.send(encodeFrame({ connect }))
    })
    this.#onConnected = undefined
    const { maxMessageSize = DEFAULT_MESSAGE_BYTES } = answer.connected ?? {}
    this.maxMessageBytes = Math.min(Math.max(0, maxMessageSize), MAX_UNPACKED_BYTES)
    this.#frames.limit = Math.max(DEFAULT_MESSAGE_BYTES, this.maxMessageBytes) + FRAME_PADDING
  }

  #answered(patienceMs: number, ask: (waiting: Waiting) => void): Promise<Command> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(unreachable(this.address, this.#failure))
        return
      }
      // a broker that does not answer is of no more use: what it did is not known
      const cancel = this.#clock.after(patienceMs, () => {
        this.#fail(new Error(`no answer within ${patienceMs} ms`))
      })
      ask({
        resolve: (answer) => {
          cancel()
          resolve(answer)
        },
        reject: (error) => {
          cancel()
          reject(error)
        },
      })
    })
  }

  #heartbeat(): void {
    let hasAsked = false
    const look = (): void => {
      if (this.#isHeard) hasAsked = false
      else if (hasAsked) {
        this.#fail(new Error(`nothing was heard for ${2 * SILENCE_MS} ms`))
        return
      } else {
        hasAsked = true
        this.send(encodeFrame({ ping: {} }))
      }
      this.#isHeard = false
      this.#stopHeartbeat = this.#clock.after(SILENCE_MS, look)
    }
    look()
  }

  #take(bytes: Uint8Array): void {
    this.#isHeard = true
    try {
      for (const frame of this.#frames.push(bytes)) if (this.isOpen) this.#handle(frame)
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #handle({ command, rest }: Frame): void {
    if (command.message !== undefined) {
      const { consumerId, messageId } = command.message
      if (messageId === undefined) throw pulsarProtocol('an entry without an id')
      this.#consumers.get(consumerId ?? -1)?.onEntry(messageId, rest)
    } else if (command.sendReceipt !== undefined) {
      const { producerId, sequenceId } = command.sendReceipt
      this.#producers.get(producerId ?? -1)?.onReceipt(sequenceId ?? -1)
    } else if (command.sendError !== undefined) {
      const { producerId, sequenceId, error, message } = command.sendError
      this.#producers.get(producerId ?? -1)?.onRefused(sequenceId ?? -1, refusal(error, message))
    } else if (command.ping !== undefined) this.send(encodeFrame({ pong: {} }))
    else if (command.closeConsumer !== undefined)
      this.#closed(this.#consumers, command.closeConsumer.consumerId, 'consumer')
    else if (command.closeProducer !== undefined)
      this.#closed(this.#producers, command.closeProducer.producerId, 'producer')
    else if (command.authChallenge !== undefined) this.#loginAgain()
    else this.#answer(command)
  }

  /** The broker gives the topic away: where it is now is looked up again. */
  #closed(all: Map<number, ConsumerEvents | ProducerEvents>, id: number | undefined, what: string): void {
    const events = all.get(id ?? -1)
    all.delete(id ?? -1)
    events?.onClosed(unreachable(this.address, new Error(`the broker closed the ${what}`)))
  }

  #answer(command: Command): void {
    const { connected, error } = command
    if (connected !== undefined) {
      this.#onConnected?.resolve(command)
      return
    }
    const found =
      command.success ??
      error ??
      command.producerSuccess ??
      command.partitionsAnswer ??
      command.lookupAnswer ??
      command.lastMessageIdAnswer ??
      command.topicsOfNamespaceAnswer
    // other commands are of no concern to a client that does not know them
    if (found === undefined) return
    // a refused handshake answers to request -1, which never was one
    const waiting = this.#waiting.get(found.requestId ?? -1) ?? (error === undefined ? undefined : this.#onConnected)
    const refused = error ?? command.partitionsAnswer ?? command.lookupAnswer
    if (refused?.error === undefined) waiting?.resolve(command)
    else waiting?.reject(refusal(refused.error, refused.message))
  }

  #loginAgain(): void {
    this.#login().then(
      (login) => {
        const response = { method: login?.method ?? 'none', data: login?.data ?? Buffer.alloc(0) }
        const authResponse = { clientVersion: CLIENT_VERSION, response, protocolVersion: PROTOCOL_VERSION }
        this.send(encodeFrame({ authResponse }))
      },
      (error: unknown) => {
        this.#fail(error instanceof Error ? error : new Error(String(error)))
      },
    )
  }

  #fail(cause: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = cause
    this.#stopHeartbeat()
    this.#connection.destroy()
    const error = cause instanceof MillraceError ? cause : unreachable(this.address, cause)
    const waiting = [...this.#waiting.values(), ...(this.#onConnected === undefined ? [] : [this.#onConnected])]
    const served = [...this.#consumers.values(), ...this.#producers.values()]
    this.#waiting.clear()
    this.#consumers.clear()
    this.#producers.clear()
    for (const { reject } of waiting) reject(error)
    for (const { onClosed } of served) onClosed(error)
  }
}

function refusal(code: number | undefined, words: string | undefined): PulsarServerError {
  return new PulsarServerError(code ?? SERVER_ERROR.unknown, words ?? 'no reason given')
}
