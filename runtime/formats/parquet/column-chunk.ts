import type { Columns } from '../../memory/batch.ts'
import type { Field, Row } from '../../model/schema.ts'
import { storageOf } from '../../model/type-traits.ts'
import { packedBits, repeatedRun } from './bit-packing.ts'
import type { ColumnType } from './column-type.ts'
import { BitValues, DATE, NumberValues, TIME } from './number-values.ts'
import { ENCODING, isNull, type Bounds, type PageValues } from './page-values.ts'
import { TextValues } from './text-values.ts'
import { CODEC, PAGE, packedPage, type ParquetCompression } from './packed-page.ts'
import { binary, i32, i64, list, struct, utf8, type Thrift } from './thrift-writer.ts'
import { UnitValues } from './unit-values.ts'

/** Type of parquet.thrift. */
export const PHYSICAL: Readonly<Record<ColumnType['physical'], number>> = {
  BOOLEAN: 0,
  INT32: 1,
  INT64: 2,
  DOUBLE: 5,
  BYTE_ARRAY: 6,
  FIXED_LEN_BYTE_ARRAY: 7,
}

const PAGE_ROWS = 16 * 1024
const PAGE_BYTES = 1024 * 1024
/** Rows that are added before the size of the page is looked at. */
const STEP_ROWS = 64
/** A longer text is no bound of a row group: it would be in the footer twice. */
const MAX_BOUND_BYTES = 256

/** Statistics of a column's values. */
export interface ColumnSummary {
  readonly nulls: number
  readonly bounds: Bounds | undefined
}

export interface WrittenChunk {
  /** The pages, the dictionary first. */
  readonly parts: readonly Uint8Array[]
  readonly sizeBytes: number
  readonly unpackedBytes: number
  /** ColumnChunk of parquet.thrift for a chunk that begins at `offset` of the file. */
  metadata(offset: number): Thrift
  readonly summary: ColumnSummary
}

/** One column of the row group that is being written: levels and values by page, each page packed when it is full. */
export class ColumnChunk {
  readonly #field: Field
  readonly #place: number
  readonly #type: ColumnType
  readonly #compression: ParquetCompression
  readonly #values: PageValues
  /** A bit for each row of the page: 1 where there is a value. */
  readonly #present = new Uint8Array((PAGE_ROWS + STEP_ROWS) / 8)
  #pageRows = 0
  #pageNulls = 0
  #pages: Uint8Array[] = []
  #encodings = new Set<number>()
  #packedBytes = 0
  #unpackedBytes = 0
  #rows = 0
  #nulls = 0

  constructor(field: Field, place: number, type: ColumnType, compression: ParquetCompression) {
    this.#field = field
    this.#place = place
    this.#type = type
    this.#compression = compression
    this.#values = valuesOf(field, place, type)
  }

  /** In memory, about. */
  get sizeBytes(): number {
    return this.#packedBytes + this.#values.sizeBytes
  }

