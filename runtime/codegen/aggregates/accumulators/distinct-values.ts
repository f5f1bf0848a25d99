import { mix32 } from './value-hash.ts'

/** Words of a record: its value (two), the entry it belongs to, the next record of that entry, the bits. */
const WORDS = 6
const ENTRY = 2
const NEXT = 3
const BITS = 4
/** In ENTRY of a record whose entry was emptied. */
const GONE = -1

const double = new Float64Array(1)
const words = new Int32Array(double.buffer)

/**
 * countDistinct of all aggregates over one expression, for all entries of a table: each value of an entry once, with a bit
 * for every aggregate that has counted it (Flink's generated distinct accumulators share a map in the same way). One table
 * of (entry, value) instead of a set per entry: a probe touches two lines of memory, and there is no object per key.
 */
export class DistinctNumbers {
  #cap = 8
  #index = new Int32Array(16)
  /** Records from 1 on, the same memory seen in two ways. */
  #reals = new Float64Array((this.#cap + 1) * (WORDS / 2))
  #words = new Int32Array(this.#reals.buffer)
  #records = 0
  #gone = 0
  /** By entry, its newest record, 0 for none. */
  #first = new Int32Array(8)

  /** Marks the value of the entry; which of the bits were not set before. */
  mark(entry: number, value: number, bits: number): number {
    if (bits === 0) return 0
    const index = this.#index
    const mask = index.length - 1
    let place = hashOf(entry, value) & mask
    for (let record = index[place] as number; record !== 0; record = index[place] as number) {
      const at = record * WORDS
      if (this.#words[at + ENTRY] === entry && this.#reals[record * (WORDS / 2)] === value) {
        const known = this.#words[at + BITS] as number
        this.#words[at + BITS] = known | bits
        return bits & ~known
      }
      place = (place + 1) & mask
    }
    this.#append(entry, value, bits, place)
    return bits
  }

  #append(entry: number, value: number, bits: number, place: number): void {
    let free = place
    if (this.#records === this.#cap) {
      this.#remake()
      const mask = this.#index.length - 1
      free = hashOf(entry, value) & mask
      while (this.#index[free] !== 0) free = (free + 1) & mask
    }
    if (entry >= this.#first.length) {
      const old = this.#first
      this.#first = new Int32Array(Math.max(entry + 1, old.length * 2))
      this.#first.set(old)
    }
    const record = ++this.#records
    const at = record * WORDS
    this.#reals[record * (WORDS / 2)] = value
    this.#words[at + ENTRY] = entry
    this.#words[at + NEXT] = this.#first[entry] as number
    this.#words[at + BITS] = bits
    this.#first[entry] = record
    this.#index[free] = record
  }

