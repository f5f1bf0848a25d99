import { MillraceError } from '../../../model/errors.ts'
import { readVarint, varint } from '../../kit/protobuf.ts'

/** Servers send at most `--rpc_max_message_size`, 50 MiB by default. */
const MOST_FRAME_BYTES = 64 * 1024 * 1024
const LENGTH_BYTES = 4

/** A message as it goes over the wire: its length, then header and body, each behind their own length. */
export function frameOf(header: Buffer, body: Buffer): Buffer {
  const parts = [varint(header.length), header, varint(body.length), body]
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32BE(parts.reduce((sum, part) => sum + part.length, 0))
  return Buffer.concat([length, ...parts])
}

/** Header and body (with its sidecars) of a frame without its length. Throws KUDU_ANSWER for one that ends too early. */
export function partsOf(frame: Buffer): { header: Buffer; body: Buffer } {
  const input = { bytes: frame, at: 0 }
  return { header: block(input), body: block(input) }
}

function block(input: { readonly bytes: Buffer; at: number }): Buffer {
  const length = readVarint(input)
  if (length < 0 || input.at + length > input.bytes.length) throw malformed('a message that ends behind its frame')
  const bytes = input.bytes.subarray(input.at, input.at + length)
  input.at += length
  return bytes
}

/** A body without its sidecars, which begin at the offsets, and these. Throws KUDU_ANSWER. */
export function bodyOf(whole: Buffer, offsets: readonly number[]): { body: Buffer; sidecars: readonly Buffer[] } {
  if (offsets.some((offset, index) => offset < (offsets[index - 1] ?? 0) || offset > whole.length))
    throw malformed('sidecars outside of their message')
  return {
    body: whole.subarray(0, offsets[0] ?? whole.length),
    sidecars: offsets.map((offset, index) => whole.subarray(offset, offsets[index + 1] ?? whole.length)),
  }
}

function malformed(what: string): MillraceError {
  return new MillraceError('KUDU_ANSWER', `a Kudu server sent ${what}`, { domain: 'dependency', retriable: true })
}

/** Cuts what a server sends into frames. */
export class FrameCutter {
  readonly #onFrame: (frame: Buffer) => void
  #received: Buffer[] = []
  #receivedBytes = 0
  #wantedBytes = LENGTH_BYTES

  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame
  }

  /**
   * Hands out the frames that are complete now. Stops in front of a frame whose first byte `isForeign` knows, and
   * returns the bytes from there on. Throws KUDU_ANSWER for a frame that is too long, and what the receiver of frames throws.
   */
  take(bytes: Buffer, isForeign: (first: number) => boolean = () => false): Buffer | undefined {
    this.#received.push(bytes)
    this.#receivedBytes += bytes.length
    // most chunks are parts of a large frame: joining them each time would cost the square of its size
    if (this.#receivedBytes < this.#wantedBytes) return undefined
    let all = this.#received.length === 1 ? bytes : Buffer.concat(this.#received)
    while (all.length >= LENGTH_BYTES) {
      if (isForeign(all.readUInt8(0))) {
        this.#received = []
        this.#receivedBytes = 0
        return all
      }
      const length = all.readUInt32BE(0)
      if (length > MOST_FRAME_BYTES) throw malformed(`a message of ${length} bytes`)
      this.#wantedBytes = length + LENGTH_BYTES
      if (all.length < this.#wantedBytes) break
      this.#onFrame(all.subarray(LENGTH_BYTES, this.#wantedBytes))
      all = all.subarray(this.#wantedBytes)
      this.#wantedBytes = LENGTH_BYTES
    }
    this.#received = all.length === 0 ? [] : [all]
    this.#receivedBytes = all.length
    return undefined
  }
}
