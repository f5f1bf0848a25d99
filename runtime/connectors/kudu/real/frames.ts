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

/** Header and body (with its sidecars) of a frame without its length. Throws for one that ends too early. */
export function partsOf(frame: Buffer): { header: Buffer; body: Buffer } {
  const input = { bytes: frame, at: 0 }
  return { header: block(input), body: block(input) }
}

function block(input: { readonly bytes: Buffer; at: number }): Buffer {
  const length = readVarint(input)
  if (length < 0 || input.at + length > input.bytes.length) throw new Error('a message that ends behind its frame')
  const bytes = input.bytes.subarray(input.at, input.at + length)
  input.at += length
  return bytes
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
   * returns the bytes from there on. Throws for a frame that is too long, and what the receiver of frames throws.
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
      if (length > MOST_FRAME_BYTES) throw new Error(`a message of ${length} bytes`)
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
