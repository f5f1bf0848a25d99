import { BATCH_ROWS, RowBatch } from '../memory/batch.ts'
import type { Row } from '../model/schema.ts'
import type { Stage } from './stage.ts'

/** Hands any number of rows on, in batches of the size stages take. */
export async function emitBatches(next: Stage, rows: Row[]): Promise<void> {
  if (rows.length > 0 && rows.length <= BATCH_ROWS) return next.process(new RowBatch(rows), 0)
  for (let at = 0; at < rows.length; at += BATCH_ROWS) {
    const some = rows.slice(at, at + BATCH_ROWS)
    await next.process(new RowBatch(some), 0)
  }
}
