import type { Row, Schema } from '../model/schema.ts'
import { writeBlock, writeHeader } from './avro-container.ts'
import { avroSchemaOf, parseAvroSchema } from './avro-schema.ts'
import { avroRecordWriter } from './avro-writer.ts'
import { binaryWriter } from './binary-scanner.ts'
import { RecordBuffer } from './record-buffer.ts'

/** Writes one container file of Avro, block by block. The schema is that of the rows (`avroSchemaOf`). */
export class AvroWriter {
  readonly #schema: object
  readonly #marker: Uint8Array
  readonly #records: RecordBuffer
  #count = 0
  #hasHeader = false

  constructor(schema: Schema, marker: Uint8Array) {
    this.#schema = avroSchemaOf(schema.fields, 'Row')
    this.#marker = marker
    const write = avroRecordWriter(parseAvroSchema(this.#schema), schema.fields)
    this.#records = new RecordBuffer(binaryWriter(write, new Uint8Array(0)))
  }

  /** Bytes that the next block has so far, before they are packed. */
  get sizeBytes(): number {
    return this.#records.sizeBytes
  }

  /** Throws as the writer of the format does for a value that Avro cannot hold. */
  add(row: Row): void {
    this.#records.add(row)
    this.#count++
  }

  /** The rows since the last call as a block, behind the header when it is the first. Called when there are some. */
  take(): Buffer {
    const block = writeBlock(this.#count, this.#records.take(), this.#marker)
    this.#count = 0
    if (this.#hasHeader) return block
    this.#hasHeader = true
    return Buffer.concat([writeHeader(this.#schema, this.#marker), block])
  }
}
