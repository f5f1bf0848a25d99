import { MillraceError } from '../model/errors.ts'
import type { Attempt, CheckpointId } from '../model/ids.ts'
import type { SnapshotExtent } from '../model/snapshot.ts'
import type { Timestamp } from '../model/time.ts'
import { frameBuffers } from './frame-buffers.ts'

/**
 * An item of a channel, in band and in order. On the wire a frame is
 *   u32 length of the whole frame (a multiple of 8) | u32 kind | payload
 * little-endian, so that a batch's typed columns stay 8-byte aligned.
 */
export type Frame =
  | { kind: 'batch'; bytes: Uint8Array }
  | { kind: 'watermark'; time: Timestamp }
  /** No watermark is to be waited for, until the next one comes. */
  | { kind: 'idle' }
  | { kind: 'barrier'; attempt: Attempt; checkpoint: CheckpointId; extent: SnapshotExtent }
  /** First frame from the consumer: which channel this connection is. */
  | { kind: 'hello'; hello: ChannelHello }
  /** First frame from the producer when it will not serve the channel. */
  | { kind: 'refused'; seen: Attempt }

export interface ChannelHello {
  /** The job's, which proves that the consumer is one of its processes. */
  token: string
  jobUid: string
  attempt: Attempt
  exchange: string
  producerSlot: number
  consumerSlot: number
}

const KIND = { batch: 1, watermark: 2, barrier: 3, hello: 4, refused: 5, idle: 6 } as const
const EXTENTS: readonly SnapshotExtent[] = ['changes', 'whole', 'appended']
const HEADER_BYTES = 8
/** A batch of more is sent in parts: 1024 rows of 64 kB each. */
export const MAX_BATCH_BYTES = 64 * 1024 * 1024
/** No honest frame is longer. */
const MAX_FRAME_BYTES = MAX_BATCH_BYTES + 4096

/** The frame's bytes, in a buffer of `frameBuffers`. */
export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.kind) {
    case 'batch':
      return withHeader(KIND.batch, frame.bytes)
    case 'watermark':
      return withHeader(KIND.watermark, bytesOf(frame.time))
    case 'idle':
      return withHeader(KIND.idle, new Uint8Array(0))
    case 'barrier':
      return withHeader(KIND.barrier, bytesOf(frame.attempt, frame.checkpoint, EXTENTS.indexOf(frame.extent)))
    case 'hello':
      return withHeader(KIND.hello, Buffer.from(JSON.stringify(frame.hello), 'utf8'))
    case 'refused':
      return withHeader(KIND.refused, bytesOf(frame.seen))
  }
}

function bytesOf(...numbers: number[]): Uint8Array {
  return new Uint8Array(Float64Array.from(numbers).buffer)
}

function withHeader(kind: number, payload: Uint8Array): Uint8Array {
  const length = HEADER_BYTES + Math.ceil(payload.length / 8) * 8
  const frame = frameBuffers.take(length)
  const head = new Uint32Array(frame.buffer, 0, 2)
  head[0] = length
  head[1] = kind
  frame.set(payload, HEADER_BYTES)
  // Blanks keep the padded JSON valid.
  frame.fill(0x20, HEADER_BYTES + payload.length)
  return frame
}

/**
 * Cuts a byte stream into frames, whatever the sizes in which it arrives. Throws FRAME_CORRUPT on a length or kind
 * that no sender writes. The bytes of a batch are aligned to 8 and are in a buffer of `frameBuffers`, which its
 * reader may return.
 */
export class FrameDecoder {
  readonly #most: number
  readonly #head = new Uint32Array(2)
  readonly #headBytes = new Uint8Array(this.#head.buffer)
  /** Being put together; undefined until its head is complete. */
  #frame: Uint8Array | undefined
  #filled = 0

  /** `most`: bytes of the longest frame that may come. */
  constructor(most = MAX_FRAME_BYTES) {
    this.#most = most
  }

  /** `bytes` are copied. */
  push(bytes: Uint8Array, onFrame: (frame: Frame) => void): void {
    for (let at = 0; at < bytes.length; ) {
      const target = this.#frame ?? this.#headBytes
      const part = bytes.subarray(at, at + target.length - this.#filled)
      target.set(part, this.#filled)
      at += part.length
      this.#filled += part.length
      if (this.#filled < target.length) return
      const frame = (this.#frame ??= this.#begin())
      if (this.#filled < frame.length) continue
      this.#frame = undefined
      this.#filled = 0
      onFrame(decodeFrame(frame))
    }
  }

  /** The head is complete. */
  #begin(): Uint8Array {
    const length = this.#head[0] ?? 0
    if (length < HEADER_BYTES || length > this.#most || length % 8 !== 0) {
      throw new MillraceError(
        'FRAME_CORRUPT',
        `frame length ${length} is not a multiple of 8 between ${HEADER_BYTES} and ${this.#most}`,
      )
    }
    const frame = frameBuffers.take(length)
    frame.set(this.#headBytes)
    return frame
  }
}

function decodeFrame(frame: Uint8Array): Frame {
  const kind = new DataView(frame.buffer).getUint32(4, true)
  const number = (index: number): number => new DataView(frame.buffer).getFloat64(HEADER_BYTES + index * 8, true)
  const needs = (bytes: number): void => {
    if (frame.length < HEADER_BYTES + bytes)
      throw new MillraceError('FRAME_CORRUPT', `frame of kind ${kind} has ${frame.length} bytes`)
  }
  switch (kind) {
    case KIND.batch:
      return { kind: 'batch', bytes: frame.subarray(HEADER_BYTES) }
    case KIND.watermark:
      needs(8)
      return { kind: 'watermark', time: number(0) }
    case KIND.idle:
      return { kind: 'idle' }
    case KIND.barrier:
      needs(24)
      return { kind: 'barrier', attempt: number(0), checkpoint: number(1), extent: EXTENTS[number(2)] ?? 'whole' }
    case KIND.hello:
      return { kind: 'hello', hello: parseHello(frame.subarray(HEADER_BYTES)) }
    case KIND.refused:
      needs(8)
      return { kind: 'refused', seen: number(0) }
    default:
      throw new MillraceError('FRAME_CORRUPT', `frame kind ${kind} is none of ${Object.values(KIND).join(', ')}`)
  }
}

function parseHello(bytes: Uint8Array): ChannelHello {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
  try {
    const value = JSON.parse(text) as Partial<ChannelHello>
    const { token, jobUid, attempt, exchange, producerSlot, consumerSlot } = value
    if (
      typeof token === 'string' &&
      typeof jobUid === 'string' &&
      typeof exchange === 'string' &&
      Number.isSafeInteger(attempt) &&
      Number.isSafeInteger(producerSlot) &&
      Number.isSafeInteger(consumerSlot)
    )
      return value as ChannelHello
  } catch (cause) {
    throw new MillraceError('FRAME_CORRUPT', 'the hello of a channel is not JSON', { cause })
  }
  throw new MillraceError('FRAME_CORRUPT', 'the hello of a channel lacks a field')
}
