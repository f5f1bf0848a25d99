import { MillraceError } from '../../model/errors.ts'
import { isHeapColumn, type Column } from '../rows/columns.ts'
import type { Accumulator } from '../aggregates/accumulators/accumulator.ts'
import type { KeyTable } from '../keys/key-table.ts'

/*
 * The state of one key group of a window operator, little-endian:
 *   u32 magic 'MWT1' | u32 bytes of the header | header: JSON, padded with spaces to 8 bytes
 *   per pane of the header, per column of the header: entries × the column's width, padded to 8 bytes
 *     (an Array column is JSON text; an Object column is the u32 length of every object, then their bytes; how many bytes
 *     either has stands in the pane's `texts`, as for a Whole column, which is one object's bytes), then the text of the string keys
 * The header says what it describes: the shape (window, keys, aggregates), the columns, and per pane its start,
 * its entries, the units of text and their width. A group without entries is but: u32 magic 'MWF1' | u32 0 | f64 fired.
 */
const MAGIC = 0x3154574d
const FIRED_MAGIC = 0x3146574d

export interface SnapshotHeader {
  version: 1
  /** End of the last window this group has fired; null when it has fired none. */
  fired: number | null
  /** Window, keys and aggregates as text: a restore wants the same. */
  shape: string
  columns: readonly Pick<Column, 'name' | 'array'>[]
  panes: readonly PaneHeader[]
}

interface PaneHeader { start: number; entries: number; chars: number; charBytes: 1 | 2; texts: readonly number[] }

export interface GroupState { fired: number | null; panes: { start: number; table: KeyTable }[] }

type Numbers = Float64Array | Int32Array | Uint8Array

const padded = (bytes: number): number => (bytes + 7) & ~7

/** Writes the state of one key group. */
export function writeGroup(state: GroupState, shape: string, columns: readonly Column[]): Uint8Array {
  const parts: Uint8Array[] = []
  const panes = state.panes.map(({ start, table }): PaneHeader => {
    const texts: number[] = []
    for (const column of columns) parts.push(columnBytes(table, column, texts))
    const text = table.text.subarray(0, table.chars)
    parts.push(new Uint8Array(text.buffer, text.byteOffset, text.byteLength))
    return { start, entries: table.n, chars: table.chars, charBytes: text.BYTES_PER_ELEMENT === 2 ? 2 : 1, texts }
  })
  const header: SnapshotHeader = { version: 1, fired: state.fired, shape, columns: columns.map(({ name, array }) => ({ name, array })), panes }
  const head = Buffer.from(JSON.stringify(header))
  const headBytes = padded(head.length)
  const bytes = new Uint8Array(8 + headBytes + parts.reduce((sum, part) => sum + padded(part.byteLength), 0))
  new Uint32Array(bytes.buffer, 0, 2).set([MAGIC, headBytes])
  bytes.fill(32, 8, 8 + headBytes).set(head, 8)
  let at = 8 + headBytes
  for (const part of parts) {
    bytes.set(part, at)
    at += padded(part.byteLength)
  }
  return bytes
}

/** Writes the state of a key group that holds nothing but how far its windows have fired. */
export function writeFired(fired: number): Uint8Array {
  const bytes = new Uint8Array(16)
  new Uint32Array(bytes.buffer, 0, 2).set([FIRED_MAGIC, 0])
  new Float64Array(bytes.buffer, 8, 1).set([fired])
  return bytes
}

