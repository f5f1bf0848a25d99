import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import { readFormat } from '../../../../runtime/formats/formats.ts'
import { arbitraryTypedRows } from '../../../harness/plain/random-rows.ts'
import { codecOf, contextOf, formatOf, schemaOf } from '../../../harness/formats.ts'

const refusal = (code: string, said: string): Error =>
  expect.objectContaining({ code, message: expect.stringContaining(said) as unknown }) as Error

describe('the choice of a format', () => {
  test.each([
    ['xml', ''],
    [undefined, ''],
    [{}, ''],
    [{ csv: {}, json: {} }, ''],
    [{ csv: { delimiter: ';;' } }, 'csv.delimiter'],
    [{ csv: { delimiter: '"' } }, 'csv.delimiter'],
    [{ csv: { header: 1 } }, 'csv.header'],
    [{ csv: { nullText: 1 } }, 'csv.nullText'],
    [{ csv: { nullText: null } }, 'csv.nullText'],
    [{ csv: { quote: "'" } }, 'csv.quote'],
    [{ csv: { columns: 'a' } }, 'csv.columns'],
    [{ csv: { columns: [] } }, 'csv.columns'],
    [{ csv: { columns: ['a', 'b', 'a'] } }, 'csv.columns'],
    [{ json: { lines: true } }, 'json.lines'],
    [{ constructor: {} }, ''],
    [{ csv: [] }, ''],
  ])('%j is a problem at %j', (value, path) => {
    expect(readFormat(value).problems.map((problem) => problem.path)).toEqual([path])
  })

  test.each([
    'json',
    { json: {} },
    { json: null },
    'csv',
    { csv: { delimiter: '\t', nullText: 'NULL', header: true } },
    'raw',
  ])('%j is one', (value) => {
    expect(readFormat(value).problems).toEqual([])
  })
})

