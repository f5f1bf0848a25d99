/** Shorter frames are not worth keeping a buffer for. */
const LEAST_BYTES = 4096
/** Longer ones are rare: what they took is given back. */
const MOST_BYTES = 1024 * 1024
/** Bytes of all buffers that wait to be used again. */
const KEPT_BYTES = 4 * 1024 * 1024

/**
 * Buffers of frames, used again: each fresh one of 100 kB is cleared, and fetched from the kernel and given back
 * page by page, a tenth of what a process that sends rows did (perf, Nexmark q18). Their sizes are powers of two.
 */
export class FrameBuffers {
  readonly #free = new Map<number, Uint8Array[]>()
  #kept = 0

  /** So many bytes, 8-byte aligned, with anything in them. */
  take(length: number): Uint8Array {
    if (length < LEAST_BYTES || length > MOST_BYTES) return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
    const size = 1 << (32 - Math.clz32(length - 1))
    const free = this.#free.get(size)?.pop()
    if (free === undefined) return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer, 0, length)
    this.#kept -= size
    return new Uint8Array(free.buffer, 0, length)
  }

  /** Called at most once with what was taken, or a part of it, when nobody reads or writes any of it. */
  give({ buffer }: Uint8Array): void {
    const size = buffer.byteLength
    if (size < LEAST_BYTES || size > MOST_BYTES || (size & (size - 1)) !== 0 || this.#kept + size > KEPT_BYTES) return
    const free = this.#free.get(size)
    const whole = new Uint8Array(buffer)
    if (free === undefined) this.#free.set(size, [whole])
    else free.push(whole)
    this.#kept += size
  }
}

/** Those of this process: its channels seldom need many at once. */
export const frameBuffers = new FrameBuffers()
