import { parquetSchema } from 'hyparquet'
import type { AsyncBuffer, ColumnMetaData, Compressors, FileMetaData, RowGroup, SchemaTree } from 'hyparquet'
import { MAX_DEPTH, MAX_UNPACKED_BYTES } from '../../model/decoding-limits.ts'
import { checkDeltas, sumOfDeltas } from './parquet-deltas.ts'
import { unpackPage } from './parquet-compression.ts'
import { checkRuns, type PageCursor } from './parquet-runs.ts'
import { ThriftReader, type ThriftStruct } from './thrift-reader.ts'
import { unreadableParquet } from './unreadable-parquet.ts'

/**
 * Everything that hyparquet is given to decode is bounded here first: it believes every length, and a file of a few
 * kB could keep it busy for ever or take all memory. What it costs is a walk over the runs of a page, not over values.
 */

/** A value of a page takes eight bytes at least once it is decoded. */
const MAX_PAGE_VALUES = MAX_UNPACKED_BYTES / 8
/** A row group is decoded as a whole: its needed columns together. */
const MAX_GROUP_VALUES = 4 * MAX_PAGE_VALUES
const MAX_GROUP_BYTES = 8 * MAX_UNPACKED_BYTES
/** Behind a footer: its length, and PAR1. */
const TAIL_BYTES = 8
const MAGIC = 0x31524150
/** Each chunk of a column begins at an address of its own, further from the others than reads are joined over. */
const CHUNK_SPACING = 2 ** 33

/** Field ids and numbers of parquet.thrift. */
const PAGE = { type: 1, unpackedSize: 2, packedSize: 3, data: 5, dictionary: 7, dataV2: 8 } as const
const PAGE_TYPE = { data: 0, dictionary: 2, dataV2: 3 } as const
const DATA = { values: 1, encoding: 2 } as const
const DATA_V2 = {
  values: 1,
  nulls: 2,
  rows: 3,
  encoding: 4,
  definitionBytes: 5,
  repetitionBytes: 6,
  packed: 7,
} as const
const ENCODING = {
  plainDictionary: 2,
  rle: 3,
  deltas: 5,
  deltaLengths: 6,
  deltaBytes: 7,
  dictionary: 8,
  split: 9,
} as const
const WIDTHS: Readonly<Record<string, number>> = { INT32: 4, FLOAT: 4, INT64: 8, DOUBLE: 8 }

/**
 * The footer of a file, with its length and PAR1 behind it: what hyparquet may read as metadata. Throws
 * PARQUET_INVALID.
 */
export async function boundedFooter(file: AsyncBuffer): Promise<ArrayBuffer> {
  const tail =
    file.byteLength < TAIL_BYTES
      ? undefined
      : new DataView(await file.slice(file.byteLength - TAIL_BYTES, file.byteLength))
  if (tail === undefined || tail.byteLength !== TAIL_BYTES || tail.getUint32(4, true) !== MAGIC)
    throw unreadableParquet('it does not end with PAR1')
  const length = tail.getUint32(0, true)
  if (length > file.byteLength - TAIL_BYTES || length > MAX_UNPACKED_BYTES)
    throw unreadableParquet(
      `its footer has ${length} of ${file.byteLength} bytes, at most ${MAX_UNPACKED_BYTES} are read`,
    )
  const footer = await file.slice(file.byteLength - TAIL_BYTES - length, file.byteLength)
  new ThriftReader(new Uint8Array(footer, 0, length), 0).struct()
  return footer
}

/** Called with the metadata of a footer that passed checkFooter. Throws PARQUET_INVALID. */
export function checkSchema({ schema, row_groups: groups }: FileMetaData): void {
  if (subtreeEnd(schema, 0, 0) !== schema.length) throw unreadableParquet('its schema is no tree')
  if (schema.some(({ logical_type: logical }) => logical?.type === 'VARIANT'))
    throw unreadableParquet('it has a column of type VARIANT, which is not read')
  for (const { num_rows: rows, columns } of groups) {
    if (columns.some(({ meta_data: meta }) => !Array.isArray(meta?.path_in_schema)))
      throw unreadableParquet('a column has no path')
    if (typeof rows !== 'bigint' || rows < 0n || rows > BigInt(MAX_GROUP_VALUES))
      throw unreadableParquet(`a row group has ${String(rows)} rows, at most ${MAX_GROUP_VALUES} are read`)
  }
}

