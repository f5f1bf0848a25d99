import type { Accumulator } from './accumulator.ts'
import { mix32 } from './value-hash.ts'

/**
 * countDistinct of all aggregates over one expression: each value once, with a bit for every aggregate that has counted it
 * (Flink's DistinctAggCodeGen shares a set in the same way).
 */
export interface DistinctValues extends Accumulator {
  /** By aggregate, how many values have its bit. */
  readonly counts: number[]
}

const double = new Float64Array(1)
const words = new Int32Array(double.buffer)

/** Numbers in typed columns: an open-addressing table, load at most 1/2. A place is free when it has no bits. */
export class DistinctNumbers implements DistinctValues {
  readonly counts: number[]
  #values = new Float64Array(8)
  #bits = new Uint32Array(8)
  #size = 0

  constructor(aggregates: number) { this.counts = new Array<number>(aggregates).fill(0) }

  add(value: number, bits: number): void {
    if (bits === 0) return
    const at = this.#find(value)
    const known = this.#bits[at] as number
    const fresh = bits & ~known
    if (fresh === 0) return
    this.#bits[at] = known | bits
    this.#count(fresh)
    if (known !== 0) return
    this.#values[at] = value
    if (++this.#size * 2 > this.#values.length) this.#grow()
  }

  #count(fresh: number): void {
    for (let bit = 0, left = fresh; left !== 0; bit++, left >>>= 1) if ((left & 1) !== 0) this.counts[bit] = (this.counts[bit] as number) + 1
  }

  #find(value: number): number {
    const mask = this.#values.length - 1
    let at = hashOf(value) & mask
    while (this.#bits[at] !== 0 && this.#values[at] !== value) at = (at + 1) & mask
    return at
  }

  #grow(): void {
    const [values, bits] = [this.#values, this.#bits]
    this.#values = new Float64Array(values.length * 2)
    this.#bits = new Uint32Array(values.length * 2)
    for (let from = 0; from < values.length; from++) {
      if (bits[from] === 0) continue
      const at = this.#find(values[from] as number)
      this.#values[at] = values[from] as number
      this.#bits[at] = bits[from] as number
    }
  }

  merge(other: DistinctNumbers): void {
    for (let from = 0; from < other.#values.length; from++) this.add(other.#values[from] as number, other.#bits[from] as number)
  }

  /** The values, then their bits. */
  write(): Uint8Array {
    const bytes = new Uint8Array(this.#size * 12)
    const values = new Float64Array(bytes.buffer, 0, this.#size)
    const bits = new Uint32Array(bytes.buffer, this.#size * 8, this.#size)
    for (let from = 0, to = 0; from < this.#values.length; from++) {
      if (this.#bits[from] === 0) continue
      values[to] = this.#values[from] as number
      bits[to++] = this.#bits[from] as number
    }
    return bytes
  }

  /** Takes back what `write` gave, into an empty one. */
  fill(bytes: Uint8Array): this {
    const size = bytes.byteLength / 12
    const copy = new Uint8Array(bytes)
    const values = new Float64Array(copy.buffer, 0, size)
    const bits = new Uint32Array(copy.buffer, size * 8, size)
    for (let from = 0; from < size; from++) this.add(values[from] as number, bits[from] as number)
    return this
  }
}

function hashOf(value: number): number {
  if ((value | 0) === value) return mix32(value)
  double[0] = value
  return mix32((words[0] as number) ^ mix32(words[1] as number))
}

export class DistinctTexts implements DistinctValues {
  readonly counts: number[]
  readonly #bits = new Map<string, number>()

  constructor(aggregates: number) { this.counts = new Array<number>(aggregates).fill(0) }

  add(value: string, bits: number): void {
    const known = this.#bits.get(value) ?? 0
    const fresh = bits & ~known
    if (fresh === 0) return
    // a string of a batch is a slice of the whole batch's text: a copy holds nothing else alive
    this.#bits.set(known === 0 ? copyOf(value) : value, known | bits)
    for (let bit = 0, left = fresh; left !== 0; bit++, left >>>= 1) if ((left & 1) !== 0) this.counts[bit] = (this.counts[bit] as number) + 1
  }

  merge(other: DistinctTexts): void { for (const [value, bits] of other.#bits) this.add(value, bits) }

  write(): Uint8Array { return Buffer.from(JSON.stringify([...this.#bits])) }

  /** Takes back what `write` gave, into an empty one. */
  fill(bytes: Uint8Array): this {
    for (const [value, bits] of JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')) as [string, number][]) this.add(value, bits)
    return this
  }
}

function copyOf(text: string): string { return JSON.parse(JSON.stringify(text)) as string }
