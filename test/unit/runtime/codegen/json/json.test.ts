import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileJsonWriter } from '../../../../../runtime/codegen/json/json-writer.ts'
import { compileJsonScanner } from '../../../../../runtime/codegen/json/json-scanner.ts'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import { parseIsoTimestamp } from '../../../../../runtime/model/timestamp-text.ts'
import type { RowWriter } from '../../../../../runtime/codegen/contracts.ts'
import type { Field, FieldType, Row, Schema } from '../../../../../runtime/model/schema.ts'
import { arbitraryRows, HOSTILE_NAMES } from '../../../../harness/plain/random-rows.ts'

const schemaOf = (...fields: [string, FieldType, 'null'?][]): Schema => ({
  fields: fields.map(([name, type, nullable]): Field => ({ name, type, nullable: nullable === 'null' })),
})

function scannerOf(schema: Schema): (text: string | Buffer) => Row {
  const scanner = compileJsonScanner(schema, compileRowClass(schema))
  return (text) => {
    // the record lies between others, as in a file
    const record = Buffer.from(text)
    const bytes = Buffer.concat([Buffer.from('{"a":1}\n'), record, Buffer.from('\n1234567890"}')])
    return { ...scanner.row(bytes, 8, 8 + record.length) }
  }
}

const codeOf = (act: () => unknown): string => {
  try {
    act()
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
  return 'none'
}

describe('JSON scanner', () => {
  test('what any printer writes, in any layout of keys, is read as JSON.parse reads it', () => {
    const layout = fc.record({
      order: fc.array(fc.nat(), { minLength: 6, maxLength: 6 }),
      gap: fc.constantFrom('', ' '),
      extra: fc.constantFrom('none', 'first', 'last'),
      tail: fc.constantFrom('', ' ', '\r'),
    })
    fc.assert(
      fc.property(arbitraryRows(12), layout, fc.boolean(), ({ schema, rows }, { order, gap, extra, tail }, isIso) => {
        const scan = scannerOf(schema)
        const keys = schema.fields
          .map((field, index) => ({ field, index, rank: order[index] ?? 0 }))
          .sort((a, b) => a.rank - b.rank)
        for (const values of rows) {
          const members = keys.map(
            ({ field, index }) =>
              `${JSON.stringify(field.name)}:${gap}${JSON.stringify(field.type === 'timestamp' && isIso && values[index] !== null ? new Date(values[index] as number).toISOString() : values[index])}`,
          )
          if (extra === 'first')
            members.unshift(`"not a field":${gap}${rows.indexOf(values) % 2 === 0 ? '-12.5' : '"x"'}`)
          if (extra === 'last') members.push(`"not a field":${gap}null`)
          const text = `{${members.join(`,${gap}`)}}${tail}`
          expect(scan(text)).toEqual(
            Object.fromEntries(schema.fields.map((field, index) => [field.name, values[index]])),
          )
        }
      }),
      { numRuns: 400 },
    )
  })

  test('after a layout is learned, texts that are no JSON, or another record, are still refused or read right', () => {
    const schema = schemaOf(['n', 'long'], ['d', 'double'], ['s', 'string'], ['b', 'boolean'], ['t', 'timestamp'])
    const base = '{"n":12,"d":3.25,"s":"text","b":true,"t":"2001-02-03T04:05:06.007Z"}'
    fc.assert(
      fc.property(
        fc.nat(base.length - 1),
        fc.constantFrom('', '0', '-', '.', 'e', '"', '\\', ' ', ',', '}', '9999999999999999', 'ž', '\n', 'null'),
        (at, put) => {
          const scan = scannerOf(schema)
          scan(base)
          const cut = base.slice(0, at) + put + base.slice(at + 1)
          const fresh = scannerOf(schema)
          const outcome = (read: (text: string) => Row): unknown => {
            try {
              return read(cut)
            } catch (error) {
              return (error as { code: string; message: string }).code + (error as Error).message
            }
          }
          // a fresh scanner reads its first record by JSON.parse
          expect(outcome(scan)).toEqual(outcome(fresh))
        },
      ),
      { numRuns: 1500 },
    )
  })

  test('records of a buffer that was opened are read as others, also when another is opened between', () => {
    fc.assert(
      fc.property(arbitraryRows(8), ({ schema, rows }) => {
        const records = rows.map((values) =>
          Buffer.from(
            JSON.stringify(Object.fromEntries(schema.fields.map(({ name }, index) => [name, values[index]]))),
          ),
        )
        const bytes = Buffer.concat(records.flatMap((record) => [Buffer.from('ž,'), record]))
        const [opened, plain] = [
          compileJsonScanner(schema, compileRowClass(schema)),
          compileJsonScanner(schema, compileRowClass(schema)),
        ]
        for (const buffer of [bytes, Buffer.from(bytes), bytes]) {
          opened.open?.(buffer)
          let at = 0
          for (const record of records) {
            at += 3
            expect({ ...opened.row(buffer, at, at + record.length) }).toEqual({
              ...plain.row(buffer, at, at + record.length),
            })
            expect({ ...opened.row(record, 0, record.length) }).toEqual({ ...plain.row(record, 0, record.length) })
            at += record.length
          }
        }
      }),
      { numRuns: 100 },
    )
  })

  test('numbers take every form JSON has', () => {
    const scan = scannerOf(schemaOf(['n', 'long'], ['d', 'double']))
    for (const [n, d] of [
      ['1', '2'],
      ['-0', '-0.0'],
      ['9007199254740991', '0.1'],
      ['1e3', '1.7976931348623157e308'],
      ['12.0', '123456789012345.6'],
      ['-42', '5e-324'],
      ['0', '0.30000000000000004'],
    ]) {
      const row = scan(`{"n":${n},"d":${d}}`)
      expect(row).toEqual({ n: Number(n) + 0, d: Number(d) + 0 })
    }
  })

  test.each([
    ['{"n":1.5}', 'n'],
    ['{"n":9007199254740993}', 'n'],
    ['{"n":"1"}', 'n'],
    ['{"n":null}', 'n'],
    ['{}', 'n'],
    ['{"n":true}', 'n'],
    ['{"n":1e999}', 'found 1e999 (a number beyond 1.8e308)'],
    ['{"n":-1e999}', 'found -1e999 (a number'],
    ['{"n":[1e999]}', 'found [1e999]'],
    ['[]', 'object'],
    ['null', 'object'],
    ['{"n":1', 'JSON'],
    ['{"n":01}', 'JSON'],
    ['', 'JSON'],
  ])('the record %s is RECORD_INVALID and the message says why, also after good ones', (text, said) => {
    const scan = scannerOf(schemaOf(['n', 'long']))
    for (let i = 0; i < 3; i++) {
      expect(() => scan(text)).toThrow(
        expect.objectContaining({ code: 'RECORD_INVALID', message: expect.stringContaining(said) }),
      )
      expect(scan('{"n":7}')).toEqual({ n: 7 })
    }
  })

  test('a field that may be null is null when it is missing', () => {
    const scan = scannerOf(schemaOf(['n', 'long', 'null'], ['s', 'string']))
    for (const text of ['{"n":1,"s":"a"}', '{"s":"b"}', '{"n":null,"s":"c"}', '{"n":1,"s":"d"}']) {
      expect(scan(text)['n']).toBe((JSON.parse(text) as { n?: number }).n ?? null)
    }
  })

  test('hostile records neither steer generated code nor reach a prototype', () => {
    const scan = scannerOf(schemaOf(['n', 'long'], ['s', 'string', 'null']))
    for (let i = 0; i < 20; i++) {
      expect(scan('{"__proto__":1,"constructor":"x","`+process.exit(7)+`":2,"n":5}')).toEqual({ n: 5, s: null })
      expect(scan('{"n":1,"s":"a","n":2}')).toEqual({ n: 2, s: 'a' })
    }
  })

  test.each(HOSTILE_NAMES)('the field name %j is refused', (name) => {
    expect(codeOf(() => compileJsonScanner(schemaOf([name, 'long']), class {} as never))).toBe('FIELD_NAME_INVALID')
    expect(codeOf(() => compileJsonWriter(schemaOf([name, 'long']), { timestampFormat: 'iso' }))).toBe(
      'FIELD_NAME_INVALID',
    )
  })
})

/** Writes into a buffer that grows until the row fits; nothing before or behind the record may change. */
function textOf(writer: RowWriter, row: Row): string {
  for (let room = 1; ; room *= 2) {
    const buffer = Buffer.alloc(room + 12, 7)
    const length = writer.encodeInto(row, buffer.subarray(0, room + 5), 5)
    expect(buffer.subarray(0, 5).toString('hex') + buffer.subarray(room + 5).toString('hex')).toBe('07'.repeat(12))
    if (length >= 0) return buffer.toString('utf8', 5, 5 + length)
  }
}

describe('JSON writer', () => {
  test('rows of random schemas are written as JSON.stringify prints them, timestamps in the asked form', () => {
    fc.assert(
      fc.property(
        arbitraryRows(5),
        fc.constantFrom('iso' as const, 'epochMillis' as const),
        ({ schema, rows }, timestampFormat) => {
          const rowClass = compileRowClass(schema)
          const writer = compileJsonWriter(schema, { timestampFormat })
          for (const values of rows) {
            const plain = Object.fromEntries(
              schema.fields.map((field, index) => [
                field.name,
                field.type === 'timestamp' && timestampFormat === 'iso' && values[index] !== null
                  ? new Date(values[index] as number).toISOString()
                  : values[index],
              ]),
            )
            expect(textOf(writer, new rowClass(...values))).toBe(JSON.stringify(plain))
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('JSON writer of values that JSON cannot say', () => {
  test.each([
    ['double', NaN],
    ['double', Infinity],
    ['double', -Infinity],
    ['long', NaN],
    ['timestamp', NaN],
  ] as const)('a %s of %d is refused by name and type', (type, value) => {
    const writer = compileJsonWriter(schemaOf(['bad', type]), { timestampFormat: 'iso' })
    expect(() => textOf(writer, { bad: value })).toThrow(
      expect.objectContaining({
        code: 'VALUE_INVALID',
        message: expect.stringContaining(`field 'bad' (${type})`) as unknown,
      }) as Error,
    )
  })
})

describe('timestamps', () => {
  test('every moment prints as Date prints it and reads back', () => {
    const writer = compileJsonWriter(schemaOf(['t', 'timestamp']), { timestampFormat: 'iso' })
    const print = (t: number): unknown => (JSON.parse(textOf(writer, { t })) as Row)['t']
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: -8.64e15, max: 8.64e15 }), fc.integer({ min: 1e12, max: 1e12 + 1e9 })),
        (time) => {
          expect(print(time)).toBe(new Date(time).toISOString())
          expect(parseIsoTimestamp(String(print(time)))).toBe(time)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['2001-01-02', 978393600000],
    ['2001-01-02T03:04Z', 978404640000],
    ['2001-01-02T03:04:05', 978404645000],
    ['2001-01-02 03:04:05.6789', 978404645678],
    ['2001-01-02T03:04:05+02:00', 978397445000],
    ['2001-01-02T03:04:05-0130', 978410045000],
    ['2000-02-29', 951782400000],
  ])('%s is %d', (text, time) => {
    expect(parseIsoTimestamp(text)).toBe(time)
  })

  test.each([
    '2001-02-29',
    '2001-13-01',
    '2001-01-02T24:00:00Z',
    'yesterday',
    '',
    '1',
    '2001-1-2',
    '2001-01-02T03:04:05Zx',
  ])('%j is not a timestamp', (text) => {
    expect(parseIsoTimestamp(text)).toBe(undefined)
  })
})