/** The index behind an element and all that is inside of it. */
function subtreeEnd(schema: FileMetaData['schema'], at: number, depth: number): number {
  const element = schema[at]
  if (element === undefined || depth > MAX_DEPTH) throw unreadableParquet('its schema is no tree')
  let end = at + 1
  for (let left = element.num_children ?? 0; left > 0; left--) end = subtreeEnd(schema, end, depth + 1)
  return end
}

/** What hyparquet reads one row group from: the only group of its metadata. */
export interface BoundedGroup {
  file: AsyncBuffer
  metadata: FileMetaData
  compressors: Compressors
}

/** Reads the chunks of the columns with these names. Throws PARQUET_INVALID. */
export async function boundedGroup(
  file: AsyncBuffer,
  metadata: FileMetaData,
  group: RowGroup,
  names: ReadonlySet<string>,
): Promise<BoundedGroup> {
  const tree = parquetSchema(metadata)
  const chunks: ArrayBuffer[] = []
  const columns: RowGroup['columns'] = []
  const compressors: Record<string, (bytes: Uint8Array, length: number) => Uint8Array> = {}
  const left = { values: MAX_GROUP_VALUES, bytes: MAX_GROUP_BYTES }
  for (const column of group.columns) {
    const meta = column.meta_data
    if (meta === undefined) throw unreadableParquet('a column has no metadata')
    if (!names.has(meta.path_in_schema[0] ?? '')) continue
    const start = Number(meta.dictionary_page_offset || meta.data_page_offset)
    const size = Number(meta.total_compressed_size)
    if (!(start >= 0 && size >= 0 && start + size <= file.byteLength && size <= MAX_GROUP_BYTES))
      throw unreadableParquet(`${meta.path_in_schema.join('.')} has ${size} bytes at ${start} of ${file.byteLength}`)
    const chunk = await file.slice(start, start + size)
    const leaf = leafOf(tree, meta)
    const pages = pagesOf(new Uint8Array(chunk), leaf, left)
    const codec = `${meta.codec} ${chunks.length}`
    compressors[codec] = (bytes, length) => {
      const page = pages.shift()
      if (page === undefined) throw unreadableParquet('a page was not expected')
      const unpacked = unpackPage(meta.codec, bytes, length)
      checkPage(unpacked, page, leaf)
      return unpacked
    }
    const offset = BigInt(chunks.length) * BigInt(CHUNK_SPACING)
    const { dictionary_page_offset: _none, ...rest } = meta
    columns.push({
      file_path: column.file_path,
      file_offset: offset,
      meta_data: { ...rest, data_page_offset: offset, codec: codec as typeof meta.codec },
    } as RowGroup['columns'][number])
    chunks.push(chunk)
  }
  return {
    file: chunkBuffer(chunks),
    metadata: { ...metadata, num_rows: group.num_rows, row_groups: [{ ...group, columns }] },
    compressors: compressors as Compressors,
  }
}

function chunkBuffer(chunks: readonly ArrayBuffer[]): AsyncBuffer {
  return {
    byteLength: chunks.length * CHUNK_SPACING,
    slice(start, end = start) {
      const index = Math.floor(start / CHUNK_SPACING)
      const chunk = chunks[index]
      const from = start - index * CHUNK_SPACING
      if (chunk === undefined) throw unreadableParquet(`nothing was read at ${start}`)
      return from === 0 && end - start === chunk.byteLength ? chunk : chunk.slice(from, from + end - start)
    },
  }
}

/** A column that has values: how deep its lists and nulls go. */
interface Leaf {
  /** As the chunk has it: hyparquet goes by that, and not by the schema. */
  type: string | undefined
  typeLength: number
  repetition: number
  definition: number
}

