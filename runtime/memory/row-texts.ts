import { MillraceError } from '../model/errors.ts'

/** Words of 4 bytes of a chunk, as a power of two: the words' bits of an address. */
export const CHUNK_BITS = 18
const CHUNK_BYTES = 4 << CHUNK_BITS
const MAX_CHUNKS = 1 << (31 - CHUNK_BITS)
/** Texts are gathered up to so many characters and then written in one call, which costs as much as writing one row. */
const GATHERED = 1 << 16
const PADDING = ['', '   ', '  ', ' '] as const
/** Chunks that a side keeps for its next pane. */
const KEPT_CHUNKS = 32

/** Where a log notes the place of a row's text: its address, bytes, and encoding. */
export interface TextPlaces {
  readonly o: Int32Array
  readonly b: Int32Array
  readonly w: Uint8Array
}

/**
 * The texts of the rows of a pane, each from a word on: ASCII (encoding 0), else UTF-8 (1), else, with lone surrogates,
 * UTF-16 (2). An address is a chunk's number and the word in it.
 */
export class RowTexts {
  /** The chunks as words; texts of one row lie in one. */
  readonly words: Int32Array[] = []
  readonly #chunks: Buffer[] = []
  readonly #pool: Buffer[]
  /** Words taken of the last chunk, and of those before. */
  #used = 0
  #usedBefore = 0
  #blob = ''
  #pending = 0
  readonly #logs: TextPlaces[] = []
  readonly #rows: number[] = []

  /** `pool`: emptied chunks of the same side. */
  constructor(pool: Buffer[]) {
    this.#pool = pool
  }

  /** Words that the texts take. */
  get taken(): number {
    return this.#usedBefore + this.#used
  }

  /** Takes the text of a row; it can be read after `flush`. */
  add(log: TextPlaces, row: number, text: string): void {
    if (this.#blob.length + text.length > GATHERED) this.flush()
    if (this.#pending === 0) this.#makeRoom(Math.max(GATHERED, text.length + 4) * 3)
    log.o[row] = ((this.#chunks.length - 1) << CHUNK_BITS) + this.#used + (this.#blob.length >> 2)
    log.b[row] = text.length
    log.w[row] = 0
    this.#logs[this.#pending] = log
    this.#rows[this.#pending++] = row
    this.#blob += text + (PADDING[text.length & 3] ?? '')
  }

  flush(): void {
    if (this.#pending === 0) return
    const blob = this.#blob
    const size = blob === '' ? 0 : (this.#chunks.at(-1) as Buffer).write(blob, this.#used * 4, 'utf8')
    if (size === blob.length) this.#used += size >> 2
    else this.#writeEach(blob)
    this.#blob = ''
    this.#pending = 0
  }

  /** Not all is ASCII: row by row, over what was written. */
  #writeEach(blob: string): void {
    const chunk = this.#chunks.at(-1) as Buffer
    const first = this.#used + ((this.#chunks.length - 1) << CHUNK_BITS)
    for (let index = 0; index < this.#pending; index++) {
      const log = this.#logs[index] as TextPlaces
      const row = this.#rows[index] as number
      const start = ((log.o[row] as number) - first) * 4
      const text = blob.slice(start, start + (log.b[row] as number))
      const encoding = text.isWellFormed() ? 1 : 2
      const size = text === '' ? 0 : chunk.write(text, this.#used * 4, encoding === 1 ? 'utf8' : 'utf16le')
      log.o[row] = ((this.#chunks.length - 1) << CHUNK_BITS) + this.#used
      log.b[row] = size
      log.w[row] = encoding
      this.#used += (size + 3) >> 2
    }
  }

  #makeRoom(bytes: number): void {
    const last = this.#chunks.at(-1)
    // behind a text that is longer than a chunk there may be room that no address reaches
    if (last !== undefined && this.#used * 4 + bytes <= Math.min(last.length, CHUNK_BYTES)) return
    if (this.#chunks.length === MAX_CHUNKS) {
      throw new MillraceError(
        'STATE_TOO_LARGE',
        `the texts of the rows that one slot of a join keeps exceed ${MAX_CHUNKS} MB`,
        { domain: 'user', hint: 'keep rows for less long, or run the job with more replicas' },
      )
    }
    const chunk =
      bytes <= CHUNK_BYTES
        ? (this.#pool.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES))
        : Buffer.allocUnsafeSlow((bytes + 7) & ~7)
    this.#chunks.push(chunk)
    this.words.push(new Int32Array(chunk.buffer, 0, chunk.length >> 2))
    this.#usedBefore += this.#used
    this.#used = 0
  }

  of(address: number, bytes: number, encoding: number): string {
    const chunk = this.#chunks[address >>> CHUNK_BITS] as Buffer
    return textAt(chunk, (address & ((1 << CHUNK_BITS) - 1)) * 4, bytes, encoding)
  }

  /** Gives the chunks back to the pool; nothing may be read any more. */
  release(): void {
    for (const chunk of this.#chunks)
      if (chunk.length === CHUNK_BYTES && this.#pool.length < KEPT_CHUNKS) this.#pool.push(chunk)
    this.#chunks.length = 0
    this.words.length = 0
  }
}

/** The text of a row in `bytes`. */
export function textAt(buffer: Buffer, at: number, bytes: number, encoding: number): string {
  return buffer.toString(encoding === 0 ? 'latin1' : encoding === 1 ? 'utf8' : 'utf16le', at, at + bytes)
}
