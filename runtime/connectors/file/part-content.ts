import { RecordBuffer } from '../../formats/record-buffer.ts'
import type { ParquetWriter } from '../../formats/parquet/parquet-writer.ts'
import type { Batch } from '../../memory/batch.ts'
import type { SinkContext } from '../sink.ts'
import type { FileSinkOptions } from './declaration.ts'

/** The content of one part file. */
export interface PartContent {
  add(batch: Batch): void
  /** Bytes that `take` would give now. */
  readonly sizeBytes: number
  /** The bytes since the last call; they are the caller's. */
  take(): Uint8Array
  /** Ends the part: the next `take` gives the rest of it, and what is added then belongs to the next part. */
  end(): void
}

/** Makes the content of parts, one after the other. */
export async function partContent(
  { schema, ports, baseDir }: SinkContext,
  { format, timestampFormat }: FileSinkOptions,
): Promise<PartContent> {
  if (format === 'parquet') {
    const { ParquetWriter: Writer } = await import('../../formats/parquet/parquet-writer.ts')
    return new ParquetContent(() => new Writer(schema, { compression: 'zstd', jsonAs: 'json' }))
  }
  return new LineContent(new RecordBuffer(await format.writer({ schema, ports, baseDir, timestampFormat })))
}

class LineContent implements PartContent {
  readonly #lines: RecordBuffer

  constructor(lines: RecordBuffer) {
    this.#lines = lines
  }

  get sizeBytes(): number {
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
    return this.#lines.take()
  }

  end(): void {
    // a line ends by itself
  }
}

/** Row groups are taken as they are full; the footer comes at the end. */
class ParquetContent implements PartContent {
  readonly #newWriter: () => ParquetWriter
  #writer: ParquetWriter | undefined
  #ready: Uint8Array[] = []

  constructor(newWriter: () => ParquetWriter) {
    this.#newWriter = newWriter
  }

  get sizeBytes(): number {
    return this.#ready.reduce((sum, { length }) => sum + length, 0)
  }

  add(batch: Batch): void {
    if (batch.count === 0) return
    this.#writer ??= this.#newWriter()
    this.#writer.add(batch)
    this.#ready.push(...this.#writer.take())
  }

  take(): Uint8Array {
    const bytes = Buffer.concat(this.#ready)
    this.#ready = []
    return bytes
  }

  end(): void {
    this.#writer?.end()
    this.#ready.push(...(this.#writer?.take() ?? []))
    this.#writer = undefined
  }
}
