import type { RowClass } from '../../codegen/rows/row.ts'
import {
  blockHead,
  containerHeader,
  invalidAvroFile,
  MARKER_BYTES,
  MOST_BLOCK_HEAD_BYTES,
  MOST_HEADER_BYTES,
  type BlockHead,
  type ContainerHeader,
} from '../../formats/avro-container.ts'
import { avroRecordReader } from '../../formats/avro-reader.ts'
import { ByteInput } from '../../formats/byte-input.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row, Schema } from '../../model/schema.ts'
import type { InputFile } from './input-file.ts'
import type { BadRecordHandler, RowChunk, SplitStream } from './split-stream.ts'

const READ_BYTES = 1024 * 1024
const RAW_BYTES_KEPT = 64 * 1024

/** Throws FILE_UNREADABLE naming the path. */
export async function avroHeader(file: InputFile): Promise<ContainerHeader> {
  const bytes = await file.read(0, MOST_HEADER_BYTES)
  return ofFile(file.path, () => containerHeader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)))
}

export interface AvroSplitParts {
  readonly file: Pick<InputFile, 'path' | 'read'>
  readonly header: ContainerHeader
  readonly start: number
  readonly end: number
  /** How many records of the split have been read, from an earlier chunk's `nextAfter`; undefined: none. */
  readonly next: number | undefined
  readonly schema: Schema
  readonly rows: RowClass
  /** The row's field that may not be null although the schema lets it. */
  readonly eventTimeField: string | undefined
  readonly onBadRecord: BadRecordHandler
}

interface Block {
  readonly bytes: Buffer
  /** Where it is in the file. */
  readonly offset: number
  /** Records from here to the end of it. */
  left: number
  at: number
}

/**
 * The records of those blocks of a file whose marker, the one before the block, begins in bytes [start, end). A split
 * finds its first marker by its bytes, as in Hadoop; a position is a number of records, and blocks before it are passed
 * over without unpacking them.
 */
export class AvroSplit implements SplitStream {
  readonly #parts: AvroSplitParts
  readonly #readValues: (input: ByteInput) => unknown[]
  readonly #passOver: (input: ByteInput) => unknown[]
  readonly #input = new ByteInput()
  #buffer: Buffer = Buffer.alloc(0)
  /** The offset in the file of buffer[0]. */
  #bufferOffset: number
  /** The offset of the next marker; undefined until it is found. */
  #marker: number | undefined
  #fileEnded = false
  #block: Block | undefined
  #skip: number
  #count: number

  constructor(parts: AvroSplitParts) {
    this.#parts = parts
    this.#bufferOffset = parts.start
    this.#skip = parts.next ?? 0
    this.#count = 0
    this.#readValues = avroRecordReader(parts.header.schema, parts.schema.fields)
    this.#passOver = avroRecordReader(parts.header.schema, [])
  }

  async read(maxRows: number): Promise<RowChunk | undefined> {
    const chunk: RowChunk = { rows: [], nextAfter: [] }
    while (chunk.rows.length < maxRows) {
      const block = await this.#openBlock()
      if (block === undefined) break
      this.#take(block, maxRows, chunk)
    }
    return chunk.rows.length > 0 ? chunk : undefined
  }

