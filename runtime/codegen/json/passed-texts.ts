import type { Row } from '../../model/schema.ts'

const FIRST_PLACES = 4096
const PLACE = 3

/**
 * Texts that go from a JSON source to a JSON sink of one chain without anybody looking at them: rows hold the number of a
 * place in the bytes that were fetched instead of a string, and the bytes are copied. Making a string and writing it again
 * took a third of such a job. A place is good until `clear`; only texts that stand for themselves in JSON have one, others
 * are strings as ever, so a field may hold either.
 */
export class PassedTexts {
  /** Fields of the source's rows that nothing reads. */
  readonly source: ReadonlySet<string>
  /** Fields of the sink's rows that may hold such a text. */
  readonly sink: ReadonlySet<string>
  readonly #buffers: Buffer[] = []
  readonly #views: DataView[] = []
  /** Start, end, and which buffer. */
  #places = new Int32Array(FIRST_PLACES * PLACE)
  #count = 0
  #last: Buffer | undefined

  constructor(source: ReadonlySet<string>, sink: ReadonlySet<string>) {
    this.source = source
    this.sink = sink
  }

  /** Called by the source before it makes rows: those it made before are done with. */
  clear(): void {
    this.#count = 0
    this.#buffers.length = this.#views.length = 0
    this.#last = undefined
  }

  /** The place of bytes[start, end), which are printable ASCII without quotes and backslashes and do not change. */
  add(bytes: Buffer, start: number, end: number): number {
    if (bytes !== this.#last) {
      this.#last = bytes
      this.#buffers.push(bytes)
      this.#views.push(new DataView(bytes.buffer, bytes.byteOffset, bytes.length))
    }
    const at = this.#count * PLACE
    if (at === this.#places.length) {
      const grown = new Int32Array(at * 2)
      grown.set(this.#places)
      this.#places = grown
    }
    this.#places[at] = start
    this.#places[at + 1] = end
    this.#places[at + 2] = this.#buffers.length - 1
    return this.#count++
  }

  length(place: number): number {
    return (this.#places[place * PLACE + 1] as number) - (this.#places[place * PLACE] as number)
  }

  /** Copies the text to `to` at `at`, and returns the place behind it. */
  write(place: number, to: DataView, at: number): number {
    const start = place * PLACE
    const from = this.#views[this.#places[start + 2] as number] as DataView
    let read = this.#places[start] as number
    const end = this.#places[start + 1] as number
    let p = at
    for (; read + 4 <= end; read += 4, p += 4) to.setInt32(p, from.getInt32(read))
    for (; read < end; read++, p++) to.setUint8(p, from.getUint8(read))
    return p
  }

  /** A row of the source with its texts, to be shown. */
  shown(row: Row): Row {
    return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, this.source.has(name) && typeof value === 'number' ? this.#text(value) : value]))
  }

  #text(place: number): string {
    const start = place * PLACE
    const bytes = this.#buffers[this.#places[start + 2] as number] as Buffer
    return bytes.toString('latin1', this.#places[start], this.#places[start + 1])
  }
}
