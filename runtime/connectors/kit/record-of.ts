import type { RowWriter } from '../../codegen/contracts.ts'
import type { Row } from '../../model/schema.ts'

const FIRST_RECORD_BYTES = 1024

/** The bytes of one record. */
export function recordOf(writer: RowWriter, row: Row): Buffer {
  for (let size = FIRST_RECORD_BYTES; ; size *= 2) {
    const bytes = Buffer.allocUnsafe(size)
    const length = writer.encodeInto(row, bytes, 0)
    if (length >= 0) return bytes.subarray(0, length)
  }
}
