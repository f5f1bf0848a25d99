import { MillraceError } from '../model/errors.ts'
import type { Attempt, CheckpointId } from '../model/ids.ts'
import type { SnapshotExtent } from '../model/snapshot.ts'
import type { Timestamp } from '../model/time.ts'

/**
 * What travels on a channel, in band and in order. On the wire a frame is
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
  jobUid: string
  attempt: Attempt
  exchange: string
  producerSlot: number
  consumerSlot: number
}

const KIND = { batch: 1, watermark: 2, barrier: 3, hello: 4, refused: 5, idle: 6 } as const
const EXTENTS: readonly SnapshotExtent[] = ['changes', 'whole', 'appended']
const HEADER_BYTES = 8
/** No honest frame is longer: 1024 rows of 64 kB each. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024 + 4096

export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.kind) {
    case 'batch': return withHeader(KIND.batch, frame.bytes)
    case 'watermark': return withHeader(KIND.watermark, bytesOf(frame.time))
    case 'idle': return withHeader(KIND.idle, new Uint8Array(0))
    case 'barrier': return withHeader(KIND.barrier, bytesOf(frame.attempt, frame.checkpoint, EXTENTS.indexOf(frame.extent)))
    case 'hello': return withHeader(KIND.hello, Buffer.from(JSON.stringify(frame.hello), 'utf8'))
    case 'refused': return withHeader(KIND.refused, bytesOf(frame.seen))
  }
}

function bytesOf(...numbers: number[]): Uint8Array {
  return new Uint8Array(Float64Array.from(numbers).buffer)
}

function withHeader(kind: number, payload: Uint8Array): Uint8Array {
  const length = HEADER_BYTES + Math.ceil(payload.length / 8) * 8
  const frame = new Uint8Array(new ArrayBuffer(length))
  new Uint32Array(frame.buffer, 0, 2).set([length, kind])
  frame.set(payload, HEADER_BYTES)
  // Blanks keep the padded JSON valid.
  if (kind === KIND.hello) frame.fill(0x20, HEADER_BYTES + payload.length)
  return frame
}

/**
 * Cuts a byte stream into frames, whatever the sizes in which it arrives. Throws FRAME_CORRUPT on a length
 * or kind that no sender writes. Batches come out in buffers of their own, aligned to 8 bytes.
 */
export class FrameDecoder {
  #chunks: Uint8Array[] = []
  #buffered = 0

  push(bytes: Uint8Array, onFrame: (frame: Frame) => void): void {
    this.#chunks.push(bytes)
    this.#buffered += bytes.length
    while (this.#buffered >= HEADER_BYTES) {
      const length = this.#peekLength()
      if (this.#buffered < length) return
      onFrame(decodeFrame(this.#take(length)))
    }
  }

  #peekLength(): number {
    if ((this.#chunks[0]?.length ?? 0) < 4) this.#chunks = [concat(this.#chunks, this.#buffered)]
    const head = this.#chunks[0]
    if (!head) throw new MillraceError('FRAME_CORRUPT', 'a frame was read from an empty buffer')
    const length = new DataView(head.buffer, head.byteOffset, 4).getUint32(0, true)
    if (length < HEADER_BYTES || length > MAX_FRAME_BYTES || length % 8 !== 0) {
      throw new MillraceError('FRAME_CORRUPT', `frame length ${length} is not a multiple of 8 between ${HEADER_BYTES} and ${MAX_FRAME_BYTES}`)
    }
    return length
  }

  #take(length: number): Uint8Array {
    const frame = new Uint8Array(new ArrayBuffer(length))
    let filled = 0
    while (filled < length) {
      const chunk = this.#chunks[0]
      if (!chunk) throw new MillraceError('FRAME_CORRUPT', `frame of ${length} bytes ends after ${filled}`)
      const part = chunk.subarray(0, length - filled)
      frame.set(part, filled)
      filled += part.length
      if (part.length === chunk.length) this.#chunks.shift()
      else this.#chunks[0] = chunk.subarray(part.length)
    }
    this.#buffered -= length
    return frame
  }
}

function concat(chunks: readonly Uint8Array[], total: number): Uint8Array {
  const whole = new Uint8Array(total)
  let at = 0
  for (const chunk of chunks) { whole.set(chunk, at); at += chunk.length }
  return whole
}

function decodeFrame(frame: Uint8Array): Frame {
  const kind = new DataView(frame.buffer).getUint32(4, true)
  const number = (index: number): number => new DataView(frame.buffer).getFloat64(HEADER_BYTES + index * 8, true)
  const needs = (bytes: number): void => {
    if (frame.length < HEADER_BYTES + bytes) throw new MillraceError('FRAME_CORRUPT', `frame of kind ${kind} has ${frame.length} bytes`)
  }
  switch (kind) {
    case KIND.batch: return { kind: 'batch', bytes: frame.subarray(HEADER_BYTES) }
    case KIND.watermark: needs(8); return { kind: 'watermark', time: number(0) }
    case KIND.idle: return { kind: 'idle' }
    case KIND.barrier: needs(24); return { kind: 'barrier', attempt: number(0), checkpoint: number(1), extent: EXTENTS[number(2)] ?? 'whole' }
    case KIND.hello: return { kind: 'hello', hello: parseHello(frame.subarray(HEADER_BYTES)) }
    case KIND.refused: needs(8); return { kind: 'refused', seen: number(0) }
    default: throw new MillraceError('FRAME_CORRUPT', `frame kind ${kind} is none of ${Object.values(KIND).join(', ')}`)
  }
}

function parseHello(bytes: Uint8Array): ChannelHello {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
  try {
    const value = JSON.parse(text) as Partial<ChannelHello>
    const { jobUid, attempt, exchange, producerSlot, consumerSlot } = value
    if (typeof jobUid === 'string' && typeof exchange === 'string' && Number.isSafeInteger(attempt)
      && Number.isSafeInteger(producerSlot) && Number.isSafeInteger(consumerSlot)) return value as ChannelHello
  } catch (cause) {
    throw new MillraceError('FRAME_CORRUPT', 'the hello of a channel is not JSON', { cause })
  }
  throw new MillraceError('FRAME_CORRUPT', 'the hello of a channel lacks a field')
}
