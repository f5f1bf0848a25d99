import { latin1 } from '../model/logical-values.ts'
import { behindByteOrderMark } from '../model/record-text.ts'
import { utf8Text } from '../model/utf8-text.ts'
import type { Field, Schema } from '../model/schema.ts'
import type { OptionProblem } from '../graph/connector-declaration.ts'
import type { FormatReader } from './format.ts'
import { unknownOptions } from '../graph/unknown-options.ts'
import { refuseRecord, refuseToWrite } from './record-errors.ts'
import { textWriter } from './text-writer.ts'

/** The whole record is the value of the one field, a string (UTF-8) or bytes. */
export const rawFormat: FormatReader = (options, problem) => {
  unknownOptions(options, [], problem)
  return {
    file: { suffix: 'txt' },
    check: checkRaw,
    scanner({ schema }, Rows) {
      const isBytes = schema.fields[0]?.logical?.kind === 'bytes'
      return {
        row: (bytes, start, end) => new Rows(isBytes ? latin1(bytes.subarray(start, end)) : text(bytes, start, end)),
      }
    },
    writer({ schema }) {
      const [field] = schema.fields as [Field]
      if (field.logical?.kind !== 'bytes')
        return textWriter((row) => String(row[field.name] ?? refuseToWrite(field, null, 'raw cannot say')))
      return {
        encodeInto(row, buffer, at) {
          const value = String(row[field.name])
          return at + value.length > buffer.length ? -1 : buffer.write(value, at, 'latin1')
        },
      }
    },
  }
}

function checkRaw({ fields }: Schema): OptionProblem[] {
  const [field, second] = fields
  const fits =
    field !== undefined &&
    second === undefined &&
    field.type === 'string' &&
    !field.nullable &&
    (field.logical === undefined || field.logical.kind === 'bytes')
  return fits ? [] : [{ path: '', message: 'raw wants a schema of one field, a string or bytes that is never null' }]
}

function text(bytes: Buffer, start: number, end: number): string {
  return (
    utf8Text(bytes, behindByteOrderMark(bytes, start, end), end) ??
    refuseRecord('the record is not UTF-8; declare its field as bytes')
  )
}
