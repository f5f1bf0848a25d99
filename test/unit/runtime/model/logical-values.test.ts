import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileBatchCodec } from '../../../../runtime/codegen/rows/codec.ts'
import { compileChainLoop } from '../../../../runtime/codegen/chain.ts'
import { compileJsonScanner } from '../../../../runtime/codegen/json/json-scanner.ts'
import { compileJsonWriter } from '../../../../runtime/codegen/json/json-writer.ts'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import { compileRowMaker } from '../../../../runtime/codegen/rows/row-maker.ts'
import { decimalText } from '../../../../runtime/model/decimal-text.ts'
import { parseCondition, parseExpression } from '../../../../runtime/expressions/parse.ts'
import { namedField, type Row, type Schema } from '../../../../runtime/model/schema.ts'
import { parseValueType, valueTypeText } from '../../../../runtime/model/value-type.ts'
import { arbitraryTypedRows } from '../../../harness/plain/random-rows.ts'

function schemaOf(types: Readonly<Record<string, string>>): Schema {
  return {
    fields: Object.entries(types).map(([name, text]) =>
      namedField(name, parseValueType(text) ?? { type: 'json', nullable: false }),
    ),
  }
}

function read(types: Readonly<Record<string, string>>, record: unknown): Row {
  const schema = schemaOf(types)
  const bytes = Buffer.from(JSON.stringify(record))
  return { ...compileJsonScanner(schema, compileRowClass(schema)).row(bytes, 0, bytes.length) }
}

function write(types: Readonly<Record<string, string>>, row: Row): unknown {
  const buffer = Buffer.alloc(4096)
  return JSON.parse(
    buffer.toString(
      'utf8',
      0,
      compileJsonWriter(schemaOf(types), { timestampFormat: 'iso' }).encodeInto(row, buffer, 0),
    ),
  )
}

describe('values of logical types', () => {
  test('what is written as JSON reads back as the same row, and crosses a frame as it is', () => {
    fc.assert(
      fc.property(
        arbitraryTypedRows,
        fc.constantFrom('iso' as const, 'epochMillis' as const),
        ({ schema, rows }, timestampFormat) => {
          const rowClass = compileRowClass(schema)
          const made = rows.map((values) => new rowClass(...values))
          const writer = compileJsonWriter(schema, { timestampFormat })
          const scanner = compileJsonScanner(schema, rowClass)
          const buffer = Buffer.alloc(64 * 1024)
          for (const row of made) expect(scanner.row(buffer, 0, writer.encodeInto(row, buffer, 0))).toEqual(row)
          const codec = compileBatchCodec(schema, rowClass)
          const out: Row[] = []
          codec.decode(codec.encode(made, made.length), out)
          expect(out.slice(0, made.length)).toEqual(made)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('each is read from its JSON form and written in it', () => {
    const types = { d: 'date', b: 'bytes', m: 'decimal(6,2)', r: 'row{t: timestamp, days: array<date>}', n: 'date?' }
    const row = { d: 11_356, b: 'a\xff', m: '-12.30', r: { t: 978_393_600_000, days: [0] }, n: null }
    expect(
      read(types, { d: '2001-02-03', b: 'Yf8=', m: -12.3, r: { t: '2001-01-02', days: ['1970-01-01'], more: 1 } }),
    ).toEqual(row)
    expect(write(types, row)).toEqual({
      d: '2001-02-03',
      b: 'Yf8=',
      m: '-12.30',
      r: { t: '2001-01-02T00:00:00.000Z', days: ['1970-01-01'] },
      n: null,
    })
  })

  test.each([
    ['date', '2001-02-29'],
    ['date', '2001-02-03T00:00:00Z'],
    ['date', 1.5],
    ['bytes', 'Yf8'],
    ['bytes', '=='],
    ['bytes', 'ž'],
    ['decimal(4,1)', '1000'],
    ['decimal(4,1)', '1.25'],
    ['decimal(4,1)', 'x'],
    ['decimal(4,1)', '1e-2'],
    ['array<long>', [1.5]],
    ['array<long>', {}],
    ['array<long>', [null]],
    ['row{a: long}', {}],
    ['row{a: long}', [1]],
    ['row{a: row{b: string}}', { a: { b: 1 } }],
    ['array<long>', [2 ** 53]],
    ['array<double>', ['1']],
    ['date', null],
  ])('as %s the value %j is RECORD_INVALID, with field and type', (type, value) => {
    expect(() => read({ field: type }, { field: value })).toThrow(
      expect.objectContaining({
        code: 'RECORD_INVALID',
        message: expect.stringContaining(`'field' (${type})`) as unknown,
      }) as Error,
    )
  })

  test.each([
    ['007', '7.00'],
    ['-0', '0.00'],
    ['+1.5', '1.50'],
    ['1.500', '1.50'],
    ['0.01', '0.01'],
    ['9999.99', '9999.99'],
  ])('equal decimals are equal texts: %s is %s', (text, canonical) => {
    expect(decimalText(text, 6, 2)).toBe(canonical)
  })

  test('members of rows and elements of arrays are typed, and read at run time', () => {
    const schema = schemaOf({
      address: 'row{city: string, zip: long?}?',
      tags: 'array<string>',
      prices: 'array<row{amount: double}>',
    })
    const typeOf = (text: string): string => valueTypeText(parseExpression(text, schema))
    expect(typeOf('address.city')).toBe('string?')
    expect(typeOf('address.zip + 1')).toBe('long?')
    expect(typeOf('tags[0]')).toBe('string?')
    expect(typeOf('prices[1].amount * 2')).toBe('double?')
    expect(typeOf('address')).toBe('row{city: string, zip: long?}?')
    expect(typeOf('address ?? address')).toBe('row{city: string, zip: long?}?')
    expect(typeOf('address === null ? null : tags')).toBe('array<string>?')
    expect(() => typeOf('address.town')).toThrow(expect.objectContaining({ code: 'UNKNOWN_FIELD' }) as Error)
    const Rows = compileRowClass(schema)
    const loop = compileChainLoop([
      {
        kind: 'filter',
        operatorId: 'f',
        condition: parseCondition("address.city === 'Brno' && (prices[1].amount ?? 0) > 2 && tags[0] !== null", schema),
      },
    ])
    const rows = [
      ['Brno', [{ amount: 0 }, { amount: 3 }], ['x']],
      ['Brno', [{ amount: 3 }], ['x']],
      ['Praha', [{ amount: 0 }, { amount: 3 }], ['x']],
      ['Brno', [{ amount: 0 }, { amount: 3 }], []],
    ].map(([city, prices, tags]) => new Rows({ city, zip: null }, tags, prices))
    const out: Row[] = []
    const count = loop([...rows, new Rows(null, [], [])], 5, out, (error) => {
      throw error
    })
    expect(out.slice(0, count)).toEqual(rows.slice(0, 1))
  })

  test('what a function gives is fitted or refused', () => {
    const schema = schemaOf({ b: 'bytes', m: 'decimal(4,2)?', r: 'row{a: long?}' })
    const make = compileRowMaker(schema, compileRowClass(schema))
    expect({ ...make({ b: new Uint8Array([1, 255]), m: 1.5, r: {} }) }).toEqual({
      b: '\x01\xff',
      m: '1.50',
      r: { a: null },
    })
    for (const wrong of [{ b: 'ž', r: {} }, { b: '', m: 'x', r: {} }, { b: '', r: { a: 'x' } }, { b: '' }]) {
      expect(() => make(wrong)).toThrow(expect.objectContaining({ code: 'VALUE_INVALID' }) as Error)
    }
  })
})
