import { mix32 } from './value-hash.ts'

/** Words of a record: its value (two), one more than the entry it belongs to, the bits. */
const WORDS = 4
const ENTRY = 2
const BITS = 3
/** In ENTRY of a place that was never taken, and of a record whose entry was emptied. */
const FREE = 0
const GONE = -1

const double = new Float64Array(1)
const words = new Int32Array(double.buffer)

/** The records of each entry as a list: one more than the place of the newest, and of the next after each; 0 ends it. */
interface Links {
  first: Int32Array
  next: Int32Array
}

/**
 * countDistinct of all aggregates over one expression, for all entries of a table: each value of an entry once,
 * with a bit for every aggregate that has counted it (Flink's generated distinct accumulators share a map in the
 * same way). One table of (entry, value) instead of a set per entry, there is no object per key; and the records
 * stand in the table itself (linear probing, load ≤ 5/8), four to a line of memory. Which records are of one entry is
 * asked only when entries are emptied or added to others: then lists of them are made and kept up.
 */
export class DistinctNumbers {
  #mask = 15
  /** The same memory seen in two ways. */
  #reals = new Float64Array(16 * (WORDS / 2))
  #words = new Int32Array(this.#reals.buffer)
  /** Places taken, those of records that are gone included. */
  #records = 0
  #gone = 0
  /** Records by entry. */
  #counts = new Int32Array(8)
  #links: Links | undefined

  /** What markHashed and look are given. */
  hash(entry: number, value: number): number {
    return hashOf(entry, value)
  }

  /**
   * A look at where the value with that hash stands or would. Looks do not wait for each other, so that the cache misses
   * of a batch overlap when each value is looked at before the first is marked.
   */
  look(hash: number): number {
    return this.#words[(hash & this.#mask) * WORDS + ENTRY] as number
  }

  /** Marks the value of the entry; which of the bits were not set before. */
  mark(entry: number, value: number, bits: number): number {
    return this.markHashed(hashOf(entry, value), entry, value, bits)
  }

  markHashed(hash: number, entry: number, value: number, bits: number): number {
    if (bits === 0) return 0
    const all = this.#words
    const mask = this.#mask
    let place = hash & mask
    for (
      let owner = all[place * WORDS + ENTRY] as number;
      owner !== FREE;
      owner = all[place * WORDS + ENTRY] as number
    ) {
      if (owner === entry + 1 && this.#reals[place * (WORDS / 2)] === value) {
        const known = all[place * WORDS + BITS] as number
        all[place * WORDS + BITS] = known | bits
        return bits & ~known
      }
      place = (place + 1) & mask
    }
    if ((this.#records + 1) * 8 > (mask + 1) * 5) {
      this.#remake()
      place = this.#freeFor(entry, value)
    }
    this.#put(entry, value, bits, place)
    if (entry >= this.#counts.length) this.#counts = longer(this.#counts, entry)
    this.#counts[entry] = (this.#counts[entry] as number) + 1
    return bits
  }

  #freeFor(entry: number, value: number): number {
    let place = hashOf(entry, value) & this.#mask
    while (this.#words[place * WORDS + ENTRY] !== FREE) place = (place + 1) & this.#mask
    return place
  }

  #put(entry: number, value: number, bits: number, place: number): void {
    const at = place * WORDS
    this.#records++
    this.#reals[place * (WORDS / 2)] = value
    this.#words[at + ENTRY] = entry + 1
    this.#words[at + BITS] = bits
    if (this.#links !== undefined) link(this.#links, entry, place)
  }

  /** Makes room: without the records that are gone, twice as much unless those were half. */
  #remake(): void {
    const [reals, old] = [this.#reals, this.#words]
    const size = (this.#mask + 1) * (this.#gone * 2 < this.#records ? 2 : 1)
    this.#mask = size - 1
    this.#reals = new Float64Array(size * (WORDS / 2))
    this.#words = new Int32Array(this.#reals.buffer)
    this.#records = 0
    this.#gone = 0
    if (this.#links !== undefined)
      this.#links = { first: new Int32Array(this.#counts.length), next: new Int32Array(size) }
    for (let at = 0; at < old.length; at += WORDS) {
      const entry = (old[at + ENTRY] as number) - 1
      if (entry < 0) continue
      const value = reals[at / 2] as number
      this.#put(entry, value, old[at + BITS] as number, this.#freeFor(entry, value))
    }
  }

  /** Empties the entry. */
  forget(entry: number): void {
    if (this.#isEmpty(entry)) return
    const { first, next } = this.#linked()
    for (let record = first[entry] as number; record !== 0; record = next[record - 1] as number) {
      this.#words[(record - 1) * WORDS + ENTRY] = GONE
      this.#gone++
    }
    first[entry] = 0
    this.#counts[entry] = 0
  }

  clear(): void {
    if (this.#records === 0) return
    this.#words.fill(0)
    this.#counts.fill(0)
    this.#links = undefined
    this.#records = 0
    this.#gone = 0
  }

  /** The values of the entry, each followed by its bits: a copy, since marking may move records. */
  pairs(entry: number): number[] {
    const pairs: number[] = []
    if (this.#isEmpty(entry)) return pairs
    const { first, next } = this.#linked()
    for (let record = first[entry] as number; record !== 0; record = next[record - 1] as number)
      pairs.push(this.#valueOf(record), this.#bitsOf(record))
    return pairs
  }

  #isEmpty(entry: number): boolean {
    return entry >= this.#counts.length || this.#counts[entry] === 0
  }

  #linked(): Links {
    if (this.#links !== undefined) return this.#links
    const links = { first: new Int32Array(this.#counts.length), next: new Int32Array(this.#mask + 1) }
    for (let place = 0; place <= this.#mask; place++) {
      const entry = (this.#words[place * WORDS + ENTRY] as number) - 1
      if (entry >= 0) link(links, entry, place)
    }
    return (this.#links = links)
  }

  #valueOf(record: number): number {
    return this.#reals[(record - 1) * (WORDS / 2)] as number
  }

  #bitsOf(record: number): number {
    return this.#words[(record - 1) * WORDS + BITS] as number
  }

  /** The values, then their entries, then their bits. */
  write(): Uint8Array {
    const size = this.#records - this.#gone
    const bytes = new Uint8Array(size * 16)
    const values = new Float64Array(bytes.buffer, 0, size)
    const entries = new Int32Array(bytes.buffer, size * 8, size)
    const bits = new Int32Array(bytes.buffer, size * 12, size)
    for (let record = 1, to = 0; record <= this.#mask + 1; record++) {
      const entry = (this.#words[(record - 1) * WORDS + ENTRY] as number) - 1
      if (entry < 0) continue
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
    for (let from = 0; from < size; from++)
      this.mark(entries[from] as number, values[from] as number, bits[from] as number)
    return this
  }
}

function link(links: Links, entry: number, place: number): void {
  if (entry >= links.first.length) links.first = longer(links.first, entry)
  links.next[place] = links.first[entry] as number
  links.first[entry] = place + 1
}

/** A copy with room for the entry. */
function longer(numbers: Int32Array, entry: number): Int32Array<ArrayBuffer> {
  const made = new Int32Array(Math.max(entry + 1, numbers.length * 2))
  made.set(numbers)
  return made
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

  forget(entry: number): void {
    this.#numbers.forget(entry)
  }

  clear(): void {
    this.#numbers.clear()
    this.#ids.clear()
    this.#texts = []
  }

  pairs(entry: number): (string | number)[] {
    return this.#numbers.pairs(entry).map((value, at) => (at % 2 === 0 ? (this.#texts[value] ?? '') : value))
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
