import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileBatchCodec } from '../../../../../runtime/codegen/rows/codec.ts'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import { MillraceError } from '../../../../../runtime/model/errors.ts'
import type { Columns } from '../../../../../runtime/memory/batch.ts'
import type { Field, Row, Schema } from '../../../../../runtime/model/schema.ts'
import { isKeptAsText } from '../../../../../runtime/model/type-traits.ts'
import { arbitraryRows, HOSTILE_NAMES } from '../../../../harness/plain/random-rows.ts'

const texts: Schema = {
  fields: [
    { name: 'a', type: 'string', nullable: false },
    { name: 'b', type: 'string', nullable: true },
  ],
}

/** What a column says of a text or JSON field: null or its text. */
function textOf({ name, nullable, type }: Field, row: Row): string | null {
  const value = row[name]
  if (value === null && nullable) return null
  return type === 'json' ? JSON.stringify(value) : String(value)
}

function valueAt(columns: Columns, field: Field, place: number, i: number): unknown {
  const nulls = columns.nulls(place)
  if (nulls !== undefined && ((nulls[i >> 3] ?? 0) & (1 << (i & 7))) !== 0) return null
  if (isKeptAsText(field)) {
    const { bytes, starts, ends } = columns.texts(place)
    return Buffer.from(bytes.slice(starts[i], ends[i])).toString('latin1')
  }
  return field.type === 'boolean' ? columns.bits(place)[i] === 1 : columns.numbers(place)[i]
}

describe('batch codec', () => {
  test('random rows of random schemas come back as they went', () => {
    fc.assert(
      fc.property(arbitraryRows(40), ({ schema, rows }) => {
        const rowClass = compileRowClass(schema)
        const codec = compileBatchCodec(schema, rowClass)
        const sent = rows.map((values) => new rowClass(...values))
        const bytes = codec.encode(sent, sent.length)
        const received: Row[] = []
        expect(bytes.byteOffset % 8).toBe(0)
        expect(bytes.byteLength % 8).toBe(0)
        expect(codec.decode(bytes, received)).toBe(sent.length)
        expect(received).toEqual(sent)
        expect(received.every((row) => row instanceof rowClass)).toBe(true)
      }),
      { numRuns: 400 },
    )
  })

  test('strings longer than 64 K and larger than the stage come back, and the next batch is not harmed', () => {
    const rowClass = compileRowClass(texts)
    const codec = compileBatchCodec(texts, rowClass)
    const large = [
      new rowClass('ž'.repeat(3_000_000), 'short'),
      new rowClass('', 'x'.repeat(65_536)),
      new rowClass('\ud800'.repeat(400_000), null),
    ]
    const small = [new rowClass('a', 'b')]
    for (const rows of [large, small]) {
      const received: Row[] = []
      codec.decode(codec.encode(rows, rows.length), received)
      expect(received.every((row, index) => row['a'] === rows[index]?.['a'] && row['b'] === rows[index]?.['b'])).toBe(
        true,
      )
    }
  })

  test('a frame at an odd offset of its buffer is decoded', () => {
    const rowClass = compileRowClass(texts)
    const codec = compileBatchCodec(texts, rowClass)
    const bytes = codec.encode([new rowClass('one', 'two')], 1)
    const shifted = new Uint8Array(bytes.length + 3)
    shifted.set(bytes, 3)
    const received: Row[] = []
    expect(codec.decode(shifted.subarray(3), received)).toBe(1)
    expect(received).toEqual([new rowClass('one', 'two')])
  })

  test('the columns of a frame hold the values of its rows; there are none when a text is not ASCII', () => {
    let withColumns = 0
    fc.assert(
      fc.property(arbitraryRows(40), ({ schema, rows }) => {
        const rowClass = compileRowClass(schema)
        const codec = compileBatchCodec(schema, rowClass)
        const sent = rows.map((values) => new rowClass(...values))
        const batch = codec.read(codec.encode(sent, sent.length))
        const isAscii = schema.fields.every((field) =>
          sent.every((row) => !isKeptAsText(field) || /^[\0-\x7f]*$/.test(textOf(field, row) ?? '')),
        )
        const { columns } = batch
        expect(columns !== undefined).toBe(isAscii)
        if (columns !== undefined) {
          withColumns++
          schema.fields.forEach((field, place) => {
            expect(sent.map((_, i) => valueAt(columns, field, place, i))).toEqual(
              sent.map((row) => (isKeptAsText(field) ? textOf(field, row) : row[field.name])),
            )
          })
        }
        expect(batch.rows().slice(0, batch.count)).toEqual(sent)
      }),
      { numRuns: 400 },
    )
    expect(withColumns).toBeGreaterThan(50)
  })

  test('a damaged or shortened frame gives rows or FRAME_CORRUPT, nothing else', () => {
    fc.assert(
      fc.property(arbitraryRows(10), fc.nat(), fc.nat(255), fc.nat(), ({ schema, rows }, at, byte, cut) => {
        const rowClass = compileRowClass(schema)
        const codec = compileBatchCodec(schema, rowClass)
        const bytes = codec.encode(
          rows.map((values) => new rowClass(...values)),
          rows.length,
        )
        const bad = bytes.slice(0, bytes.length - (cut % 2) * (cut % bytes.length))
        if (bad.length > 0) bad[at % Math.min(bad.length, 64)] = byte
        try {
          codec.decode(bad, [])
        } catch (error) {
          expect(error).toBeInstanceOf(MillraceError)
          expect((error as MillraceError).code).toBe('FRAME_CORRUPT')
        }
      }),
      { numRuns: 500 },
    )
  })

  test.each(HOSTILE_NAMES)('the field name %j is refused', (name) => {
    const schema: Schema = { fields: [{ name, type: 'long', nullable: false }] }
    expect(() => compileRowClass(schema)).toThrow(expect.objectContaining({ code: 'FIELD_NAME_INVALID' }))
    expect(() => compileBatchCodec(schema, class {} as never)).toThrow(
      expect.objectContaining({ code: 'FIELD_NAME_INVALID' }),
    )
  })
})
