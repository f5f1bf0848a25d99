import { readFile } from 'node:fs/promises'
import { compileRowClass } from '../../runtime/codegen/rows/row.ts'
import { avroHeader, AvroSplit } from '../../runtime/connectors/file/avro-split.ts'
import type { Row, Schema } from '../../runtime/model/schema.ts'

/** All rows of a container file. A record that cannot be read is an error. */
export async function readAvro(path: string, schema: Schema): Promise<Row[]> {
  const bytes = await readFile(path)
  const file = {
    path,
    sizeBytes: bytes.length,
    read: async (offset: number, length: number) => bytes.subarray(offset, offset + length),
  }
  const split = new AvroSplit({
    file,
    header: await avroHeader(file),
    start: 0,
    end: bytes.length,
    next: undefined,
    schema,
    rows: compileRowClass(schema),
    eventTimeField: undefined,
    onBadRecord: (error) => {
      throw error
    },
  })
  const rows: Row[] = []
  for (;;) {
    const chunk = await split.read(1000)
    if (chunk === undefined) return rows
    rows.push(...chunk.rows)
  }
}