  /** The block that has the next record; undefined at the end of the split. */
  async #openBlock(): Promise<Block | undefined> {
    while (this.#block === undefined || this.#block.left === 0) {
      const next = await this.#nextBlock()
      if (next === undefined) return undefined
      this.#block = next === 'passed over' ? undefined : next
    }
    return this.#block
  }

  async #nextBlock(): Promise<Block | 'passed over' | undefined> {
    this.#marker ??= await this.#firstMarker()
    if (this.#marker === undefined || this.#marker >= this.#parts.end) return undefined
    const offset = this.#marker + MARKER_BYTES
    const head = await this.#headAt(offset)
    if (head === undefined) return undefined
    const { records, sizeBytes, headBytes } = head
    const behind = offset + headBytes + sizeBytes
    const bytes = await this.#bytesAt(offset + headBytes, sizeBytes + MARKER_BYTES)
    const { path } = this.#parts.file
    if (bytes.length < sizeBytes + MARKER_BYTES || !bytes.subarray(sizeBytes).equals(this.#parts.header.marker))
      throw unreadable(path, invalidAvroFile(`the block at byte ${offset} does not end with the marker of the file`))
    this.#marker = behind
    if (this.#skip >= records) {
      this.#skip -= records
      this.#count += records
      return 'passed over'
    }
    const unpacked = ofFile(path, () => this.#parts.header.codec(bytes.subarray(0, sizeBytes)))
    // records of no bytes would make rows without end of a small file
    if (records > unpacked.length)
      throw unreadable(
        path,
        invalidAvroFile(`the block at byte ${offset} has ${records} records in ${unpacked.length} bytes`),
      )
    return { bytes: unpacked, offset, left: records, at: 0 }
  }

  #take(block: Block, maxRows: number, chunk: RowChunk): void {
    while (block.left > 0 && chunk.rows.length < maxRows) {
      block.left--
      this.#count++
      if (this.#skip > 0) {
        this.#skip--
        this.#behind(block)
        continue
      }
      const row = this.#rowAt(block)
      if (row === undefined) continue
      chunk.rows.push(row)
      chunk.nextAfter.push(this.#count)
    }
    if (block.left === 0 && block.at !== block.bytes.length)
      throw unreadable(
        this.#parts.file.path,
        invalidAvroFile(
          `${block.bytes.length - block.at} bytes are left behind the records of the block at byte ${block.offset}`,
        ),
      )
  }

  #rowAt(block: Block): Row | undefined {
    const { rows, eventTimeField, onBadRecord, file } = this.#parts
    const from = block.at
    try {
      this.#input.open(block.bytes, from, block.bytes.length)
      const row = new rows(...this.#readValues(this.#input))
      block.at = this.#input.at
      if (eventTimeField === undefined || row[eventTimeField] !== null) return row
      throw new MillraceError('RECORD_INVALID', `event-time field ${eventTimeField} is null or missing`, {
        domain: 'user',
      })
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'RECORD_INVALID') throw error
      block.at = from
      this.#behind(block)
      onBadRecord(
        error,
        `${file.path}, record ${this.#count} behind byte ${this.#parts.start}`,
        block.bytes.subarray(from, Math.min(block.at, from + RAW_BYTES_KEPT)),
      )
      return undefined
    }
  }

  /** Moves behind a record without looking at its values. A block in which that fails has no further records. */
  #behind(block: Block): void {
    this.#input.open(block.bytes, block.at, block.bytes.length)
    try {
      this.#passOver(this.#input)
    } catch (error) {
      throw unreadable(this.#parts.file.path, error)
    }
    block.at = this.#input.at
  }

  /** Undefined at the end of the file. */
  async #headAt(offset: number): Promise<BlockHead | undefined> {
    const bytes = await this.#bytesAt(offset, MOST_BLOCK_HEAD_BYTES)
    return bytes.length === 0 ? undefined : ofFile(this.#parts.file.path, () => blockHead(bytes))
  }

  async #firstMarker(): Promise<number | undefined> {
    const { marker } = this.#parts.header
    for (;;) {
      const index = this.#buffer.indexOf(marker)
      if (index >= 0) return this.#bufferOffset + index
      if (this.#fileEnded || this.#bufferOffset >= this.#parts.end) return undefined
      const kept = Math.max(0, this.#buffer.length - MARKER_BYTES + 1)
      await this.#fill(this.#bufferOffset + kept, READ_BYTES)
    }
  }

  /** At most `length` bytes from an offset at or behind that of the last call; fewer only at the end of the file. */
  async #bytesAt(offset: number, length: number): Promise<Buffer> {
    if (offset + length > this.#bufferOffset + this.#buffer.length && !this.#fileEnded)
      await this.#fill(offset, Math.max(length, READ_BYTES))
    const at = offset - this.#bufferOffset
    return this.#buffer.subarray(at, at + length)
  }

  /** Has the buffer begin at `offset`, with `length` bytes more than it has from there on. */
  async #fill(offset: number, length: number): Promise<void> {
    const kept = this.#buffer.subarray(Math.min(this.#buffer.length, offset - this.#bufferOffset))
    const bytes = await this.#parts.file.read(offset + kept.length, length)
    this.#fileEnded = bytes.length < length
    this.#bufferOffset = offset
    this.#buffer = Buffer.concat([kept, bytes])
  }
}

function ofFile<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

function unreadable(path: string, cause: unknown): MillraceError {
  return new MillraceError('FILE_UNREADABLE', `cannot read ${path} as Avro`, { domain: 'user', cause })
}
