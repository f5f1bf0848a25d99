import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileJsonScanner } from '../../../../runtime/codegen/json/json-scanner.ts'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import { inferSchema, valueOfCell } from '../../../../runtime/formats/infer-schema.ts'
import { parseWithDigits } from '../../../../runtime/model/json-digits.ts'
import { valueTypeText } from '../../../../runtime/model/value-type.ts'

const typesOf = (...records: unknown[]): Record<string, string> =>
  Object.fromEntries(inferSchema(records).fields.map((field) => [field.name, valueTypeText(field)]))

describe('a schema inferred from records', () => {
  test.each([
    [[1, 2], 'long'],
    [[1, 2.5], 'double'],
    [[2 ** 60], 'double'],
    [[true, null], 'boolean?'],
    [['2001-01-02', '2001-01-03'], 'date'],
    [['2001-01-02', '2001-01-02T03:04Z'], 'timestamp'],
    [['2001-01-02', 'x'], 'string'],
    [[1, 'x'], 'json'],
    [[null], 'json?'],
    [[[1], [2.5], []], 'array<double>'],
    [[[]], 'array<json?>'],
    [
      [
        { a: null, b: [] },
        { a: 1, b: [null] },
      ],
      'row{a: long?, b: array<json?>}',
    ],
    [[[1, null]], 'array<long?>'],
    [[{ a: 1 }, { a: 2, b: 'x' }], 'row{a: long, b: string?}'],
    [[{ 'a b': 1 }], 'json'],
    [[{}], 'json'],
    [[[[1]]], 'array<array<long>>'],
  ] as [unknown[], string][])('of the values %j is %s', (values, type) => {
    expect(typesOf(...values.map((v) => ({ v })))).toEqual({ v: type })
  })

  test.each([
    ['9007199254740993', 'bigint'],
    ['1, 9007199254740993', 'bigint'],
    ['[1, -9223372036854775808, null]', 'array<bigint?>'],
    ['1.5, 9007199254740993', 'double'],
    ['9223372036854775808', 'double'],
    ['9007199254740993.5', 'double'],
    ['10.0', 'long'],
    ['0.30000000000000004', 'double'],
  ])('of the digits %s is %s', (digits, type) => {
    const records = (parseWithDigits(`[${digits}]`) as unknown[]).map((v) => ({ v }))
    expect(typesOf(...records)).toEqual({ v: type })
    if (!digits.startsWith('[')) {
      const cells = digits.split(', ').map((text) => ({ v: valueOfCell(text) }))
      expect(typesOf(...cells)).toEqual({ v: type })
    }
  })

  test('a field that some records lack may be null; names that are none are told', () => {
    expect(typesOf({ a: 1 }, { b: 1 })).toEqual({ a: 'long?', b: 'long?' })
    expect(inferSchema([JSON.parse('{"a b":1,"__proto__":2,"constructor":3}'), 'no object', null])).toMatchObject({
      records: 1,
      fields: [{ name: 'constructor' }],
      leftOut: ['a b', '__proto__'],
    })
  })

  test('numbers are times only under a name of time', () => {
    expect(typesOf({ createdAt: 1_700_000_000_000, number: 1_700_000_000_000, time: 5 })).toEqual({
      createdAt: 'timestamp',
      number: 'long',
      time: 'long',
    })
  })

  test('the event time is the timestamp that is most in order, with how far it is out of it', () => {
    const records = [
      { made: '2001-01-01T00:00:09Z', at: 1_700_000_000_000, maybe: null },
      { made: '2001-01-01T00:00:01Z', at: 1_700_000_005_000, maybe: '2001-01-01T00:00:01Z' },
      { made: '2001-01-01T00:00:02Z', at: 1_700_000_004_500, maybe: null },
    ]
    expect(inferSchema(records).eventTime).toEqual({ field: 'at', disorderMs: 500 })
    expect(inferSchema([{ a: 1 }]).eventTime).toBe(undefined)
  })

  test('every record of the sample can be read with the schema', () => {
    fc.assert(
      fc.property(
        fc.array(fc.dictionary(fc.constantFrom('a', 'b', 'time', 'x y'), fc.jsonValue({ maxDepth: 3 })), {
          minLength: 1,
          maxLength: 6,
        }),
        (samples) => {
          const records = JSON.parse(JSON.stringify(samples)) as Record<string, unknown>[]
          const { fields } = inferSchema(records)
          const scanner = compileJsonScanner({ fields }, compileRowClass({ fields }))
          for (const record of records) {
            const bytes = Buffer.from(JSON.stringify(record))
            expect(Object.keys(scanner.row(bytes, 0, bytes.length))).toEqual(fields.map(({ name }) => name))
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test.each([
    ['', null],
    ['1', 1],
    ['-0.5e3', -500],
    ['007', '007'],
    ['true', true],
    ['x', 'x'],
    ['1x', '1x'],
  ])('the cell %j means %j', (text, value) => {
    expect(valueOfCell(text)).toBe(value)
  })
})
