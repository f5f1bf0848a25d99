import { compileRowClass } from '../runtime/codegen/rows/row.ts'
import { avroHeader, AvroSplit } from '../runtime/connectors/file/avro-split.ts'
import { fieldsOfAvro } from '../runtime/formats/avro-value-type.ts'
import { eventTimeOf, type InferredSchema } from '../runtime/formats/infer-schema.ts'
import type { Row } from '../runtime/model/schema.ts'
import type { Files } from '../runtime/ports/files.ts'

/** The schema of a container file is in its header; records tell the event time, and which of them cannot be read. */
export async function inferAvro(
  path: string,
  files: Files,
  maxRecords: number,
): Promise<{ inferred: InferredSchema; broken: readonly Error[] }> {
  const sizeBytes = await files.sizeBytes(path)
  const file = { path, sizeBytes, read: (offset: number, length: number) => files.read(path, offset, length) }
  const header = await avroHeader(file)
  const { fields, leftOut } = fieldsOfAvro(header.schema)
  const broken: Error[] = []
  const schema = { fields }
  const split = new AvroSplit({
    file,
    header,
    start: 0,
    end: sizeBytes,
    next: undefined,
    schema,
    rows: compileRowClass(schema),
    eventTimeField: undefined,
    onBadRecord: (error) => {
      broken.push(error)
    },
  })
  const rows: Row[] = []
  while (rows.length < maxRecords) {
    const chunk = await split.read(maxRecords - rows.length)
    if (chunk === undefined) break
    rows.push(...chunk.rows)
  }
  return { inferred: { records: rows.length, fields, leftOut, eventTime: eventTimeOf(fields, rows) }, broken }
}