  /** Makes room: without the records that are gone, twice as much unless those were half. */
  #remake(): void {
    const [reals, old, count] = [this.#reals, this.#words, this.#records]
    if (this.#gone * 2 < count) this.#cap *= 2
    this.#index = new Int32Array(this.#cap * 2)
    this.#reals = new Float64Array((this.#cap + 1) * (WORDS / 2))
    this.#words = new Int32Array(this.#reals.buffer)
    this.#records = 0
    this.#gone = 0
    this.#first.fill(0)
    const mask = this.#index.length - 1
    for (let record = 1; record <= count; record++) {
      const at = record * WORDS
      const entry = old[at + ENTRY] as number
      if (entry === GONE) continue
      const value = reals[record * (WORDS / 2)] as number
      let place = hashOf(entry, value) & mask
      while (this.#index[place] !== 0) place = (place + 1) & mask
      this.#append(entry, value, old[at + BITS] as number, place)
    }
  }

  /** Empties the entry. */
  forget(entry: number): void {
    if (entry >= this.#first.length) return
    for (let record = this.#first[entry] as number; record !== 0; record = this.#next(record)) {
      this.#words[record * WORDS + ENTRY] = GONE
      this.#gone++
    }
    this.#first[entry] = 0
  }

  clear(): void {
    if (this.#records === 0) return
    this.#index.fill(0)
    this.#first.fill(0)
    this.#records = 0
    this.#gone = 0
  }

  #next(record: number): number { return this.#words[record * WORDS + NEXT] as number }

  /** The values of the entry, each followed by its bits: a copy, since marking may move records. */
  pairs(entry: number): number[] {
    const pairs: number[] = []
    for (let record = this.#first[entry] ?? 0; record !== 0; record = this.#next(record)) pairs.push(this.#valueOf(record), this.#bitsOf(record))
    return pairs
  }

  #valueOf(record: number): number { return this.#reals[record * (WORDS / 2)] as number }

  #bitsOf(record: number): number { return this.#words[record * WORDS + BITS] as number }

  /** The values, then their entries, then their bits. */
  write(): Uint8Array {
    const size = this.#records - this.#gone
    const bytes = new Uint8Array(size * 16)
    const values = new Float64Array(bytes.buffer, 0, size)
    const entries = new Int32Array(bytes.buffer, size * 8, size)
    const bits = new Int32Array(bytes.buffer, size * 12, size)
    for (let record = 1, to = 0; record <= this.#records; record++) {
      const entry = this.#words[record * WORDS + ENTRY] as number
      if (entry === GONE) continue
      values[to] = this.#valueOf(record)
      entries[to] = entry
      bits[to++] = this.#bitsOf(record)
    }
    return bytes
  }

  /** Takes back what `write` gave, into an empty one. */
  fill(bytes: Uint8Array): this {
    const size = Math.floor(bytes.byteLength / 16)
    // a copy is aligned
    const { buffer } = new Uint8Array(bytes)
    const values = new Float64Array(buffer, 0, size)
    const entries = new Int32Array(buffer, size * 8, size)
    const bits = new Int32Array(buffer, size * 12, size)
    for (let from = 0; from < size; from++) this.mark(entries[from] as number, values[from] as number, bits[from] as number)
    return this
  }
}

function hashOf(entry: number, value: number): number {
  const salt = Math.imul(entry + 1, 0x9e3779b1)
  if ((value | 0) === value) return mix32(value ^ salt)
  double[0] = value
  return mix32((words[0] as number) ^ salt ^ mix32(words[1] as number))
}

/** The same of texts: each text has a number, under which it is kept until all is cleared. */
export class DistinctTexts {
  readonly #numbers = new DistinctNumbers()
  readonly #ids = new Map<string, number>()
  #texts: string[] = []

  mark(entry: number, value: string, bits: number): number {
    const known = this.#ids.get(value)
    if (known !== undefined) return this.#numbers.mark(entry, known, bits)
    if (bits === 0) return 0
    const id = this.#texts.length
    // a string of a batch is a slice of the whole batch's text: a copy holds nothing else alive
    const copy = JSON.parse(JSON.stringify(value)) as string
    this.#texts.push(copy)
    this.#ids.set(copy, id)
    return this.#numbers.mark(entry, id, bits)
  }

  forget(entry: number): void { this.#numbers.forget(entry) }

  clear(): void {
    this.#numbers.clear()
    this.#ids.clear()
    this.#texts = []
  }

  pairs(entry: number): (string | number)[] {
    return this.#numbers.pairs(entry).map((value, at) => (at % 2 === 0 ? this.#texts[value] ?? '' : value))
  }

  /** How many bytes the texts have as JSON (u32), the texts, padded to 8, then their numbers. */
  write(): Uint8Array {
    const texts = Buffer.from(JSON.stringify(this.#texts))
    const head = Buffer.alloc(8 + ((texts.length + 7) & ~7))
    head.writeUInt32LE(texts.length, 0)
    head.set(texts, 8)
    return Buffer.concat([head, this.#numbers.write()])
  }

  /** Takes back what `write` gave, into an empty one. */
  fill(bytes: Uint8Array): this {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const size = view.readUInt32LE(0)
    this.#texts = JSON.parse(view.toString('utf8', 8, 8 + size)) as string[]
    this.#texts.forEach((text, id) => this.#ids.set(text, id))
    this.#numbers.fill(view.subarray(8 + ((size + 7) & ~7)))
    return this
  }
}
