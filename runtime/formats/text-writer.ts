import type { RowWriter } from '../codegen/contracts.ts'
import type { Row } from '../model/schema.ts'

/** A writer of formats whose records are made as texts. */
export function textWriter(textOf: (row: Row) => string): RowWriter {
  return {
    encodeInto(row, buffer, at) {
      const text = textOf(row)
      if (at + text.length * 3 > buffer.length && at + Buffer.byteLength(text) > buffer.length) return -1
      return buffer.write(text, at, 'utf8')
    },
  }
}
