import { bytesOf, columnBytes, type Entries } from '../memory/column-bytes.ts'
import { writeHeadedBlock } from '../memory/headed-block.ts'
import { isHeapColumn, type Column } from '../memory/columns.ts'
import { CHANGED, type KeyTable, type TableColumns } from '../memory/key-table.ts'

/*
 * A headed block of what has come to one table of a key group since another block of it:
 *   per column of the keys, those of the entries that are new | their text | the numbers of the entries that have changed, new
 *   ones among them (Int32; nothing when all have) | per other column, its values of these
 * Entries never move, so the blocks of a table are put over each other in their order.
 */
export const TABLE_MAGIC = 0x3144544d

export interface TableBlockHeader {
  /** Tells the tables of one group apart. */
  serial: number
  /** For time windows, where the pane begins. */
  start: number
  /** New entries, from and to; the same of the units of text, and bytes of a unit. */
  entries: readonly [from: number, to: number]
  text: readonly [from: number, to: number, unit: 1 | 2]
  changed: number | 'all'
  /** Bytes of every part; null for a column that was left out. */
  sizes: readonly (number | null)[]
  /** In the first block of a table: for what it was written, and its columns beside the keys. */
  shape?: string
  columns?: readonly Pick<Column, 'name' | 'array'>[]
}

/** How far a table reached. */
export interface TableExtent {
  readonly n: number
  readonly chars: number
}

export const NOTHING: TableExtent = { n: 0, chars: 0 }

/** The changes of a table. */
export interface TableChange {
  /** The keys of the entries between are new. */
  readonly from: TableExtent
  readonly to: TableExtent
  /** The values of these are written: of the first so many, or of those listed. */
  readonly entries: Entries
  readonly wholes: 'with wholes' | 'without wholes'
}

export interface TableBlock {
  readonly bytes: Uint8Array
  /** Bytes of the table's columns of objects, about: of all entries. */
  readonly objectBytes: number
}

/** A block of what has come to the table, as of now. `shape`: for the first of a table. */
export function writeTable(
  table: KeyTable,
  { keys, values }: TableColumns,
  about: { start: number; shape?: string },
  { from, to, entries, wholes }: TableChange,
): TableBlock {
  const text = table.text.subarray(from.chars, to.chars)
  const [count, listed] = typeof entries === 'number' ? [entries, new Uint8Array()] : [entries.length, bytesOf(entries)]
  let objectBytes = 0
  const ofValues = values.map((column) => {
    if (column.array === 'Whole' && wholes === 'without wholes') return undefined
    const bytes = columnBytes(table, column, entries)
    if (column.array === 'Whole') objectBytes += bytes.byteLength
    else if (isHeapColumn(column)) objectBytes += (bytes.byteLength / Math.max(1, count)) * table.n
    return bytes
  })
  const parts = [
    ...keys.map(({ name }) => bytesOf((table[name] as Float64Array).subarray(from.n, to.n))),
    bytesOf(text),
    listed,
    ...ofValues,
  ]
  const header: TableBlockHeader = {
    serial: table.serial,
    start: about.start,
    entries: [from.n, to.n],
    text: [from.chars, to.chars, text.BYTES_PER_ELEMENT === 2 ? 2 : 1],
    changed: typeof entries === 'number' ? 'all' : count,
    sizes: parts.map((part) => part?.byteLength ?? null),
    ...(about.shape === undefined
      ? {}
      : { shape: about.shape, columns: values.map(({ name, array }) => ({ name, array })) }),
  }
  return {
    bytes: writeHeadedBlock(
      TABLE_MAGIC,
      header,
      parts.filter((part) => part !== undefined),
    ),
    objectBytes,
  }
}

let scratch = new Int32Array(1024)

function scratchFor(n: number): Int32Array {
  if (scratch.length < n) scratch = new Int32Array(n * 2)
  return scratch
}

/**
 * The entries that have changed since snapshot `since`, in their order, and notes that snapshot `now` has found
 * them. Takes time by the number of entries; skips four unchanged entries at a time.
 */
export function takeChanged(table: KeyTable, since: number, now: number): Int32Array {
  const { n, u } = table
  if (table.changedIn.length < n) {
    const old = table.changedIn
    table.changedIn = new Int32Array(table.cap)
    table.changedIn.set(old)
  }
  const { changedIn } = table
  const found = scratchFor(n)
  let count = 0
  if (since < now - 1)
    for (let e = 0; e < n; e++) {
      if (((u[e] as number) & CHANGED) !== 0 || (changedIn[e] as number) > since) found[count++] = e
    }
  else {
    const four = CHANGED * 0x01010101
    const words = new Int32Array(u.buffer, u.byteOffset, u.length >> 2)
    for (let word = 0; word * 4 < n; word++) {
      if (((words[word] as number) & four) === 0) continue
      for (let e = word * 4; e < n && e < word * 4 + 4; e++) if (((u[e] as number) & CHANGED) !== 0) found[count++] = e
    }
  }
  for (let i = 0; i < count; i++) {
    const e = found[i] as number
    if (((u[e] as number) & CHANGED) === 0) continue
    u[e] = (u[e] as number) & ~CHANGED
    changedIn[e] = now
    table.lastChange = now
  }
  return found.slice(0, count)
}

/**
 * Those of the first n entries whose last change was found by a snapshot after `from` and up to `to`, and that have not
 * changed since.
 */
export function unchangedSince(
  table: KeyTable,
  n: number,
  [from, to]: readonly [from: number, to: number],
): Int32Array {
  const { u, changedIn } = table
  const found = scratchFor(n)
  let count = 0
  for (let e = 0; e < n; e++) {
    const last = changedIn[e] as number
    if (last > from && last <= to && ((u[e] as number) & CHANGED) === 0) found[count++] = e
  }
  return found.slice(0, count)
}

/** Whether nothing has changed since the snapshot. */
export function isAsAt(table: KeyTable, snapshot: number): boolean {
  return table.lastChange <= snapshot && !table.u.subarray(0, table.n).some((bits) => (bits & CHANGED) !== 0)
}
