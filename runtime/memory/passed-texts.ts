import type { Field, Row } from '../model/schema.ts'

const FIRST_PLACES = 4096
const FIRST_SIDE_BYTES = 256
/**
 * The places of a record begin with the number of its buffer and the runs that the buffer holds as the sink writes
 * them; then follow start and length of each field.
 */
const PLACE_HEAD = 2
/** Runs that a record can tell of. */
export const MAX_RUNS = 30

/**
 * Values that go from a JSON source to a JSON sink of one chain without being read, and values that go
 * nowhere: rows hold the number of their record instead, and the bytes that came are copied. Making strings and
 * numbers and writing them again took half of such a job. A passed value is always text as JSON.stringify writes
 * it: the source says where it is in the bytes that came, or writes it aside where it has another form there. A
 * record's number is good until
 * `clear`.
 */
export class PassedTexts {
  /** Fields of the source's rows that nothing reads; each has a column. */
  readonly source: ReadonlySet<string>
  /** Fields of the sink's rows that hold such a number, and the field of the source whose text it stands for. */
  readonly sink: ReadonlyMap<string, string>
  /**
   * Fields of the sink that stand side by side in its records and are passed, as the writer found them. Where a
   * record has them side by side in the same form, it is copied in one piece.
   */
  runs: readonly (readonly { sink: string; source: string }[])[] = []
  /** By record: see PLACE_HEAD. A start below zero is ~start in what was written aside. */
  places = new Int32Array(FIRST_PLACES)
  readonly #columns: ReadonlyMap<string, number>
  readonly #stride: number
  readonly #buffers: Buffer[] = []
  readonly #views: DataView[] = []
  #end = 0
  #last: Buffer | undefined
  #side = Buffer.allocUnsafeSlow(FIRST_SIDE_BYTES)
  #sideView = viewOf(this.#side)
  #sideEnd = 0

  constructor(source: ReadonlySet<string>, sink: ReadonlyMap<string, string>) {
    this.source = source
    this.sink = sink
    this.#columns = new Map([...source].map((name, index) => [name, index]))
    this.#stride = PLACE_HEAD + 2 * source.size
  }

  /**
   * Where a record's places hold the start of a field's text, from the number of the record on; the length stands
   * behind it.
   */
  startAt(field: string): number {
    return PLACE_HEAD + 2 * (this.#columns.get(field) ?? 0)
  }

  /** Called by the source before it makes rows: those it made before are done with. */
  clear(): void {
    this.#end = this.#sideEnd = 0
    this.#buffers.length = this.#views.length = 0
    this.#last = undefined
  }

  /** The number of a record of `bytes`, which do not change; the caller fills its places but for the first. */
  record(bytes: Buffer): number {
    if (bytes !== this.#last) {
      this.#last = bytes
      this.#buffers.push(bytes)
      this.#views.push(viewOf(bytes))
    }
    const at = this.#end
    this.#end = at + this.#stride
    if (this.#end > this.places.length) {
      const grown = new Int32Array(this.places.length * 2 + this.#stride)
      grown.set(this.places)
      this.places = grown
    }
    this.places[at] = this.#buffers.length - 1
    return at
  }

  /** Writes a value aside, as JSON has it; returns its start. Its length is what `sideBytes` has grown by. */
  aside(value: unknown): number {
    const text = JSON.stringify(value)
    const start = this.#sideEnd
    if (start + text.length * 3 > this.#side.length) {
      const grown = Buffer.allocUnsafeSlow(this.#side.length * 2 + text.length * 3)
      this.#side.copy(grown, 0, 0, start)
      this.#side = grown
      this.#sideView = viewOf(grown)
    }
    this.#sideEnd = start + this.#side.write(text, start)
    return ~start
  }

  get sideBytes(): number {
    return this.#sideEnd
  }

  /** The number of a record whose values are known: all its texts are written aside. */
  recordOf(bytes: Buffer, row: Row): number {
    const record = this.record(bytes)
    this.places[record + 1] = 0
    for (const field of this.source) {
      const at = record + this.startAt(field)
      const before = this.#sideEnd
      this.places[at] = this.aside(row[field] ?? null)
      this.places[at + 1] = this.#sideEnd - before
    }
    return record
  }

  /** Copies the text whose start is places[at] to `to` at `p`, and returns the place behind it. */
  write(record: number, at: number, to: DataView, p: number): number {
    const start = this.places[record + at] as number
    const length = this.places[record + at + 1] as number
    if (start < 0) return copied(this.#sideView, ~start, length, to, p)
    return copied(this.#views[this.places[record] as number] as DataView, start, length, to, p)
  }

  /** As write, of all from the one text to the other; the record says that they lie in one piece. */
  writeRun(record: number, first: number, last: number, to: DataView, p: number): number {
    const start = this.places[record + first] as number
    const length = (this.places[record + last] as number) + (this.places[record + last + 1] as number) - start
    return copied(this.#views[this.places[record] as number] as DataView, start, length, to, p)
  }

  /** A row of the source with its values, to be shown. */
  shown(row: Row): Row {
    return Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        this.source.has(name) ? (JSON.parse(this.#text(value as number, this.startAt(name))) as Row[string]) : value,
      ]),
    )
  }

  #text(record: number, at: number): string {
    const start = this.places[record + at] as number
    const length = this.places[record + at + 1] as number
    if (start < 0) return this.#side.toString('utf8', ~start, ~start + length)
    return (this.#buffers[this.places[record] as number] as Buffer).toString('utf8', start, start + length)
  }
}

/** Whether values of a field can be passed to a sink that writes times as they come, or as numbers of milliseconds. */
export function canPass({ type, logical }: Field): boolean {
  // a double may come in more forms than the one that JSON.stringify gives it
  return logical === undefined && (type === 'string' || type === 'long' || type === 'timestamp')
}

/** Whether a field that goes nowhere can be left where it came. */
export function canStay({ type, logical }: Field): boolean {
  return logical === undefined && type !== 'json'
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

function copied(from: DataView, start: number, length: number, to: DataView, at: number): number {
  let read = start
  const end = start + length
  let p = at
  for (; read + 16 <= end; read += 16, p += 16) {
    to.setInt32(p, from.getInt32(read))
    to.setInt32(p + 4, from.getInt32(read + 4))
    to.setInt32(p + 8, from.getInt32(read + 8))
    to.setInt32(p + 12, from.getInt32(read + 12))
  }
  for (; read + 4 <= end; read += 4, p += 4) to.setInt32(p, from.getInt32(read))
  for (; read < end; read++, p++) to.setUint8(p, from.getUint8(read))
  return p
}
