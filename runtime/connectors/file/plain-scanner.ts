import type { RowScanner } from '../../codegen/contracts.ts'
import type { RowClass } from '../../codegen/row.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Schema } from '../../model/schema.ts'
import { columnConverter } from './parquet-values.ts'

/** Scans by JSON.parse: stands in until the generated scanner is there. */
export function compileJsonScanner(schema: Schema, rows: RowClass): RowScanner {
  const columns = schema.fields.map((field) => ({ field, convert: columnConverter(field.type) }))
  return {
    row(bytes, start, end) {
      const text = bytes.toString('utf8', start, end)
      let parsed: unknown
      try {
        parsed = JSON.parse(text)
      } catch (cause) {
        throw new MillraceError('RECORD_INVALID', 'record is no JSON', { domain: 'user', cause })
      }
      if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new MillraceError('RECORD_INVALID', 'record is no JSON object', { domain: 'user' })
      const record = parsed as Readonly<Record<string, unknown>>
      return new rows(...columns.map(({ field, convert }) => {
        const value = convert(record[field.name])
        if (value === undefined || (value === null && !field.nullable)) {
          throw new MillraceError('RECORD_INVALID', `field ${field.name} must be ${field.type}, found ${JSON.stringify(record[field.name]) ?? 'nothing'}`, { domain: 'user' })
        }
        return value
      }))
    },
  }
}
