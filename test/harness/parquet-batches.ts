import { compileBatchCodec } from '../../runtime/codegen/rows/codec.ts'
import { compileRowClass } from '../../runtime/codegen/rows/row.ts'
import { openParquetFile, ParquetSplit } from '../../runtime/connectors/file/parquet-split.ts'
import { BATCH_ROWS, RowBatch, type Batch } from '../../runtime/memory/batch.ts'
import type { Row, Schema } from '../../runtime/model/schema.ts'
import { realFiles } from '../../runtime/ports/real/files.ts'

/** All rows of a file by the own reader. */
export async function readParquet(path: string, schema: Schema): Promise<Row[]> {
  const file = await openParquetFile(realFiles, path)
  const rows: Row[] = []
  for (const group of file.metadata.row_groups.keys()) {
    const split = new ParquetSplit({
      file,
      group,
      next: undefined,
      schema,
      rows: compileRowClass(schema),
      eventTimeField: undefined,
      onBadRecord(error) {
        throw error
      },
    })
    for (let chunk = await split.read(1000); chunk !== undefined; chunk = await split.read(1000))
      rows.push(...chunk.rows)
  }
  return rows
}

/** Every other batch as a frame of columns, as it comes from another worker; or all of them as rows. */
export function* batchesOf(schema: Schema, rows: readonly Row[], asColumns: boolean): Generator<Batch> {
  const codec = compileBatchCodec(schema, compileRowClass(schema))
  for (let from = 0; from < rows.length; from += BATCH_ROWS) {
    const some = rows.slice(from, from + BATCH_ROWS)
    yield asColumns ? codec.read(codec.encode(some, some.length)) : new RowBatch(some)
  }
}
