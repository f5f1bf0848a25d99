import { parquetMetadata, parquetScan } from 'hyparquet'
import type { AsyncBuffer, DecodedArray, FileMetaData, ParquetParsers } from 'hyparquet'
import type { RowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { utf8Text } from '../../model/utf8-text.ts'
import { valueTypeText } from '../../model/value-type.ts'
import type { Files } from '../../ports/files.ts'
import { boundedFooter, boundedGroup, checkSchema } from './parquet-bounds.ts'
import { columnConverter, decimalConverter, type ColumnConverter } from './parquet-values.ts'
import { unreadableParquet } from './unreadable-parquet.ts'
import type { BadRecordHandler, RowChunk, SplitStream } from './split-stream.ts'

/** Times as milliseconds since the epoch instead of Date objects, which are days; local timestamps are read as UTC. */
const PARSERS: Partial<ParquetParsers> = {
  timestampFromMilliseconds: (millis: bigint) => Number(millis),
  timestampFromMicroseconds: (micros: bigint) => wholeMillis(micros, 1000),
  timestampFromNanoseconds: (nanos: bigint) => wholeMillis(nanos, 1_000_000),
  dateFromDays: (days: number) => new Date(days * 86_400_000),
  // the decoder's own would put U+FFFD where a text is not UTF-8, and leave out a U+FEFF at its beginning
  stringFromBytes: textOrBytes,
  jsonFromBytes: (bytes: Uint8Array | undefined) => {
    const text = textOrBytes(bytes)
    return typeof text === 'string' ? (JSON.parse(text) as unknown) : text
  },
}

/** Times as the microseconds since the epoch, for a field of digits; what is finer fits none. */
const MICRO_PARSERS: Partial<ParquetParsers> = {
  ...PARSERS,
  timestampFromMilliseconds: (millis: bigint) => millis * 1000n,
  timestampFromMicroseconds: (micros: bigint) => micros,
  timestampFromNanoseconds: (nanos: bigint) => (nanos % 1000n === 0n ? nanos / 1000n : Number.NaN),
}

/** The bytes themselves where they are not UTF-8. */
function textOrBytes(bytes: Uint8Array | undefined): string | Uint8Array | undefined {
  return bytes && (utf8Text(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length) ?? bytes)
}

/** Microseconds are cut to milliseconds, before 1970 too. A double holds the microseconds of some 285 years only. */
function wholeMillis(units: bigint, perMilli: number): number {
  const approximate = Number(units)
  if (Number.isSafeInteger(approximate)) return Math.floor(approximate / perMilli)
  const rest = ((units % BigInt(perMilli)) + BigInt(perMilli)) % BigInt(perMilli)
  return Number((units - rest) / BigInt(perMilli))
}

/** A Parquet file with its footer read. */
export interface ParquetFile {
  path: string
  buffer: AsyncBuffer
  metadata: FileMetaData
  /** The scale of columns of decimals that come as their units. */
  scales: ReadonlyMap<string, number>
}

/** Throws FILE_UNREADABLE naming the path. */
export async function openParquetFile(files: Pick<Files, 'sizeBytes' | 'read'>, path: string): Promise<ParquetFile> {
  try {
    const buffer: AsyncBuffer = {
      byteLength: await files.sizeBytes(path),
      async slice(start, end) {
        const bytes = await files.read(path, start, (end ?? this.byteLength) - start)
        return bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength
          ? (bytes.buffer as ArrayBuffer)
          : // `slice` of a Buffer would be a view
            new Uint8Array(bytes).buffer
      },
    }
    // its search for columns of geometry walks over the schema, which is checked only then, and may not end
    const metadata = parquetMetadata(await boundedFooter(buffer), { geoparquet: false })
    checkSchema(metadata)
    return { path, buffer, metadata, scales: takeDecimals(metadata) }
  } catch (cause) {
    if (cause instanceof MillraceError && isOfStorage(cause)) throw cause
    throw new MillraceError('FILE_UNREADABLE', `cannot read ${path} as Parquet`, { domain: 'user', cause })
  }
}

function converterOf(field: Field, scale: number | undefined): ColumnConverter {
  return scale === undefined ? columnConverter(field) : decimalConverter(field, scale)
}

/**
 * The decoder makes doubles of decimals. It is told nothing of them where it then gives their units as they are: of
 * columns that are no part of a list or struct, and not of variable length. Returns their scales by column.
 */
function takeDecimals({ schema }: FileMetaData): Map<string, number> {
  const scales = new Map<string, number>()
  const [root, ...elements] = schema
  for (let at = 0, left = root?.num_children ?? 0; left > 0; left--) {
    const element = elements[at]
    if (element === undefined) break
    if (element.converted_type === 'DECIMAL' && element.type !== 'BYTE_ARRAY') {
      scales.set(element.name, element.scale ?? 0)
      delete element.converted_type
      delete element.logical_type
    }
    at = behind(elements, at)
  }
  return scales
}

/** The index behind an element and all that is inside of it. */
function behind(elements: FileMetaData['schema'], at: number): number {
  let next = at + 1
  for (let children = elements[at]?.num_children ?? 0; children > 0; children--) next = behind(elements, next)
  return next
}

export interface ParquetSplitParts {
  file: ParquetFile
  group: number
  /** Number of the next row in the group. */
  next: number | undefined
  schema: Schema
  rows: RowClass
  eventTimeField: string | undefined
  /** How timestamps come, of which a field of milliseconds and one of digits take each their own; milliseconds. */
  timestamps?: 'milliseconds' | 'microseconds'
  onBadRecord: BadRecordHandler
}

interface Column {
  field: Field
  convert: ColumnConverter
  values: DecodedArray
}

/** The rows of one row group. Its needed columns are decoded at the first read, rows are made chunk by chunk. */
export class ParquetSplit implements SplitStream {
  readonly #parts: ParquetSplitParts
  readonly #groupRows: number
  #next: number
  #columns: Column[] | undefined

  constructor(parts: ParquetSplitParts) {
    this.#parts = parts
    this.#next = parts.next ?? 0
    const group = parts.file.metadata.row_groups[parts.group]
    if (!group) {
      throw new MillraceError(
        'FILE_CHANGED',
        `${parts.file.path} has ${parts.file.metadata.row_groups.length} row groups, the checkpoint knows number ${parts.group}`,
        {
          domain: 'user',
          hint: 'files must not change while a job reads them',
        },
      )
    }
    this.#groupRows = Number(group.num_rows)
  }

  async read(maxRows: number): Promise<RowChunk | undefined> {
    const columns = (this.#columns ??= await this.#readColumns())
    const chunk: RowChunk = { rows: [], nextAfter: [] }
    const values: unknown[] = new Array(columns.length)
    while (chunk.rows.length < maxRows && this.#next < this.#groupRows) {
      const index = this.#next++
      if (!this.#fill(values, columns, index)) continue
      chunk.rows.push(new this.#parts.rows(...values))
      chunk.nextAfter.push(this.#next)
    }
    return chunk.rows.length > 0 ? chunk : undefined
  }

  #fill(values: unknown[], columns: readonly Column[], index: number): boolean {
    for (let at = 0; at < columns.length; at++) {
      const column = columns[at]
      if (!column) continue
      try {
        values[at] = this.#valueAt(column, index)
      } catch (error) {
        if (!(error instanceof MillraceError) || error.code !== 'RECORD_INVALID') throw error
        this.#reportBad(error, index)
        return false
      }
    }
    return true
  }

  /** Throws RECORD_INVALID for a value that the field cannot take. */
  #valueAt({ field, convert, values }: Column, index: number): unknown {
    const found = values[index]
    const value = convert(found)
    const isMissing = value === null && (!field.nullable || field.name === this.#parts.eventTimeField)
    if (value !== undefined && !isMissing) return value
    throw new MillraceError(
      'RECORD_INVALID',
      `field '${field.name}' must be a ${valueTypeText(field)}, found ${foundText(found)}`,
      { domain: 'user' },
    )
  }

  #reportBad(error: MillraceError, index: number): void {
    const raw = Object.fromEntries((this.#columns ?? []).map(({ field, values }) => [field.name, values[index]]))
    this.#parts.onBadRecord(
      error,
      `${this.#parts.file.path} at row ${index} of row group ${this.#parts.group}`,
      shown(() => JSON.stringify(raw, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))),
    )
  }

  async #readColumns(): Promise<Column[]> {
    const { file, group, schema } = this.#parts
    const rowGroup = file.metadata.row_groups[group]
    const present = new Set(rowGroup?.columns.map((column) => column.meta_data?.path_in_schema[0]))
    const missing = schema.fields.filter((field) => !present.has(field.name))
    const refused = missing.find((field) => !field.nullable)
    if (refused) {
      throw new MillraceError(
        'SCHEMA_MISMATCH',
        `${file.path} has no column ${refused.name}; it has ${[...present].join(', ')}`,
        {
          domain: 'user',
          hint: `correct the name or make the field nullable (${refused.name}: ${refused.type}?)`,
        },
      )
    }
    const columns = schema.fields.map((field) => field.name).filter((name) => present.has(name))
    const range = { rowStart: 0, rowEnd: this.#groupRows }
    try {
      if (rowGroup === undefined) throw unreadableParquet(`it has no row group ${group}`)
      const bounded = await boundedGroup(file.buffer, file.metadata, rowGroup, new Set(columns))
      const parsers = this.#parts.timestamps === 'microseconds' ? MICRO_PARSERS : PARSERS
      const about = { ...bounded, parsers, columns, ...range }
      const scan = await parquetScan(about)
      // of bytes that nothing says to be a text it makes one unless it is told not to
      const scanOfBytes = schema.fields.some(isBytes) ? await parquetScan({ ...about, utf8: false }) : scan
      return await Promise.all(
        schema.fields.map(async (field) => {
          const values = present.has(field.name)
            ? await (isBytes(field) ? scanOfBytes : scan).readColumn({ column: field.name, ...range })
            : []
          if (present.has(field.name) && values.length < this.#groupRows)
            throw unreadableParquet(`${field.name} has ${values.length} values in ${this.#groupRows} rows`)
          return { field, convert: converterOf(field, file.scales.get(field.name)), values }
        }),
      )
    } catch (cause) {
      if (cause instanceof MillraceError && isOfStorage(cause)) throw cause
      throw new MillraceError('FILE_UNREADABLE', `cannot read row group ${group} of ${file.path}`, {
        domain: 'user',
        cause,
      })
    }
  }
}

function foundText(found: unknown): string {
  if (found === null || found === undefined) return 'null'
  if (found instanceof Uint8Array) return 'bytes that are not UTF-8'
  return `${typeof found} ${shown(() => String(found)).slice(0, 100)}`
}

/** The file may be sound: its storage did not give it, or gave another. */
function isOfStorage({ retriable, code }: MillraceError): boolean {
  return retriable || code === 'OBJECT_CHANGED' || code === 'OBJECTS_REFUSED'
}

function isBytes({ logical }: Field): boolean {
  return logical?.kind === 'bytes'
}

/** Printing walks over a value, and overflows the stack where it is nested too deep. */
function shown(print: () => string): string {
  try {
    return print()
  } catch (error) {
    if (error instanceof RangeError) return 'a value that is nested too deep to be shown'
    throw error
  }
}
