import { MillraceError } from '../../model/errors.ts'
import { ByteQueue } from '../kit/byte-queue.ts'

/**
 * Messages of Avro RPC over TCP (NettyTransportCodec.java of apache/avro): a serial number, the number of buffers, then
 * each buffer with its length before it; all numbers are 4 bytes, big-endian. An answer has the serial of its request.
 */
export interface NettyMessage {
  readonly serial: number
  readonly bytes: Buffer
}

const HEAD_BYTES = 8
const LENGTH_BYTES = 4
/** Java writes buffers of 8 KiB; empty ones beyond any sense are an attack. */
const MOST_BUFFERS = 100_000

export function encodeNettyMessage({ serial, bytes }: NettyMessage): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + LENGTH_BYTES + bytes.length)
  frame.writeInt32BE(serial, 0)
  frame.writeInt32BE(1, 4)
  frame.writeInt32BE(bytes.length, HEAD_BYTES)
  bytes.copy(frame, HEAD_BYTES + LENGTH_BYTES)
  return frame
}

/** Cuts the bytes of one connection into messages, however they come. */
export class NettyReader {
  readonly #maxBytes: number
  readonly #queue = new ByteQueue()
  /** How far the first message was walked through: the next length is there. */
  #at = HEAD_BYTES
  #buffersLeft: number | undefined
  #bodyBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes of a message whose end has not come. */
  get unfinishedBytes(): number {
    return this.#queue.length
  }

  /** The messages that are whole now; they are the caller's. Throws FLUME_PROTOCOL, and the connection is of no more use. */
  push(bytes: Uint8Array): NettyMessage[] {
    this.#queue.append(bytes)
    const messages: NettyMessage[] = []
    while (this.#walk()) messages.push(this.#take())
    return messages
  }

  /** True when the first message is whole. */
  #walk(): boolean {
    const { bytes } = this.#queue
    if (bytes.length < HEAD_BYTES) return false
    this.#buffersLeft ??= this.#countAt(4)
    while (this.#buffersLeft > 0) {
      if (this.#at + LENGTH_BYTES > bytes.length) return false
      const length = bytes.readInt32BE(this.#at)
      if (length < 0 || this.#bodyBytes + length > this.#maxBytes)
        throw flumeProtocol(`a message of ${this.#bodyBytes} + ${length} bytes is longer than ${this.#maxBytes}`)
      if (this.#at + LENGTH_BYTES + length > bytes.length) return false
      this.#at += LENGTH_BYTES + length
      this.#bodyBytes += length
      this.#buffersLeft -= 1
    }
    return true
  }

  #countAt(at: number): number {
    const { bytes } = this.#queue
    const count = bytes.readInt32BE(at)
    if (count >= 0 && count <= MOST_BUFFERS) return count
    throw flumeProtocol(
      `a message of ${count} buffers is none: got ${JSON.stringify(bytes.toString('latin1', 0, HEAD_BYTES))}`,
    )
  }

  #take(): NettyMessage {
    const queued = this.#queue.bytes
    const bytes = Buffer.allocUnsafe(this.#bodyBytes)
    for (let from = HEAD_BYTES, to = 0; from < this.#at; ) {
      const end = from + LENGTH_BYTES + queued.readInt32BE(from)
      to += queued.copy(bytes, to, from + LENGTH_BYTES, end)
      from = end
    }
    const message = { serial: queued.readInt32BE(0), bytes }
    this.#queue.drop(this.#at)
    this.#at = HEAD_BYTES
    this.#buffersLeft = undefined
    this.#bodyBytes = 0
    return message
  }
}

export function flumeProtocol(message: string): MillraceError {
  return new MillraceError('FLUME_PROTOCOL', message, {
    domain: 'dependency',
    hint: 'Senders are Avro sinks of Flume agents; compression-type of the sink and compression here are the same.',
  })
}