function leafOf(tree: SchemaTree, { type, path_in_schema: path }: ColumnMetaData): Leaf {
  let node: SchemaTree = tree
  // hyparquet counts the root too
  let repetition = tree.element.repetition_type === 'REPEATED' ? 1 : 0
  let definition = 0
  for (const name of path) {
    const child = node.children.find(({ element }) => element.name === name)
    if (child === undefined) throw unreadableParquet(`its schema has no ${path.join('.')}`)
    node = child
    if (node.element.repetition_type === 'REPEATED') repetition++
    if (node.element.repetition_type !== 'REQUIRED') definition++
  }
  return { type, typeLength: node.element.type_length ?? 0, repetition, definition }
}

/** A page to be unpacked, as its header has it. */
interface Page {
  kind: 'data' | 'dataV2' | 'dictionary'
  encoding: number
  values: number
  /** Nulls of V2, which says them; those of a `data` page are counted where it matters. */
  nulls: number
}

/** The pages of a chunk whose values hyparquet lets unpack, in order; what is not compressed in them is checked. */
function pagesOf(chunk: Uint8Array, leaf: Leaf, left: { values: number; bytes: number }): Page[] {
  const pages: Page[] = []
  for (let at = 0; at < chunk.length - 1; ) {
    const reader = new ThriftReader(chunk, at)
    const header = reader.struct()
    const packed = numberOf(header, PAGE.packedSize)
    const unpacked = numberOf(header, PAGE.unpackedSize)
    if (packed < 0 || packed > chunk.length - reader.at)
      throw unreadableParquet(
        `a page of ${packed} bytes begins ${chunk.length - reader.at} before the end of its column`,
      )
    if (unpacked < 0 || unpacked > MAX_UNPACKED_BYTES)
      throw unreadableParquet(`a page unpacks to ${unpacked} bytes, at most ${MAX_UNPACKED_BYTES} are read`)
    const page = pageOf(header)
    left.values -= page.values
    left.bytes -= unpacked
    if (left.values < 0) throw unreadableParquet(`the columns have more than ${MAX_GROUP_VALUES} values`)
    if (left.bytes < 0) throw unreadableParquet(`the columns unpack to more than ${MAX_GROUP_BYTES} bytes`)
    const bytes = chunk.subarray(reader.at, reader.at + packed)
    if (page.kind !== 'dataV2') pages.push(page)
    else if (checkLevelsV2(bytes, structOf(header, PAGE.dataV2), page, leaf)) pages.push(page)
    at = reader.at + packed
  }
  return pages
}

function pageOf(header: ThriftStruct): Page {
  const type = numberOf(header, PAGE.type)
  switch (type) {
    case PAGE_TYPE.data: {
      const data = structOf(header, PAGE.data)
      return { kind: 'data', encoding: numberOf(data, DATA.encoding), values: valuesOf(data, DATA.values), nulls: 0 }
    }
    case PAGE_TYPE.dictionary: {
      const data = structOf(header, PAGE.dictionary)
      return { kind: 'dictionary', encoding: 0, values: valuesOf(data, DATA.values), nulls: 0 }
    }
    case PAGE_TYPE.dataV2: {
      const data = structOf(header, PAGE.dataV2)
      const values = valuesOf(data, DATA_V2.values)
      const nulls = numberOf(data, DATA_V2.nulls)
      const rows = numberOf(data, DATA_V2.rows)
      if (nulls < 0 || nulls > values || rows < 0 || rows > values)
        throw unreadableParquet(`a page of ${values} values has ${nulls} nulls in ${rows} rows`)
      return { kind: 'dataV2', encoding: numberOf(data, DATA_V2.encoding), values, nulls }
    }
    default:
      throw unreadableParquet(`a page is of type ${type}`)
  }
}

/** Levels of V2 are never compressed. Returns whether the values behind them are; when not, they are checked too. */
function checkLevelsV2(bytes: Uint8Array, data: ThriftStruct, page: Page, leaf: Leaf): boolean {
  const repetition = numberOf(data, DATA_V2.repetitionBytes)
  const definition = numberOf(data, DATA_V2.definitionBytes)
  if (repetition < 0 || definition < 0 || repetition + definition > bytes.length)
    throw unreadableParquet(`levels of ${repetition} and ${definition} bytes are in a page of ${bytes.length}`)
  if (leaf.repetition > 0) checkRuns({ bytes, at: 0 }, bitWidth(leaf.repetition), page.values)
  if (leaf.definition > 0) checkRuns({ bytes, at: repetition }, bitWidth(leaf.definition), page.values)
  if (data.get(DATA_V2.packed) !== 0) return true
  checkPage(bytes.subarray(repetition + definition), page, leaf)
  return false
}

