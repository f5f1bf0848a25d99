import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cellCoder, type Encoding } from '../../../../../runtime/connectors/hbase/cells.ts'
import { keyWriter } from '../../../../../runtime/connectors/hbase/row-key.ts'
import type { Field } from '../../../../../runtime/model/schema.ts'
import { parseValueType } from '../../../../../runtime/model/value-type.ts'

function fieldOf(type: string): Field {
  const parsed = parseValueType(type)
  if (parsed === undefined) throw new Error(type)
  return { ...parsed, name: 'x' }
}

function listKey(types: readonly string[], values: readonly unknown[]): Buffer {
  const key = keyWriter(types.map(fieldOf), 'list', 'binary')(values)
  if ('why' in key) throw new Error(key.why)
  return key.bytes
}

describe('row keys of several fields', () => {
  // printed by OrderedBytes of hbase-common 2.6.1
  test.each([
    ['bytes', '', '3700'],
    ['bytes', '\xc8', '37e400'],
    ['bytes', '\xc8\xed\x12\x37\x5c\x81\xa6', '37e4bba2a3baf28326'],
    ['double', -1.5, '314007ffffffffffff'],
    ['double', 0, '318000000000000000'],
    ['double', -0, '318000000000000000'],
    ['double', 1e300, '31fe37e43c8800759c'],
    ['bigint', '-9223372036854775808', '2c0000000000000000'],
    ['long', 5, '2c8000000000000005'],
    ['string', 'aü', '3461c3bc00'],
    ['boolean', true, '2981'],
  ])('%s %j is written as by HBase', (type, value, hex) => {
    expect(listKey([type], [value]).toString('hex')).toBe(hex)
  })

  test('are in the order of their parts, and different for different parts', () => {
    const text = fc.string({ unit: fc.constantFrom('\x01', 'a', 'b', 'ü', '\u{1f600}') })
    const part = fc.tuple(text, fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }))
    const types = ['string', 'long', 'double']
    fc.assert(
      fc.property(part, part, (a, b) => {
        const [first, second] = [listKey(types, a), listKey(types, b)]
        const wanted =
          Buffer.compare(Buffer.from(a[0]), Buffer.from(b[0])) || Math.sign(a[1] - b[1]) || Math.sign(a[2] - b[2])
        expect(Buffer.compare(first, second)).toBe(wanted + 0)
      }),
      { numRuns: 500 },
    )
  })
})

describe('cells of HBase', () => {
  test.each([
    ['string', 'ü', '\xc3\xbc', 'c3bc'],
    ['long', -2, '-2', 'fffffffffffffffe'],
    ['bigint', '9223372036854775807', '9223372036854775807', '7fffffffffffffff'],
    ['double', 0.1, '0.1', '3fb999999999999a'],
    ['boolean', true, 'true', 'ff'],
    ['boolean', false, 'false', '00'],
    ['timestamp', -1, '1969-12-31T23:59:59.999Z', 'ffffffffffffffff'],
    ['date', -1, '1969-12-31', 'ffffffff'],
    ['time', 1, '00:00:00.001', '00000001'],
    ['decimal(9,2)', '-12.30', '-12.30', '00000002fb32'],
    ['decimal(9,2)', '0.00', '0.00', '0000000200'],
    ['bytes', '\x00\xff', '\x00\xff', '00ff'],
    ['json', 'text', '"text"', Buffer.from('"text"').toString('hex')],
    ['array<bigint>', ['9223372036854775807'], '[9223372036854775807]', undefined],
  ])('%s %j is the text %j, or the bytes %s, and is read the same', (type, value, text, hex) => {
    const coder = (encoding: Encoding) => cellCoder(fieldOf(type), encoding)
    const asText = coder('text').write(value)
    expect(asText?.toString('latin1')).toBe(text)
    expect(coder('text').read(asText ?? Buffer.alloc(0))).toEqual(value)
    const bytes = coder('binary').write(value)
    if (hex !== undefined) expect(bytes?.toString('hex')).toBe(hex)
    expect(coder('binary').read(bytes ?? Buffer.alloc(0))).toEqual(value)
  })

  test.each([
    ['long', 'fffffffe', -2],
    ['long', 'fffe', -2],
    ['long', 'fe', -2],
    ['double', '3fc00000', 1.5],
    ['decimal(9,3)', '000000017b', '12.300'],
    ['boolean', '01', true],
    ['long', '', null],
    ['decimal(9,3)', '', null],
  ])('a %s is read from 0x%s, as other tools write it', (type, hex, value) => {
    expect(cellCoder(fieldOf(type), 'binary').read(Buffer.from(hex, 'hex'))).toBe(value)
  })

  test.each([
    ['long', 'binary', '0020000000000001'],
    ['long', 'binary', '000000'],
    ['bigint', 'binary', '00000001'],
    ['double', 'binary', '7ff0000000000000'],
    ['date', 'binary', '0000000000000000'],
    ['boolean', 'binary', '0000'],
    ['decimal(3,2)', 'binary', '0000000203e8'],
    ['decimal(3,2)', 'binary', '00000002'],
    ['decimal(3,2)', 'binary', '8000000001'],
    ['string', 'text', 'c328'],
    ['long', 'text', '31302e35'],
    ['long', 'text', ''],
    ['date', 'text', '6e756c6c'],
    ['json', 'text', '7b'],
    ['boolean', 'text', '31'],
  ] as const)('a cell that holds no %s (%s 0x%s) is refused', (type, encoding, hex) => {
    expect(cellCoder(fieldOf(type), encoding).read(Buffer.from(hex, 'hex'))).toBeUndefined()
  })
})
