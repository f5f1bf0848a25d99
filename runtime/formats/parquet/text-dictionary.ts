const FIRST_SLOTS = 256
const FIRST_BYTES = 4 * 1024
/** A reader holds the dictionary beside the page: a larger one saves nothing. */
const MAX_BYTES = 1024 * 1024
const MAX_ENTRIES = 64 * 1024
/** So many bytes at each end of a long text are hashed. */
const HASHED_BYTES = 32

/** The distinct texts of a column in a row group, as a dictionary page has them: a length of four bytes, and the text. */
export class TextDictionary {
  count = 0
  #bytes = Buffer.alloc(FIRST_BYTES)
  #used = 0
  /** Where the text of an entry begins in `#bytes`. */
  #starts = new Uint32Array(FIRST_SLOTS)
  /** Open addressing: entry + 1, or 0. */
  #slots = new Int32Array(2 * FIRST_SLOTS)

  /** The entry of bytes[start, end), which is added where it is new; -1 when the dictionary is full. */
  entryOf(bytes: Uint8Array, start: number, end: number): number {
    const mask = this.#slots.length - 1
    let slot = hashOf(bytes, start, end) & mask
    for (;;) {
      const entry = (this.#slots[slot] as number) - 1
      if (entry < 0) break
      if (this.#isEntry(entry, bytes, start, end)) return entry
      slot = (slot + 1) & mask
    }
    return this.#add(slot, bytes, start, end)
  }

  /** All entries in PLAIN encoding; valid until an entry is added. */
  plain(): Uint8Array {
    return this.#bytes.subarray(0, this.#used)
  }

  clear(): void {
    this.count = 0
    this.#used = 0
    this.#slots.fill(0)
  }

  #add(slot: number, bytes: Uint8Array, start: number, end: number): number {
    const length = end - start
    if (this.count === MAX_ENTRIES || this.#used + 4 + length > MAX_BYTES) return -1
    this.#makeRoom(4 + length)
    this.#bytes.writeUInt32LE(length, this.#used)
    this.#used += 4
    copyBytes(bytes, start, length, this.#bytes, this.#used)
    const entry = this.count++
    this.#starts[entry] = this.#used
    this.#used += length
    this.#slots[slot] = entry + 1
    if (this.count * 2 > this.#slots.length) this.#rehash()
    return entry
  }

  #isEntry(entry: number, bytes: Uint8Array, start: number, end: number): boolean {
    const at = this.#starts[entry] as number
    const length = end - start
    if (this.#bytes.readUInt32LE(at - 4) !== length) return false
    const known = this.#bytes
    for (let i = 0; i < length; i++) if (known[at + i] !== bytes[start + i]) return false
    return true
  }

  #makeRoom(more: number): void {
    if (this.#used + more > this.#bytes.length) {
      const old = this.#bytes
      this.#bytes = Buffer.alloc(Math.max(this.#used + more, 2 * old.length))
      this.#bytes.set(old)
    }
    if (this.count === this.#starts.length) {
      const old = this.#starts
      this.#starts = new Uint32Array(2 * old.length)
      this.#starts.set(old)
    }
  }

  #rehash(): void {
    const slots = new Int32Array(2 * this.#slots.length)
    for (let entry = 0; entry < this.count; entry++) {
      const start = this.#starts[entry] as number
      const end = start + this.#bytes.readUInt32LE(start - 4)
      let slot = hashOf(this.#bytes, start, end) & (slots.length - 1)
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1)
      slots[slot] = entry + 1
    }
    this.#slots = slots
  }
}

/** Short texts are copied faster by hand than by a call. */
export function copyBytes(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  if (length > 64) to.set(from.subarray(start, start + length), at)
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i] as number
}

/** FNV-1a with the bits mixed at the end, of the length and both ends of the text. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 ^ (end - start)
  const isLong = end - start > 2 * HASHED_BYTES
  const firstEnd = isLong ? start + HASHED_BYTES : end
  for (let i = start; i < firstEnd; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
  if (isLong) for (let i = end - HASHED_BYTES; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
  hash ^= hash >>> 15
  return Math.imul(hash, 0x85ebca6b) ^ (hash >>> 13)
}
