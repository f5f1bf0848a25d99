import { MillraceError } from '../../model/errors.ts'
import type { Row, Schema } from '../../model/schema.ts'
import type { RowScanner } from '../contracts.ts'
import { compile, js, property } from '../emitter.ts'
import { compileFastScan, type FastScan } from './fast-scan.ts'
import { learnLayout } from './json-layout.ts'
import { isExact } from '../../expressions/typing.ts'
import { jsonRecordParser, type JsonParser } from '../../model/json-digits.ts'
import { behindByteOrderMark, recordText } from '../../model/record-text.ts'
import { clipped } from '../../model/clipped.ts'
import { compileRecordReader } from './json-record.ts'
import type { PassThroughTexts } from '../../memory/pass-through-texts.ts'
import { compileRowClass, type RowClass } from '../rows/row.ts'

/** After this many slow records in a row the layout is learned again, and this often at most. */
const MISSES_TO_LEARN = 8
const MAX_LAYOUTS = 16

/**
 * Generates the scanner of one stream. Records are read by JSON.parse until a layout is learned from one; then
 * generated code compares the bytes between values with that layout and reads the values in place. It gives up
 * on everything it does not expect (other keys, escapes, exponents, bad values) and JSON.parse takes that record,
 * so only the slow path ever refuses one. The fields that are `passed` hold the number of their record in it.
 */
export function compileJsonScanner(schema: Schema, rowClass: RowClass, passed?: PassThroughTexts): RowScanner {
  const readRecord =
    passed === undefined ? compileRecordReader(schema, rowClass) : passingReader(schema, rowClass, passed)
  const canBeFast = schema.fields.every(
    (field) => field.type !== 'json' && (field.logical === undefined || isExact(field)),
  )
  const hasStrings = schema.fields.some((field) => field.type === 'string' && passed?.source.has(field.name) !== true)
  let fast: FastScan | undefined
  let layoutsLeft = canBeFast ? MAX_LAYOUTS : 0
  let misses = MISSES_TO_LEARN
  let opened: Buffer | undefined
  let text = ''
  const parse = jsonRecordParser(schema.fields)
  const slow = (bytes: Buffer, from: number, end: number): Row => {
    const start = behindByteOrderMark(bytes, from, end)
    const row = readRecord(parseRecord(parse, bytes, start, end), bytes)
    if (++misses >= MISSES_TO_LEARN && layoutsLeft > 0) {
      misses = 0
      layoutsLeft--
      const layout = learnLayout(bytes, start, end)
      if (layout !== undefined) fast = compileFastScan(schema, rowClass, layout, passed) ?? fast
    }
    return row
  }
  return {
    open(bytes) {
      opened = canBeFast ? bytes : undefined
      text = canBeFast && hasStrings ? bytes.toString('latin1') : ''
    },
    row(bytes, start, end) {
      if (fast !== undefined) {
        const row = bytes === opened ? fast(bytes, start, end, text, 0) : fast(bytes, start, end, '', start)
        if (row !== null) {
          misses = 0
          return row
        }
      }
      return slow(bytes, start, end)
    },
  }
}

/**
 * Reads records whose passed values are written aside. The values go into rows of a class of their own first: both
 * kinds of row in one class would make the fast path slow.
 */
function passingReader(
  schema: Schema,
  rowClass: RowClass,
  passed: PassThroughTexts,
): (record: unknown, bytes: Buffer) => Row {
  const read = compileRecordReader(schema, compileRowClass(schema))
  const values = schema.fields.map(({ name }) => (passed.source.has(name) ? js`record` : js`o${property(name)}`))
  const withRecord = compile<(row: Row, record: number) => Row>(
    'passed row',
    js`return (o, record) => new Row(${values})`,
    { Row: rowClass },
  )
  return (record, bytes) => {
    const row = read(record)
    return withRecord(row, passed.recordOf(bytes, row))
  }
}

function parseRecord(parse: JsonParser, bytes: Buffer, start: number, end: number): unknown {
  const text = recordText(bytes, start, end)
  try {
    return parse(text)
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause
    throw new MillraceError('RECORD_INVALID', `a record is not JSON: ${clipped(text)}`, { domain: 'user', cause })
  }
}
