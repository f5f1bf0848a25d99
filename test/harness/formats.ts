import { expect } from 'vitest'
import type { RowScanner, RowWriter } from '../../runtime/codegen/contracts.ts'
import { compileRowClass } from '../../runtime/codegen/rows/row.ts'
import type { FormatContext, RecordFormat } from '../../runtime/formats/format.ts'
import { readFormat } from '../../runtime/formats/formats.ts'
import { namedField, type Row, type Schema } from '../../runtime/model/schema.ts'
import { parseValueType } from '../../runtime/model/value-type.ts'

export function schemaOf(types: Readonly<Record<string, string>>): Schema {
  return {
    fields: Object.entries(types).map(([name, text]) => {
      const type = parseValueType(text)
      if (type === undefined) throw new Error(`no type: ${text}`)
      return namedField(name, type)
    }),
  }
}

/** The format, which must have no problems. */
export function formatOf(value: unknown): RecordFormat {
  const { format, problems } = readFormat(value)
  expect(problems).toEqual([])
  return format
}

const NOWHERE = {} as FormatContext['ports']

export function contextOf(schema: Schema, more: Partial<FormatContext> = {}): FormatContext {
  return { schema, ports: NOWHERE, baseDir: '.', ...more }
}

/** The bytes of one row, written into a buffer that grows until they fit; nothing before or behind them may change. */
export function bytesOf(writer: RowWriter, row: Row): Buffer {
  for (let room = 1; ; room *= 2) {
    const buffer = Buffer.alloc(room + 12, 7)
    const length = writer.encodeInto(row, buffer.subarray(0, room + 5), 5)
    expect(buffer.subarray(0, 5).toString('hex') + buffer.subarray(room + 5).toString('hex')).toBe('07'.repeat(12))
    if (length >= 0) return buffer.subarray(5, 5 + length)
  }
}

/** The row that the bytes are, with other bytes around them. */
export function rowOf(scanner: RowScanner, record: Uint8Array): Row {
  const bytes = Buffer.concat([Buffer.from('x,'), record, Buffer.from('",9')])
  return { ...scanner.row(bytes, 2, 2 + record.length) }
}

export async function codecOf(
  value: unknown,
  schema: Schema,
  more: Partial<FormatContext> = {},
): Promise<{
  read(record: Uint8Array | string): Row
  write(row: Row): Buffer
  rows: ReturnType<typeof compileRowClass>
}> {
  const format = formatOf(value)
  const rows = compileRowClass(schema)
  const context = contextOf(schema, more)
  const scanner = await format.scanner(context, rows)
  const writer = await format.writer(context)
  return { rows, read: (record) => rowOf(scanner, Buffer.from(record)), write: (row) => bytesOf(writer, row) }
}
