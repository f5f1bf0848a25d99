import type { Columns } from '../../memory/batch.ts'
import { bitWidth, packedRun } from './bit-packing.ts'
import { ENCODING, isNull, type Bounds, type EncodedValues, type PageValues } from './page-values.ts'
import { copyBytes, TextDictionary } from './text-dictionary.ts'
import { wholeText } from '../../model/whole-text.ts'

const FIRST_BYTES = 16 * 1024
const FIRST_VALUES = 1024
/** A column whose texts hardly repeat is written plain from here on: the dictionary would be all of it. */
const TRIED_VALUES = 4096

/** How the values of a column become bytes. */
export type TextContent = 'text' | 'bytes' | 'json'

/**
 * Texts and bytes as BYTE_ARRAY: by a dictionary while it is small and helps, then plain until the end of the row
 * group.
 */
export class TextValues implements PageValues {
  readonly #place: number
  readonly #content: TextContent
  readonly #dictionary = new TextDictionary()
  #isPlain = false
  /** Entries of the dictionary, one for each value of the page. */
  #entries = new Uint32Array(FIRST_VALUES)
  #count = 0
  #indexed = 0
  /** PLAIN values of the page. */
  #plain = Buffer.alloc(0)
  #used = 0
  #scratch = Buffer.alloc(256)
  #min: Uint8Array | undefined
  #max: Uint8Array | undefined

  constructor(place: number, content: TextContent) {
    this.#place = place
    this.#content = content
  }

  get sizeBytes(): number {
    return this.#used + this.#count * 2
  }

  addColumn(columns: Columns, nulls: Uint8Array | undefined, from: number, to: number): void {
    const { bytes, starts, ends } = columns.texts(this.#place)
    for (let row = from; row < to; row++)
      if (!isNull(nulls, row)) this.#put(bytes, starts[row] as number, ends[row] as number)
  }

  addValue(value: unknown): void {
    const text = this.#content === 'json' ? JSON.stringify(value) : wholeText(String(value))
    const encoding = this.#content === 'bytes' ? 'latin1' : 'utf8'
    if (this.#scratch.length < 3 * text.length) this.#scratch = Buffer.alloc(4 * text.length)
    this.#put(this.#scratch, 0, this.#scratch.write(text, 0, encoding))
  }

  takePage(): EncodedValues {
    // a page of nulls alone refers to no dictionary, for there may be none
    const isPlain = this.#isPlain || this.#count === 0
    const bytes = isPlain ? this.#plain.subarray(0, this.#used) : this.#packedEntries()
    const encoding = isPlain ? ENCODING.plain : ENCODING.dictionary
    this.#used = 0
    this.#count = 0
    if (this.#indexed >= TRIED_VALUES && this.#dictionary.count * 2 > this.#indexed) this.#isPlain = true
    return { bytes, encoding }
  }

  takeDictionary(): { readonly bytes: Uint8Array; readonly count: number } | undefined {
    const { count } = this.#dictionary
    const bytes = count === 0 ? undefined : this.#dictionary.plain()
    this.#dictionary.clear()
    this.#indexed = 0
    this.#isPlain = false
    return bytes === undefined ? undefined : { bytes, count }
  }

  takeBounds(): Bounds | undefined {
    const [min, max] = [this.#min, this.#max]
    this.#min = undefined
    this.#max = undefined
    return min === undefined || max === undefined || this.#content === 'json' ? undefined : { min, max }
  }

  boundBytes(bound: number | Uint8Array): Uint8Array {
    return typeof bound === 'number' ? new Uint8Array(0) : bound
  }

  #put(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isPlain) {
      this.#bound(bytes, start, end)
      this.#putPlain(bytes, start, end)
      return
    }
    const known = this.#dictionary.count
    const entry = this.#dictionary.entryOf(bytes, start, end)
    if (entry < 0) {
      // the entries of this page are written out, and the page is plain
      this.#becomePlain()
      this.#put(bytes, start, end)
      return
    }
    if (entry === known) this.#bound(bytes, start, end)
    if (this.#count === this.#entries.length) {
      const old = this.#entries
      this.#entries = new Uint32Array(2 * old.length)
      this.#entries.set(old)
    }
    this.#entries[this.#count++] = entry
    this.#indexed++
  }

  #becomePlain(): void {
    this.#isPlain = true
    const dictionary = this.#dictionary.plain()
    const view = Buffer.from(dictionary.buffer, dictionary.byteOffset, dictionary.byteLength)
    const starts: number[] = []
    for (let at = 0; at < view.length; at += 4 + view.readUInt32LE(at)) starts.push(at)
    for (let i = 0; i < this.#count; i++) {
      const at = starts[this.#entries[i] as number] as number
      this.#putPlain(view, at + 4, at + 4 + view.readUInt32LE(at))
    }
    this.#count = 0
  }

  #putPlain(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start
    if (this.#used + 4 + length > this.#plain.length) {
      const old = this.#plain
      this.#plain = Buffer.alloc(Math.max(FIRST_BYTES, this.#used + 4 + length, 2 * old.length))
      this.#plain.set(old.subarray(0, this.#used))
    }
    this.#plain.writeUInt32LE(length, this.#used)
    copyBytes(bytes, start, length, this.#plain, this.#used + 4)
    this.#used += 4 + length
  }

  #packedEntries(): Uint8Array {
    const width = bitWidth(this.#dictionary.count)
    return Buffer.concat([Uint8Array.of(width), packedRun(this.#entries, this.#count, width)])
  }

  /** The order of the bytes of UTF-8 is that of the characters. */
  #bound(bytes: Uint8Array, start: number, end: number): void {
    if (this.#min === undefined || isBefore(bytes, start, end, this.#min)) this.#min = copyOf(bytes, start, end)
    if (this.#max === undefined || isAfter(bytes, start, end, this.#max)) this.#max = copyOf(bytes, start, end)
  }
}

/** `slice` of a Buffer would be a view. */
function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end))
}

function isBefore(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  const length = Math.min(end - start, other.length)
  for (let i = 0; i < length; i++) {
    const order = (bytes[start + i] as number) - (other[i] as number)
    if (order !== 0) return order < 0
  }
  return end - start < other.length
}

function isAfter(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  const length = Math.min(end - start, other.length)
  for (let i = 0; i < length; i++) {
    const order = (bytes[start + i] as number) - (other[i] as number)
    if (order !== 0) return order > 0
  }
  return end - start > other.length
}
