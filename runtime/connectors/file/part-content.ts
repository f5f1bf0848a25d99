import { gzipSync, zstdCompressSync } from 'node:zlib'
import { RecordBuffer } from '../../formats/record-buffer.ts'
import type { AvroWriter } from '../../formats/avro-file-writer.ts'
import type { ParquetWriter } from '../../formats/parquet/parquet-writer.ts'
import type { Batch } from '../../memory/batch.ts'
import type { Rng } from '../../ports/rng.ts'
import type { SinkContext } from '../sink.ts'
import type { FileSinkOptions, LineCompression } from './declaration.ts'

/** The content of one part file. */
export interface PartContent {
  add(batch: Batch): void
  /** Whether `take` would give bytes now, and about how many. */
  readonly sizeBytes: number
  /** Bytes that it holds in memory. */
  readonly heldBytes: number
  /** The bytes since the last call; they are the caller's. */
  take(): Uint8Array
  /** Ends the part: the next `take` gives the rest of it. */
  end(): void
}

/** Returns what makes the content of a new part. */
export async function partContent(
  { schema, ports, baseDir }: SinkContext,
  { format, timestampFormat, compression }: FileSinkOptions,
): Promise<() => PartContent> {
  if (format === 'parquet') {
    const { ParquetWriter: Writer } = await import('../../formats/parquet/parquet-writer.ts')
    return () => new ParquetContent(new Writer(schema, { compression: 'zstd', jsonAs: 'json' }))
  }
  if (format === 'avro') {
    const { AvroWriter } = await import('../../formats/avro-file-writer.ts')
    return () => new AvroContent(new AvroWriter(schema, markerOf(ports.rng)))
  }
  const writer = await format.writer({ schema, ports, baseDir, timestampFormat })
  const head = format.file?.head?.(schema)
  return () => new LineContent(new RecordBuffer(writer), head, PACK[compression])
}

/** Each piece is a stream of its own: both formats allow several behind each other (RFC 1952, 2.2; RFC 8878, 3). */
const PACK: Readonly<Record<LineCompression, (bytes: Uint8Array) => Uint8Array>> = {
  none: (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes),
  zstd: (bytes) => zstdCompressSync(bytes),
}

class LineContent implements PartContent {
  readonly #lines: RecordBuffer
  readonly #pack: (bytes: Uint8Array) => Uint8Array
  #head: string | undefined

  constructor(lines: RecordBuffer, head: string | undefined, pack: (bytes: Uint8Array) => Uint8Array) {
    this.#lines = lines
    this.#head = head
    this.#pack = pack
  }

  get sizeBytes(): number {
    return this.#lines.sizeBytes
  }

  get heldBytes(): number {
    return this.#lines.sizeBytes
  }

  add(batch: Batch): void {
    const { count } = batch
    const rows = batch.rows()
    for (let index = 0; index < count; index++) {
      const row = rows[index]
      if (row !== undefined) this.#lines.addLine(row)
    }
  }

  take(): Uint8Array {
    const lines = this.#lines.take()
    const head = this.#head
    this.#head = undefined
    return this.#pack(head === undefined ? lines : Buffer.concat([Buffer.from(`${head}\n`), lines]))
  }

  end(): void {
    // a line ends by itself
  }
}

/** Row groups are taken as they are full; the footer comes at the end. */
class ParquetContent implements PartContent {
  readonly #writer: ParquetWriter
  #ready: Uint8Array[] = []
  #takenBytes = 0

  constructor(writer: ParquetWriter) {
    this.#writer = writer
  }

  get sizeBytes(): number {
    return this.#ready.reduce((sum, { length }) => sum + length, 0)
  }

  get heldBytes(): number {
    return this.#writer.sizeBytes - this.#takenBytes
  }

  add(batch: Batch): void {
    this.#writer.add(batch)
    this.#ready.push(...this.#writer.take())
  }

  take(): Uint8Array {
    const bytes = Buffer.concat(this.#ready)
    this.#ready = []
    this.#takenBytes += bytes.length
    return bytes
  }

  end(): void {
    this.#writer.end()
    this.#ready.push(...this.#writer.take())
  }
}

/** The header comes with the first block; a block is what was added since the last `take`. */
class AvroContent implements PartContent {
  readonly #writer: AvroWriter

  constructor(writer: AvroWriter) {
    this.#writer = writer
  }

  get sizeBytes(): number {
    return this.#writer.sizeBytes
  }

  get heldBytes(): number {
    return this.#writer.sizeBytes
  }

  add(batch: Batch): void {
    const { count } = batch
    const rows = batch.rows()
    for (let index = 0; index < count; index++) {
      const row = rows[index]
      if (row !== undefined) this.#writer.add(row)
    }
  }

  take(): Uint8Array {
    return this.#writer.take()
  }

  end(): void {
    // a block ends by itself
  }
}

/** 16 random bytes, which are in no record of the file. */
function markerOf(rng: Rng): Buffer {
  return Buffer.from(rng.id() + rng.id(), 'hex')
}
