import type { RowWriter } from '../codegen/contracts.ts'
import type { Row } from '../model/schema.ts'

const FIRST_BYTES = 64 * 1024
const NEWLINE = 10

/** Collects rows as the lines of a file, or as records without anything between them. */
export class RecordBuffer {
  readonly #writer: RowWriter
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0

  constructor(writer: RowWriter) {
    this.#writer = writer
  }

  get sizeBytes(): number {
    return this.#at
  }

  /** Adds a row and nothing behind it. */
  add(row: Row): void {
    let length = this.#writer.encodeInto(row, this.#bytes, this.#at)
    while (length < 0) {
      this.#grow()
      length = this.#writer.encodeInto(row, this.#bytes, this.#at)
    }
    this.#at += length
  }

  addLine(row: Row): void {
    this.add(row)
    if (this.#at === this.#bytes.length) this.#grow()
    this.#bytes[this.#at++] = NEWLINE
  }

  /** The bytes since the last call; they are the caller's. */
  take(): Buffer {
    const lines = this.#bytes.subarray(0, this.#at)
    this.#bytes = Buffer.alloc(0)
    this.#at = 0
    return lines
  }

  #grow(): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, this.#bytes.length * 2))
    this.#bytes.copy(grown, 0, 0, this.#at)
    this.#bytes = grown
  }
}