  addColumns(columns: Columns, count: number): void {
    const nulls = columns.nulls(this.#place)
    for (let from = 0; from < count; from += STEP_ROWS) {
      const to = Math.min(count, from + STEP_ROWS)
      for (let row = from; row < to; row++) this.#putLevel(isNull(nulls, row))
      this.#values.addColumn(columns, nulls, from, to)
      this.#endFullPage()
    }
  }

  addRows(rows: readonly Row[], count: number): void {
    const { name } = this.#field
    for (let index = 0; index < count; index++) {
      const value = rows[index]?.[name]
      const isMissing = value === null || value === undefined
      this.#putLevel(isMissing)
      if (!isMissing) this.#values.addValue(value)
      if (index % STEP_ROWS === STEP_ROWS - 1 || index === count - 1) this.#endFullPage()
    }
  }

  /** Ends the row group, and begins the next. */
  take(): WrittenChunk {
    if (this.#pageRows > 0) this.#endPage()
    const dictionary = this.#values.takeDictionary?.()
    const parts = this.#pages
    let dictionaryBytes = 0
    if (dictionary !== undefined) {
      const head = [7, struct([1, i32(dictionary.count)], [2, i32(ENCODING.plain)])] as const
      const page = this.#packed(PAGE.dictionary, dictionary.bytes, head)
      dictionaryBytes = page.length
      parts.unshift(page)
    }
    const summary = { nulls: this.#nulls, bounds: this.#values.takeBounds() }
    const [sizeBytes, unpackedBytes] = [this.#packedBytes, this.#unpackedBytes]
    const statistics = this.#statistics(summary)
    const encodings = [...new Set([ENCODING.plain, ENCODING.rle, ...this.#encodings])]
    const rows = this.#rows
    this.#reset()
    return {
      parts,
      sizeBytes,
      unpackedBytes,
      summary,
      metadata: (offset) =>
        struct(
          [2, i64(offset)],
          [
            3,
            struct(
              [1, i32(PHYSICAL[this.#type.physical])],
              [2, list('i32', encodings.map(i32))],
              [3, list('binary', [utf8(this.#field.name)])],
              [4, i32(CODEC[this.#compression])],
              [5, i64(rows)],
              [6, i64(unpackedBytes)],
              [7, i64(sizeBytes)],
              [9, i64(offset + dictionaryBytes)],
              [11, dictionaryBytes === 0 ? undefined : i64(offset)],
              [12, statistics],
            ),
          ],
        ),
    }
  }

  #putLevel(isMissing: boolean): void {
    const row = this.#pageRows++
    if (isMissing) this.#pageNulls++
    else this.#present[row >> 3] = (this.#present[row >> 3] as number) | (1 << (row & 7))
  }

  #endFullPage(): void {
    if (this.#pageRows >= PAGE_ROWS || this.#values.sizeBytes >= PAGE_BYTES) this.#endPage()
  }

  #endPage(): void {
    const { bytes, encoding } = this.#values.takePage()
    const parts = this.#field.nullable ? [...this.#levels(), bytes] : [bytes]
    const head = struct([1, i32(this.#pageRows)], [2, i32(encoding)], [3, i32(ENCODING.rle)], [4, i32(ENCODING.rle)])
    this.#pages.push(this.#packed(PAGE.data, Buffer.concat(parts), [5, head]))
    this.#encodings.add(encoding)
    this.#rows += this.#pageRows
    this.#nulls += this.#pageNulls
    this.#present.fill(0)
    this.#pageRows = 0
    this.#pageNulls = 0
  }

  #levels(): Uint8Array[] {
    const run = this.#pageNulls === 0 ? repeatedRun(1, this.#pageRows, 1) : packedBits(this.#present, this.#pageRows)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(run.length)
    return [length, run]
  }

  #packed(type: number, bytes: Uint8Array, head: readonly [number, Thrift]): Uint8Array {
    const { page, unpackedBytes } = packedPage(type, bytes, head, this.#compression)
    this.#unpackedBytes += unpackedBytes
    this.#packedBytes += page.length
    return page
  }

  #statistics({ nulls, bounds }: ColumnSummary): Thrift {
    const [min, max] =
      bounds === undefined
        ? []
        : [this.#values.boundBytes(lowerZero(bounds.min)), this.#values.boundBytes(upperZero(bounds.max))]
    const isShort = (bound: Uint8Array | undefined): bound is Uint8Array =>
      bound !== undefined && bound.length <= MAX_BOUND_BYTES
    return struct(
      [3, i64(nulls)],
      [5, isShort(max) ? binary(max) : undefined],
      [6, isShort(min) ? binary(min) : undefined],
    )
  }

  #reset(): void {
    this.#pages = []
    this.#encodings = new Set()
    this.#packedBytes = 0
    this.#unpackedBytes = 0
    this.#rows = 0
    this.#nulls = 0
  }
}

/** Both zeros are between the bounds, whichever of them was seen (parquet.thrift, ColumnOrder). */
function lowerZero(min: number | Uint8Array): number | Uint8Array {
  return min === 0 ? -0 : min
}

function upperZero(max: number | Uint8Array): number | Uint8Array {
  return max === 0 ? 0 : max
}

function valuesOf(field: Field, place: number, { physical, length }: ColumnType): PageValues {
  const { logical } = field
  switch (storageOf(field)) {
    case 'bit':
      return new BitValues(place)
    case 'json':
      return new TextValues(place, 'json')
    case 'text':
      if (logical?.kind === 'bytes') return new TextValues(place, 'bytes')
      if (logical === undefined) return new TextValues(place, 'text')
      return new UnitValues(
        field,
        place,
        length === undefined
          ? { width: physical === 'INT32' ? 4 : 8, isFixed: false }
          : { width: length, isFixed: true },
      )
    case 'number':
      if (logical?.kind === 'date') return new NumberValues(field, place, DATE)
      if (logical?.kind === 'time') return new NumberValues(field, place, TIME)
      if (field.type === 'double') return new NumberValues(field, place, { kind: 'double' })
      return new NumberValues(field, place, { kind: 'long', unit: field.type === 'timestamp' ? 1000 : 1 })
  }
}