describe('CSV', () => {
  test('rows of random schemas read back as they were written', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryTypedRows,
        fc.constantFrom(',', ';', '\t', '7'),
        fc.constantFrom('', 'NULL', '0', 'true'),
        async ({ schema, rows }, delimiter, nullText) => {
          const csv = await codecOf({ csv: { delimiter, nullText } }, schema)
          for (const values of rows) {
            const row = new csv.rows(
              ...values.map((value) => (typeof value === 'string' ? value.replaceAll(/[\ud800-\udfff]/g, '?') : value)),
            )
            const isAmbiguous = schema.fields.some(({ name, nullable }) => !nullable && row[name] === null)
            if (!isAmbiguous) expect(csv.read(csv.write(row))).toEqual({ ...row })
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  test('cells in quotes hold delimiters and quotes, and are never null', async () => {
    const csv = await codecOf('csv', schemaOf({ a: 'string', b: 'string?', c: 'string?', d: 'double?' }))
    expect(csv.read('"x, ""y""",,"",1e3')).toEqual({ a: 'x, "y"', b: null, c: '', d: 1000 })
    expect(csv.write({ a: 'x, "y"', b: null, c: '', d: 0.5 }).toString()).toBe('"x, ""y""",,"",0.5')
    expect(csv.read(',a,b,')).toEqual({ a: '', b: 'a', c: 'b', d: null })
  })

  describe('without a head', () => {
    const columns = formatOf({ csv: { columns: ['b', 'unused', 'a'] } })
    const schema = schemaOf({ a: 'long', b: 'string' })

    test('cells are those that columns lists, whatever the order of the schema', async () => {
      const scanner = await columns.scanner(contextOf(schema), compileRowClass(schema))
      expect({ ...scanner.row(Buffer.from('x,,7'), 0, 4) }).toEqual({ a: 7, b: 'x' })
    })

    test('a sink writes the columns in their order', async () => {
      const csv = await codecOf({ csv: { columns: ['b', 'a'] } }, schema)
      expect(csv.write({ a: 7, b: 'x' }).toString()).toBe('x,7')
    })

    test.each(['read', 'write'] as const)('to %s several fields without columns is refused', (direction) => {
      expect(formatOf('csv').check(schema, direction)).toMatchObject([
        { path: 'csv', hint: expect.stringContaining('columns: [a, b]') as unknown },
      ])
      expect(formatOf('csv').check(schemaOf({ a: 'long' }), direction)).toEqual([])
      expect(formatOf({ csv: { header: true } }).check(schema, direction)).toEqual([])
    })

    test('a source refuses columns that lack a field of the schema, a sink those that its rows lack', () => {
      expect(columns.check(schemaOf({ a: 'long', c: 'long' }), 'read')).toMatchObject([
        { path: 'csv.columns', message: expect.stringContaining('"c"') as unknown },
      ])
      expect(columns.check(schema, 'read')).toEqual([])
      expect(columns.check(schema, 'write')).toMatchObject([
        { path: 'csv.columns', message: expect.stringContaining('"unused"') as unknown },
      ])
    })

    test('a source refuses columns beside a head', () => {
      const both = formatOf({ csv: { columns: ['a', 'b'], header: true } })
      expect(both.check(schema, 'read')).toMatchObject([{ path: 'csv.columns' }])
      expect(both.check(schema, 'write')).toEqual([])
      expect(both.file?.head?.(schemaOf({ b: 'long', a: 'long' }))).toBe('a,b')
    })
  })

  test('values are read by type', async () => {
    const csv = await codecOf(
      { csv: { delimiter: ';' } },
      schemaOf({
        n: 'long',
        t: 'timestamp',
        d: 'date',
        m: 'decimal(5,2)',
        y: 'bytes',
        b: 'boolean',
        r: 'row{a: long}',
      }),
    )
    expect(csv.read('-7;2001-01-02;2001-02-03;1.5;Yf8=;true;"{""a"":1}"')).toEqual({
      n: -7,
      t: 978_393_600_000,
      d: 11_356,
      m: '1.50',
      y: 'a\xff',
      b: true,
      r: { a: 1 },
    })
    expect(
      csv.read('-7;978393600000;2001-02-03;1.5;;false;{}'.replace('{}', '"{""a"":1}"').replace(';;', ';"";')),
    ).toMatchObject({ t: 978_393_600_000, y: '' })
  })

  test.each([
    ['long', '9007199254740993'],
    ['long', '1.5'],
    ['long', ''],
    ['long', 'x'],
    ['double', 'NaN'],
    ['double', 'Infinity'],
    ['double', '1e999'],
    ['double', '0x10'],
    ['boolean', 'yes'],
    ['timestamp', 'today'],
    ['date', '2001-02-30'],
    ['string', '"x'],
    ['string', '"x"y'],
    ['string', 'x"y'],
    ['string', 'a,b'],
    ['json', '{'],
    ['decimal(3,1)', '1.25'],
    ['bytes', '*'],
  ])('as %s the cell %s is RECORD_INVALID', async (type, text) => {
    const csv = await codecOf('csv', schemaOf({ field: type }))
    expect(() => csv.read(text)).toThrow(refusal('RECORD_INVALID', ''))
  })

  test('a head gives columns their names, in any order; one that lacks a column says so', async () => {
    const schema = schemaOf({ a: 'long', b: 'string?' })
    const format = formatOf({ csv: { header: true } })
    const { rows } = await codecOf('csv', schema)
    const scan = async (head: string, text: string): Promise<unknown> => ({
      ...(await format.scanner({ schema, ports: {} as never, baseDir: '.' }, rows, head)).row(
        Buffer.from(text),
        0,
        text.length,
      ),
    })
    expect(await scan('\ufeffx,b,a', '0,y,1')).toEqual({ a: 1, b: 'y' })
    expect(await scan('a', '1')).toEqual({ a: 1, b: null })
    await expect(scan('b', 'y')).rejects.toThrow(refusal('COLUMN_MISSING', '"a"'))
    await expect(scan('a;b', 'x;y')).rejects.toMatchObject({ hint: expect.stringContaining('delimiter: ";"') })
    expect(format.file?.head?.(schema)).toBe('a,b')
  })

  test('numbers that CSV cannot say are refused', async () => {
    const csv = await codecOf('csv', schemaOf({ bad: 'double' }))
    expect(() => csv.write({ bad: NaN })).toThrow(refusal('VALUE_INVALID', 'bad'))
  })
})

describe('raw', () => {
  test('a string is the record as UTF-8, bytes are the record', async () => {
    const text = await codecOf('raw', schemaOf({ line: 'string' }))
    expect(text.read('žluť')).toEqual({ line: 'žluť' })
    expect(text.write({ line: 'žluť' }).toString()).toBe('žluť')
    const bytes = await codecOf('raw', schemaOf({ line: 'bytes' }))
    expect(bytes.read(Uint8Array.of(0, 255))).toEqual({ line: '\0\xff' })
    expect([...bytes.write({ line: '\0\xff' })]).toEqual([0, 255])
  })

  test('what is not UTF-8 is RECORD_INVALID', async () => {
    const text = await codecOf('raw', schemaOf({ line: 'string' }))
    expect(() => text.read(Uint8Array.of(255))).toThrow(refusal('RECORD_INVALID', 'bytes'))
  })

  test.each([[{ a: 'string', b: 'string' }], [{ a: 'long' }], [{ a: 'string?' }], [{ a: 'decimal(2,1)' }]] as Record<
    string,
    string
  >[][])('the schema %j does not fit', (types) => {
    expect(formatOf('raw').check(schemaOf(types), 'read')).toHaveLength(1)
  })
})
