/** Bytes of a full segment. A record's address is segment << 15 | offset / 8, so a segment cannot be larger. */
export const SEGMENT_BYTES = 1 << 18
export const FIRST_SEGMENT_BYTES = 512
const FIRST_SLAB_BYTES = 1 << 14
const SLAB_BYTES = 1 << 26

/** Typed views over one stretch of memory. */
export interface Slab {
  readonly i32: Int32Array
  readonly f64: Float64Array
  readonly buffer: Buffer
  readonly view: DataView
}

/** Where a segment lies: the slab, and in words where it begins there. */
export type Place = readonly [slab: Slab, base: number]

export const NO_SLAB = createSlab(0)

/** Cuts segments from slabs and reuses released segments for others of the same size. */
export class SegmentMemory {
  /** Free segments by the logarithm of their size. */
  readonly #spare: Place[][] = Array.from({ length: 19 }, () => [])
  #slab: Slab | undefined
  #slabUsed = 0
  #reserved = 0

  /** `bytes`: a power of two, or any multiple of 8 above SEGMENT_BYTES for one huge record. */
  take(bytes: number): Place {
    return bytes > SEGMENT_BYTES ? [createSlab(bytes), 0] : (this.#spare[log2(bytes)]?.pop() ?? this.#cut(bytes))
  }

  give(place: Place, bytes: number): void {
    if (bytes <= SEGMENT_BYTES) this.#spare[log2(bytes)]?.push(place)
  }

  #cut(bytes: number): Place {
    if (this.#slab === undefined || this.#slabUsed + bytes > this.#slab.buffer.length) {
      this.#keepRest()
      this.#slab = createSlab(
        Math.max(bytes, Math.min(SLAB_BYTES, Math.max(FIRST_SLAB_BYTES, powerOfTwo(this.#reserved)))),
      )
      this.#slabUsed = 0
      this.#reserved += this.#slab.buffer.length
    }
    const base = this.#slabUsed >> 2
    this.#slabUsed += bytes
    return [this.#slab, base]
  }

  /** The rest of a slab becomes free segments when a segment is larger than the rest. */
  #keepRest(): void {
    while (this.#slab !== undefined && this.#slab.buffer.length - this.#slabUsed >= FIRST_SEGMENT_BYTES) {
      const left = this.#slab.buffer.length - this.#slabUsed
      const bytes = Math.min(SEGMENT_BYTES, 1 << (31 - Math.clz32(left)))
      this.#spare[log2(bytes)]?.push([this.#slab, this.#slabUsed >> 2])
      this.#slabUsed += bytes
    }
  }
}

export function createSlab(bytes: number): Slab {
  const memory = new ArrayBuffer(bytes)
  return {
    i32: new Int32Array(memory),
    f64: new Float64Array(memory),
    buffer: Buffer.from(memory),
    view: new DataView(memory),
  }
}

export function powerOfTwo(least: number): number {
  return least <= 1 ? 1 : 1 << (32 - Math.clz32(least - 1))
}
function log2(power: number): number {
  return 31 - Math.clz32(power)
}
