import type { RowWriter } from '../codegen/contracts.ts'
import type { Row } from '../model/schema.ts'
import { wholeText } from '../model/whole-text.ts'

/** A writer of formats whose records are made as texts. It throws as `wholeText`. */
export function textWriter(textOf: (row: Row) => string): RowWriter {
  return {
    encodeInto(row, buffer, at) {
      const text = wholeText(textOf(row))
      if (at + text.length * 3 > buffer.length && at + Buffer.byteLength(text) > buffer.length) return -1
      return buffer.write(text, at, 'utf8')
    },
  }
}