function checkPage(bytes: Uint8Array, page: Page, leaf: Leaf): void {
  const cursor: PageCursor = { bytes, at: 0 }
  if (page.kind === 'dictionary') return
  let values = page.values - page.nulls
  if (page.kind === 'data') {
    if (leaf.repetition > 0) checkLevels(cursor, leaf.repetition, page.values)
    if (leaf.definition > 0) {
      const found = checkLevels(cursor, leaf.definition, page.values, isCounted(page.encoding))
      if (found !== undefined) values = found
    }
  }
  checkValues(cursor, page.encoding, values, leaf)
}

/** Encodings whose bounds depend on how many values there are, and not only on at most how many. */
function isCounted(encoding: number): boolean {
  return encoding >= ENCODING.deltas && encoding !== ENCODING.dictionary
}

/** The levels of a `data` page stand behind their length. Returns how many are the deepest, where that is asked. */
function checkLevels(cursor: PageCursor, max: number, count: number, counted = false): number | undefined {
  const { bytes, at } = cursor
  if (at + 4 > bytes.length) throw unreadableParquet('a page ends before its levels')
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true)
  const levels: PageCursor = { bytes, at: at + 4 }
  const found = checkRuns(levels, bitWidth(max), count, counted ? max : undefined)
  cursor.at = at + 4 + length
  if (cursor.at > bytes.length) throw unreadableParquet(`levels of ${length} bytes are in a page of ${bytes.length}`)
  return counted ? found : undefined
}

function checkValues(cursor: PageCursor, encoding: number, count: number, leaf: Leaf): void {
  const { bytes } = cursor
  switch (encoding) {
    case ENCODING.plainDictionary:
    case ENCODING.dictionary: {
      const width = bytes[cursor.at++] ?? 0
      if (leaf.type === 'BOOLEAN') throw unreadableParquet('booleans have a dictionary')
      checkRuns(cursor, width, count)
      return
    }
    case ENCODING.rle:
      if (leaf.type !== 'BOOLEAN') throw unreadableParquet(`values of type ${String(leaf.type)} are runs`)
      // behind their length
      cursor.at += 4
      checkRuns(cursor, 1, count)
      return
    case ENCODING.deltas:
    case ENCODING.deltaLengths:
      checkDeltas(cursor, count)
      return
    case ENCODING.deltaBytes: {
      const copied = sumOfDeltas(cursor, count)
      if (copied > MAX_UNPACKED_BYTES)
        throw unreadableParquet(`values repeat ${copied} bytes of those before, at most ${MAX_UNPACKED_BYTES} are read`)
      checkDeltas(cursor, count)
      return
    }
    case ENCODING.split: {
      const width = WIDTHS[leaf.type ?? ''] ?? leaf.typeLength
      if (count * width > bytes.length - cursor.at)
        throw unreadableParquet(`${count} values of ${width} bytes are in ${bytes.length - cursor.at} bytes`)
    }
  }
}

function bitWidth(value: number): number {
  return 32 - Math.clz32(value)
}

function numberOf(struct: ThriftStruct, id: number): number {
  const value = struct.get(id)
  if (typeof value !== 'number') throw unreadableParquet(`the header of a page has no number ${id}`)
  return value
}

function structOf(struct: ThriftStruct, id: number): ThriftStruct {
  const value = struct.get(id)
  if (value === undefined || typeof value === 'number') throw unreadableParquet('a page has no header of its type')
  return value
}

function valuesOf(data: ThriftStruct, id: number): number {
  const values = numberOf(data, id)
  if (values < 0 || values > MAX_PAGE_VALUES)
    throw unreadableParquet(`a page has ${values} values, at most ${MAX_PAGE_VALUES} are read`)
  return values
}