function columnBytes(table: KeyTable, column: Column, texts: number[]): Uint8Array {
  if (column.array === 'Whole') {
    const bytes = (table[column.name] as Accumulator).write()
    texts.push(bytes.byteLength)
    return bytes
  }
  if (isHeapColumn(column)) {
    const values = (table[column.name] as unknown[]).slice(0, table.n)
    const bytes = column.array === 'Array' ? Buffer.from(JSON.stringify(values)) : objectBytes(values as Accumulator[])
    texts.push(bytes.length)
    return bytes
  }
  const values = (table[column.name] as Numbers).subarray(0, table.n)
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

function objectBytes(objects: readonly Accumulator[]): Uint8Array {
  const parts = objects.map((object) => object.write())
  const lengths = Uint32Array.from(parts, (part) => part.byteLength)
  return Buffer.concat([new Uint8Array(lengths.buffer), ...parts])
}

function readObjects(bytes: Uint8Array, entries: number, read: NonNullable<Column['read']>): Accumulator[] {
  const lengths = new Uint32Array(new Uint8Array(bytes.subarray(0, entries * 4)).buffer)
  let at = entries * 4
  return Array.from(lengths, (length) => read(bytes.subarray(at, at += length)))
}

/** Reads what writeGroup or writeFired wrote. The tables have columns but no index: good for merging from. */
export function readGroup(bytes: Uint8Array, shape: string, columns: readonly Column[], create: () => KeyTable): GroupState {
  // a Buffer's slice would be no copy
  const aligned = (bytes.byteOffset & 7) === 0 ? bytes : new Uint8Array(bytes)
  if (bytes.byteLength === 16 && new Uint32Array(aligned.buffer, aligned.byteOffset, 1)[0] === FIRED_MAGIC) {
    return { fired: new Float64Array(aligned.buffer, aligned.byteOffset + 8, 1)[0] ?? null, panes: [] }
  }
  const header = readHeader(aligned)
  if (header.shape !== shape) {
    throw new MillraceError('STATE_INCOMPATIBLE', `window state was written for ${header.shape}, the job now has ${shape}`,
      { domain: 'user', hint: 'give the changed operator a new id to start it with empty state' })
  }
  const reader = new PartReader(aligned, 8 + (new Uint32Array(aligned.buffer, aligned.byteOffset, 2)[1] ?? 0))
  const panes = header.panes.map((pane) => ({ start: pane.start, table: readTable(pane, header.columns.map((column) => ({ ...columns.find(({ name }) => name === column.name), ...column })), create(), reader) }))
  return { fired: header.fired, panes }
}

function readHeader(bytes: Uint8Array): SnapshotHeader {
  const [magic, size] = bytes.byteLength < 8 ? [0, 0] : new Uint32Array(bytes.buffer, bytes.byteOffset, 2)
  if (magic !== MAGIC || size === undefined || 8 + size > bytes.byteLength) throw corrupt(`${bytes.byteLength} bytes do not start with a window header`)
  let header: SnapshotHeader
  try {
    header = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + 8, size).toString('utf8')) as SnapshotHeader
  } catch (cause) {
    throw new MillraceError('STATE_CORRUPT', 'the header of a window snapshot does not parse', { cause })
  }
  if (header.version !== 1) throw new MillraceError('STATE_INCOMPATIBLE', `window state has version ${String(header.version)}, this release reads 1`)
  return header
}

function readTable(pane: PaneHeader, columns: readonly Column[], table: KeyTable, reader: PartReader): KeyTable {
  const texts = [...pane.texts]
  for (const column of columns) table[column.name] = readColumn(pane.entries, column, texts, reader)
  const text = reader.take(pane.chars * pane.charBytes)
  table.text = pane.charBytes === 2 ? new Uint16Array(text.buffer, text.byteOffset, pane.chars) : text
  table.chars = pane.chars
  table.n = pane.entries
  return table
}

function readColumn(entries: number, column: Column, texts: number[], reader: PartReader): Numbers | unknown[] | Accumulator {
  switch (column.array) {
    case 'Array': return JSON.parse(Buffer.from(reader.take(texts.shift() ?? 0)).toString('utf8')) as unknown[]
    case 'Object': return readObjects(reader.take(texts.shift() ?? 0), entries, column.read ?? unreadable)
    case 'Whole': return (column.read ?? unreadable)(reader.take(texts.shift() ?? 0))
    case 'Uint8Array': return reader.take(entries)
    case 'Int32Array': { const part = reader.take(entries * 4); return new Int32Array(part.buffer, part.byteOffset, entries) }
    case 'Float64Array': { const part = reader.take(entries * 8); return new Float64Array(part.buffer, part.byteOffset, entries) }
  }
}

class PartReader {
  readonly #bytes: Uint8Array
  #at: number

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  take(size: number): Uint8Array {
    const part = this.#bytes.subarray(this.#at, this.#at + size)
    if (!(size >= 0) || part.byteLength !== size) throw corrupt(`a column of ${size} bytes at ${this.#at} lies beyond its ${this.#bytes.byteLength} bytes`)
    this.#at += padded(size)
    return part
  }
}

function unreadable(): never { throw corrupt('a column of objects has no reader') }

function corrupt(what: string): MillraceError {
  return new MillraceError('STATE_CORRUPT', `a window snapshot is corrupt: ${what}`)
}
