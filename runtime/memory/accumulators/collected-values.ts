import type { Accumulator } from './accumulator.ts'

/** collect: all values in the order of arrival. */
export class CollectedValues implements Accumulator {
  #values: unknown[] = []

  add(value: unknown): void {
    this.#values.push(value)
  }

  merge(other: CollectedValues): void {
    for (const value of other.#values) this.#values.push(value)
  }

  /** A copy: rows do not change once they are out. */
  result(): unknown[] {
    return this.#values.slice()
  }

  write(): Uint8Array {
    return Buffer.from(JSON.stringify(this.#values))
  }

  static read(bytes: Uint8Array): CollectedValues {
    const values = new CollectedValues()
    values.#values = JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'),
    ) as unknown[]
    return values
  }
}
