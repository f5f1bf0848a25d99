import type { Column } from './columns.ts'

/**
 * Entries by key, generated: an open-addressing index (linear probing, load ≤ 1/2, Fibonacci hashing, since within
 * a key group the low bits of the hash are equal) over dense columns. Dense, so that firing and snapshots run over
 * them in order and growing copies instead of rehashing values.
 */
export interface KeyTable {
  /** Number of entries; columns hold them at [0, n). */
  n: number
  readonly cap: number
  /** The text of all string keys, in UTF-16 units: a Uint8Array while all are below 256. Empty without such keys. */
  text: Uint8Array | Uint16Array
  /** Units used of `text`. */
  chars: number
  /**
   * Another one as soon as the table begins to hold other entries: entry e of a table of one serial is of one key
   * for ever.
   */
  readonly serial: number
  /** The records of the entries, `width` numbers each: the columns that have a place. */
  v: Float64Array
  readonly width: number
  /** By entry: CHANGED, and bits of the table's own. */
  u: Uint8Array
  /** By entry, the last snapshot that found it changed; no longer than it needs to be. */
  changedIn: Int32Array
  /** The last snapshot that found any entry changed. */
  lastChange: number
  /** Makes room without entries. */
  clear(): void
  /** Twice the room. */
  grow(): void
  /** Builds the index again. */
  reindex(): void
  /** Makes room for so many more characters; those beyond 255 need a text that was widened. */
  room(chars: number): void
  widen(): void
  /** The entry of the key that entry `x` of the other table has; made when it is not there. */
  findOf(other: KeyTable, x: number): number
  /** Gives the entry the values of no rows. */
  start(e: number): void
  /** Removes the newest entry again, which was made for a key that had none and which nothing has read. */
  leave(e: number): void
  [column: string]: unknown
}

/**
 * In column u: the entry has changed since the last snapshot. Every change of something that a snapshot holds sets it.
 */
export const CHANGED = 4

/** The columns of a snapshot: those that an entry never changes, and the others. */
export interface TableColumns {
  keys: readonly Column[]
  values: readonly Column[]
}

/** The text [first, end) of a table's keys, as one string. */
export function textOf(text: Uint8Array | Uint16Array, first: number, end: number): string {
  const size = text.BYTES_PER_ELEMENT
  const bytes = Buffer.from(text.buffer, text.byteOffset + first * size, (end - first) * size)
  return bytes.toString(size === 1 ? 'latin1' : 'utf16le')
}
