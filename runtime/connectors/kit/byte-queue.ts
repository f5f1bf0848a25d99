const FIRST_BYTES = 64 * 1024
const MOST_IDLE_BYTES = 128 * 1024

/** Bytes of a connection that have come and are not used up. Each is copied in once, however few come at a time. */
export class ByteQueue {
  #buffer = Buffer.alloc(0)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** A view of all bytes, until the next call. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, needed, this.#buffer.length * 2))
      this.#buffer.copy(grown, 0, 0, this.#length)
      this.#buffer = grown
    }
    this.#buffer.set(bytes, this.#length)
    this.#length = needed
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    this.#buffer.copyWithin(0, count, this.#length)
    this.#length -= count
    // a connection that sent one large record does not keep the room for it
    if (this.#length === 0 && this.#buffer.length > MOST_IDLE_BYTES) this.#buffer = Buffer.alloc(0)
  }
}
