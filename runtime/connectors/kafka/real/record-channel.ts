import type { Connection, Writer } from '@platformatic/kafka'
import type { Socket } from 'node:net'
import { MillraceError } from '../../../model/errors.ts'
import type { KafkaFrameBuffers } from './frame-buffers.ts'

/** The head of a frame: its length without these four bytes, and the number that ties an answer to its request. */
const HEAD_BYTES = 8
const LENGTH_BYTES = 4
/** A broker sends a few MB at a time; a longer frame is not a frame. */
const MAX_FRAME_BYTES = 256 * 1024 * 1024
const NO_TAGS = 0

interface Pending {
  resolve(body: Buffer): void
  reject(error: unknown): void
  timer: NodeJS.Timeout
}

/**
 * The requests that carry records, on a connection that platformatic has opened and authenticated. Its own way copies
 * every batch into a fresh request and every answer out of a list of pieces; here batches go to the socket as they
 * are and an answer is put together once, in a buffer of its length. That was a quarter of the CPU of a job from
 * Kafka to Kafka, most of it garbage collection. Whatever is not an answer to a request of this channel is handed
 * on to platformatic, byte by byte as it came: re-authentication among it. Its requests are numbered upwards from
 * 1, these downwards from -1.
 */
export class KafkaRecordChannel {
  readonly #socket: Socket
  readonly #clientId: string
  readonly #timeoutMs: number
  readonly #buffers: KafkaFrameBuffers
  readonly #library: readonly Function[]
  readonly #pending = new Map<number, Pending>()
  #lastNumber = 0
  /** The first bytes of the frame that is arriving. */
  readonly #head = Buffer.alloc(HEAD_BYTES)
  #headBytes = 0
  /** The frame that is arriving, without its head: who gets it, its buffer, the bytes there and the bytes missing. */
  #owner: Pending | 'library' | 'nobody' = 'nobody'
  #body: Buffer | undefined
  #bodyBytes = 0
  #missing = 0

  /** The connection is connected and nothing has been asked of it that was not answered. */
  constructor(
    connection: Pick<Connection, 'socket' | 'on'>,
    clientId: string,
    timeoutMs: number,
    buffers: KafkaFrameBuffers,
  ) {
    const socket = connection.socket as Socket
    this.#socket = socket
    this.#clientId = clientId
    this.#timeoutMs = timeoutMs
    this.#buffers = buffers
    this.#library = socket.listeners('data')
    socket.removeAllListeners('data')
    socket.on('data', (bytes: Buffer) => {
      this.#take(bytes)
    })
    connection.on('close', () => {
      this.#end(new Error('the connection was closed'))
    })
  }

  /**
   * Sends one request and resolves with the answer from the tags of its header on, in a buffer taken from
   * `buffers`. The payload's buffers may not change before. Rejects when the connection ends or nothing of the
   * answer comes for `timeoutMs`: then it is of no more use.
   */
  request({ key, version }: { key: number; version: number }, payload: Writer): Promise<Buffer> {
    if (this.#socket.destroyed) return Promise.reject(new Error('the connection is closed'))
    const number = this.#nextNumber()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(number)
        if (this.#owner === pending) this.#abandon()
        reject(new Error(`no answer within ${this.#timeoutMs} ms`))
      }, this.#timeoutMs)
      const pending = { resolve, reject, timer }
      this.#pending.set(number, pending)
      this.#socket.cork()
      this.#socket.write(this.#requestHead(key, version, number, payload.length))
      for (const part of payload.buffers) this.#socket.write(part)
      this.#socket.uncork()
    })
  }

  #nextNumber(): number {
    this.#lastNumber = this.#lastNumber === -(2 ** 31) ? -1 : this.#lastNumber - 1
    return this.#lastNumber
  }

  /** Length, then the request header of version 2. */
  #requestHead(key: number, version: number, number: number, payloadBytes: number): Buffer {
    const clientId = Buffer.from(this.#clientId)
    const head = Buffer.alloc(LENGTH_BYTES + 2 + 2 + 4 + 2 + clientId.length + 1)
    head.writeInt32BE(head.length - LENGTH_BYTES + payloadBytes, 0)
    head.writeInt16BE(key, 4)
    head.writeInt16BE(version, 6)
    head.writeInt32BE(number, 8)
    head.writeInt16BE(clientId.length, 12)
    clientId.copy(head, 14)
    head[head.length - 1] = NO_TAGS
    return head
  }

  #take(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && !this.#socket.destroyed; ) {
      if (this.#headBytes < HEAD_BYTES) {
        const taken = bytes.copy(this.#head, this.#headBytes, at, at + HEAD_BYTES - this.#headBytes)
        this.#headBytes += taken
        at += taken
        if (this.#headBytes < HEAD_BYTES || !this.#begin()) continue
      }
      const taken = Math.min(this.#missing, bytes.length - at)
      if (this.#body !== undefined) this.#takeBody(bytes.subarray(at, at + taken))
      else if (this.#owner === 'library') this.#handOn(bytes.subarray(at, at + taken))
      at += taken
      this.#missing -= taken
      if (this.#missing === 0) this.#finish()
    }
  }

  /** A whole head is there. False when nothing of the frame is still to come. */
  #begin(): boolean {
    const length = this.#head.readInt32BE(0)
    const number = this.#head.readInt32BE(LENGTH_BYTES)
    if (length < HEAD_BYTES - LENGTH_BYTES || length > MAX_FRAME_BYTES) {
      const error = new MillraceError(
        'KAFKA_FRAME_CORRUPT',
        `an answer of ${length} bytes cannot be; at most ${MAX_FRAME_BYTES} are taken`,
        { domain: 'dependency', retriable: true },
      )
      this.#end(error)
      this.#socket.destroy(error)
      return false
    }
    this.#missing = length - (HEAD_BYTES - LENGTH_BYTES)
    // An answer that nobody waits for any more is one that was late.
    this.#owner = number > 0 ? 'library' : (this.#pending.get(number) ?? 'nobody')
    if (this.#owner === 'library') this.#handOn(Buffer.from(this.#head))
    else if (this.#owner !== 'nobody') {
      this.#pending.delete(number)
      this.#body = this.#buffers.take(this.#missing)
      this.#bodyBytes = 0
    }
    if (this.#missing === 0) this.#finish()
    return this.#missing > 0
  }

  #finish(): void {
    const [owner, body] = [this.#owner, this.#body]
    this.#headBytes = 0
    this.#owner = 'nobody'
    this.#body = undefined
    if (typeof owner === 'string' || body === undefined) return
    clearTimeout(owner.timer)
    owner.resolve(body)
  }

  /** The rest of the frame is read and left. */
  #abandon(): void {
    this.#owner = 'nobody'
    this.#body = undefined
  }

  /** A long answer on a slow line is not late while it arrives. */
  #takeBody(piece: Buffer): void {
    if (typeof this.#owner !== 'string') this.#owner.timer.refresh()
    if (this.#body !== undefined) this.#bodyBytes += piece.copy(this.#body, this.#bodyBytes)
  }

  #handOn(bytes: Buffer): void {
    for (const listener of this.#library) Reflect.apply(listener, this.#socket, [bytes])
  }

  #end(error: Error): void {
    const waiting = [...this.#pending.values()]
    if (typeof this.#owner !== 'string') waiting.push(this.#owner)
    this.#pending.clear()
    this.#owner = 'nobody'
    for (const { reject, timer } of waiting) {
      clearTimeout(timer)
      reject(error)
    }
  }
}
