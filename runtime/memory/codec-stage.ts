import { MillraceError } from '../model/errors.ts'

/** Kept between batches; what one huge batch needed beyond it is given back. */
const KEPT_BYTES = 4 << 20

/** Typed views over one stretch of bytes that starts 8-byte aligned: where frames are built and read. */
export class Stage {
  readonly size: number
  readonly buffer: Buffer
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly i32: Int32Array
  readonly u32: Uint32Array
  readonly f64: Float64Array
  #grown: Stage | undefined

  constructor(bytes: ArrayBufferLike, offset: number, size: number) {
    this.size = size
    this.buffer = Buffer.from(bytes, offset, size)
    this.u8 = new Uint8Array(bytes, offset, size)
    this.u16 = new Uint16Array(bytes, offset, size >> 1)
    this.i32 = new Int32Array(bytes, offset, size >> 2)
    this.u32 = new Uint32Array(bytes, offset, size >> 2)
    this.f64 = new Float64Array(bytes, offset, size >> 3)
  }

  /** Writes the blob at `p` and the header; returns the frame's end. */
  finish(rows: number, blob: string, p: number): number {
    const stage = this.#withRoom(p, blob.length * 3 + 8)
    let written = blob.length === 0 ? 0 : stage.buffer.write(blob, p, 'utf8')
    let kind = 0
    // a lone surrogate has no UTF-8; only a blob that is not ASCII can hold one
    if (written !== blob.length && !blob.isWellFormed()) {
      written = stage.buffer.write(blob, p, 'utf16le')
      kind = 1
    }
    stage.u32[0] = rows
    stage.u32[1] = written
    stage.u32[2] = blob.length
    stage.u32[3] = kind
    return (p + written + 7) & ~7
  }

  /** The bytes [0, end) that were built; they do not change until the next frame is built. */
  built(end: number): Uint8Array {
    const stage = this.#grown ?? this
    this.#grown = undefined
    return stage.u8.subarray(0, end)
  }

  /** The blob at `p` as one string. Throws FRAME_CORRUPT unless it is inside the frame and has `chars` characters. */
  blob(p: number, chars: number): string {
    const bytes = this.u32[1] ?? 0
    const claimed = this.u32[2] ?? 0
    const kind = this.u32[3] ?? 0
    if (p + bytes > this.size || kind > 1) return corrupt('its strings lie beyond its end')
    const text =
      kind === 1
        ? this.buffer.toString('utf16le', p, p + bytes)
        : bytes === claimed
          ? this.buffer.toString('latin1', p, p + bytes)
          : this.buffer.toString('utf8', p, p + bytes)
    if (text.length !== claimed || text.length !== chars)
      corrupt(`its strings have ${text.length} characters, not ${claimed} or ${chars}`)
    return text
  }

  #withRoom(p: number, bytes: number): Stage {
    if (p + bytes <= this.size) return this
    needed = Math.min(KEPT_BYTES, Math.max(needed, p + bytes))
    const grown = new Stage(new ArrayBuffer((p + bytes + 7) & ~7), 0, (p + bytes + 7) & ~7)
    grown.u8.set(this.u8.subarray(0, p))
    this.#grown = grown
    return grown
  }
}

let shared = new Stage(new ArrayBuffer(256 << 10), 0, 256 << 10)
/** The bytes that batches needed with their texts so far: a stage that is too small would be copied for each batch. */
let needed = 0

/** The stage of this process, at least `bytes` large. Encoding is synchronous, so one is enough for all streams. */
export function stageFor(bytes: number): Stage {
  const wanted = Math.max(bytes, needed)
  if (wanted <= shared.size) return shared
  const size = (wanted * 2 + 7) & ~7
  const stage = new Stage(new ArrayBuffer(size), 0, size)
  if (size <= KEPT_BYTES) shared = stage
  return stage
}

/** Views over a frame as it arrived; copied first when it does not lie aligned. */
export function batchOf(bytes: Uint8Array): Stage {
  const aligned = (bytes.byteOffset & 7) === 0 ? bytes : new Uint8Array(bytes)
  return new Stage(aligned.buffer, aligned.byteOffset, aligned.byteLength)
}

export function corrupt(what: string): never {
  throw new MillraceError('FRAME_CORRUPT', `a batch frame is corrupt: ${what}`)
}
