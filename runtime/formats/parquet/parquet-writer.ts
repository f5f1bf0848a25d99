import type { Batch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Schema } from '../../model/schema.ts'
import { ColumnChunk, PHYSICAL, type ColumnSummary } from './column-chunk.ts'
import type { ParquetCompression } from './packed-page.ts'
import { columnType, type ColumnType } from './column-type.ts'
import type { Bounds } from './page-values.ts'
import { i32, i64, list, struct, thriftBytes, utf8, type Thrift } from './thrift-writer.ts'

const MAGIC = Buffer.from('PAR1')
const GROUP_ROWS = 128 * 1024
const GROUP_BYTES = 32 * 1024 * 1024
const REQUIRED = 0
const OPTIONAL = 1

export interface ParquetOptions {
  readonly compression: ParquetCompression
  /** JSON and values with a shape are annotated as this. */
  readonly jsonAs: 'json' | 'text'
  /** By the name of a field, how it is held where that does not follow from the field. */
  readonly types?: ReadonlyMap<string, ColumnType>
}

/** Statistics of a whole file, by the place of the field in the schema. */
export interface ParquetSummary {
  readonly rows: number
  readonly columns: readonly ColumnSummary[]
}

/**
 * Writes one Parquet file (parquet-format 2.12: data pages v1, PLAIN and RLE_DICTIONARY, statistics by row group)
 * straight from the columns of batches; a batch without columns is read by rows. Row groups have about 128 Ki rows or
 * 32 MiB, which is what the writer holds in memory. Called in the order add*, end.
 */
export class ParquetWriter {
  readonly #schema: Schema
  readonly #types: readonly ColumnType[]
  readonly #chunks: readonly ColumnChunk[]
  readonly #nulls: number[]
  readonly #bounds: (Bounds | undefined)[]
  #isBounded: boolean[]
  #groups: Thrift[] = []
  #ready: Uint8Array[] = [MAGIC]
  /** Bytes of the file so far, taken or not. */
  #offset = MAGIC.length
  #groupRows = 0
  #rows = 0

  constructor(schema: Schema, { compression, jsonAs, types }: ParquetOptions) {
    this.#schema = schema
    this.#types = schema.fields.map((field) => types?.get(field.name) ?? columnType(field, jsonAs))
    this.#chunks = schema.fields.map(
      (field, place) => new ColumnChunk(field, place, this.#types[place] as ColumnType, compression),
    )
    this.#nulls = schema.fields.map(() => 0)
    this.#bounds = schema.fields.map(() => undefined)
    this.#isBounded = schema.fields.map(() => true)
  }

  /** The size of the file so far, with all that is held in memory. */
  get sizeBytes(): number {
    return this.#offset + this.#chunks.reduce((sum, chunk) => sum + chunk.sizeBytes, 0)
  }

  get rows(): number {
    return this.#rows
  }

  /**
   * Takes all rows; nothing of the batch is kept. Throws RECORD_INVALID for a value that its column cannot hold, after
   * which the writer is of no use any more.
   */
  add(batch: Batch): void {
    const { count, columns } = batch
    if (columns === undefined) {
      const rows = batch.rows()
      for (const chunk of this.#chunks) chunk.addRows(rows, count)
    } else for (const chunk of this.#chunks) chunk.addColumns(columns, count)
    this.#rows += count
    this.#groupRows += count
    if (this.#groupRows >= GROUP_ROWS || this.sizeBytes - this.#offset >= GROUP_BYTES) this.#endGroup()
  }

  /** The bytes of the file that are ready since the last call. */
  take(): Uint8Array[] {
    const ready = this.#ready
    this.#ready = []
    return ready
  }

  /** Ends the file: `take` gives the rest of it. */
  end(): ParquetSummary {
    if (this.#groupRows > 0) this.#endGroup()
    const footer = thriftBytes([
      [1, i32(2)],
      [2, list('struct', [this.#root(), ...this.#schema.fields.map((_, place) => this.#element(place))])],
      [3, i64(this.#rows)],
      [4, list('struct', this.#groups)],
      [6, utf8('millrace')],
      [
        7,
        list(
          'struct',
          this.#schema.fields.map(() => struct([1, struct()])),
        ),
      ],
    ])
    const length = Buffer.alloc(4)
    length.writeUInt32LE(footer.length)
    this.#put(footer, length, MAGIC)
    return {
      rows: this.#rows,
      columns: this.#nulls.map((nulls, place) => ({
        nulls,
        bounds: this.#isBounded[place] === true ? this.#bounds[place] : undefined,
      })),
    }
  }

  #endGroup(): void {
    const start = this.#offset
    const metadata: Thrift[] = []
    let unpackedBytes = 0
    for (const [place, column] of this.#chunks.entries()) {
      const chunk = column.take()
      metadata.push(chunk.metadata(this.#offset))
      this.#put(...chunk.parts)
      unpackedBytes += chunk.unpackedBytes
      this.#sumUp(place, chunk.summary, this.#groupRows)
    }
    this.#groups.push(
      struct(
        [1, list('struct', metadata)],
        [2, i64(unpackedBytes)],
        [3, i64(this.#groupRows)],
        [5, i64(start)],
        [6, i64(this.#offset - start)],
      ),
    )
    this.#groupRows = 0
  }

  #sumUp(place: number, { nulls, bounds }: ColumnSummary, rows: number): void {
    this.#nulls[place] = (this.#nulls[place] ?? 0) + nulls
    if (bounds !== undefined) this.#bounds[place] = joined(this.#bounds[place], bounds)
    else if (nulls < rows) this.#isBounded[place] = false
  }

  #put(...parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      this.#ready.push(part)
      this.#offset += part.length
    }
  }

  #root(): Thrift {
    return struct([4, utf8('schema')], [5, i32(this.#schema.fields.length)])
  }

  #element(place: number): Thrift {
    const field = this.#schema.fields[place]
    const type = this.#types[place]
    if (field === undefined || type === undefined)
      throw new MillraceError('PARQUET_SCHEMA', `there is no field ${place}`)
    const optional = (value: number | undefined): Thrift | undefined => (value === undefined ? undefined : i32(value))
    return struct(
      [1, i32(PHYSICAL[type.physical])],
      [2, optional(type.length)],
      [3, i32(field.nullable ? OPTIONAL : REQUIRED)],
      [4, utf8(field.name)],
      [6, optional(type.converted)],
      [7, optional(type.scale)],
      [8, optional(type.precision)],
      [10, type.logical],
    )
  }
}

function joined(left: Bounds | undefined, right: Bounds): Bounds {
  if (left === undefined) return right
  return {
    min: isLess(right.min, left.min) ? right.min : left.min,
    max: isLess(left.max, right.max) ? right.max : left.max,
  }
}

function isLess(left: number | Uint8Array, right: number | Uint8Array): boolean {
  if (typeof left === 'number' || typeof right === 'number') return left < right
  return Buffer.compare(left, right) < 0
}
