/** Answers below this are not worth keeping a buffer for. */
const LEAST_BYTES = 256 * 1024
const STEP_BYTES = 1024 * 1024
/** One answer is read while the next one arrives. */
const MAX_SPARES = 2

interface Frame {
  bytes: Buffer
  views: number
}

/**
 * Buffers of answers that carry records, used again when their records have been read: fresh ones of some MB made
 * V8 collect everything with every few of them. A buffer whose records are never given back is left to the collector.
 */
export class KafkaFrameBuffers {
  readonly #spares: Buffer[] = []
  readonly #frames = new WeakMap<ArrayBufferLike, Frame>()

  /** A buffer of this length with anything in it. */
  take(length: number): Buffer {
    if (length < LEAST_BYTES) return Buffer.allocUnsafeSlow(length)
    const at = this.#spares.findIndex((spare) => spare.length >= length)
    const bytes =
      at < 0
        ? Buffer.allocUnsafeSlow(Math.ceil(length / STEP_BYTES) * STEP_BYTES)
        : (this.#spares.splice(at, 1)[0] as Buffer)
    this.#frames.set(bytes.buffer, { bytes, views: 0 })
    return bytes.subarray(0, length)
  }

  /** These are what is needed of a buffer that was taken: it comes back when each of them has. */
  holds(views: readonly Buffer[]): void {
    for (const { buffer } of views) {
      const frame = this.#frames.get(buffer)
      if (frame !== undefined) frame.views += 1
    }
  }

  /** Called once for each view that `holds` was told, when nobody reads it any more. */
  give(view: Buffer): void {
    const frame = this.#frames.get(view.buffer)
    if (frame === undefined || --frame.views > 0) return
    this.#frames.delete(view.buffer)
    if (this.#spares.length < MAX_SPARES) this.#spares.push(frame.bytes)
  }
}
