import { types } from 'cassandra-driver'
import { describe, expect, test } from 'vitest'
import { fromDriver, toDriver } from '../../../../../runtime/connectors/cassandra/real/cells.ts'
import {
  type CassandraType,
  type Cell,
  cellReader,
  cellWriter,
} from '../../../../../runtime/connectors/cassandra/types.ts'
import type { Field } from '../../../../../runtime/model/schema.ts'
import { parseValueType } from '../../../../../runtime/model/value-type.ts'

function fieldOf(type: string): Field {
  const parsed = parseValueType(type)
  if (parsed === undefined) throw new Error(type)
  return { name: 'v', ...parsed }
}

const map = (keys: 'ascii' | 'text' | 'int'): CassandraType => ({
  kind: 'map',
  keys: { kind: keys },
  values: { kind: 'text' },
})

describe('values that a column of Cassandra cannot hold', () => {
  test.each<[string, CassandraType, unknown]>([
    // half of a character: its bytes would be those of another text
    ['string', { kind: 'text' }, '\ud800'],
    ['array<string>', { kind: 'list', items: { kind: 'text' } }, ['a', '\udfff']],
    ['map<string>', map('text'), { '\ud800': 'x' }],
    ['map<string>', map('ascii'), { é: 'x' }],
    ['date', { kind: 'date' }, 2 ** 31],
    ['date', { kind: 'date' }, -(2 ** 31) - 1],
    ['string', { kind: 'timeuuid' }, '0e7d2f1a-7f0b-4f5e-9d11-5f4c3b2a1908'],
    ['string', { kind: 'inet' }, '10.1.2.300'],
    ['string', { kind: 'inet' }, '10.1.2'],
    ['string', { kind: 'inet' }, '10.1.2.3.'],
    ['string', { kind: 'inet' }, '010.1.2.3'],
    ['string', { kind: 'inet' }, '1:2:3'],
    ['string', { kind: 'inet' }, '::12345'],
    ['string', { kind: 'inet' }, '1:2:3:4:5:6:7:8:9'],
    ['string', { kind: 'inet' }, 'fe80::1%eth0'],
    ['string', { kind: 'inet' }, ''],
  ])('of a field %s to %j: %j is refused', (field, type, value) => {
    const write = cellWriter(fieldOf(field), type)
    expect(() => write?.(value)).toThrow(expect.objectContaining({ code: 'VALUE_INVALID' }))
  })

  test.each([
    ['::', '::'],
    ['1::', '1::'],
    ['FE80:0:0::1', 'fe80::1'],
    ['::ffff:1.2.3.4', '::ffff:102:304'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['255.255.255.255', '255.255.255.255'],
  ])('the address %s is the driver’s %s', (text, shown) => {
    const cell = cellWriter(fieldOf('string'), { kind: 'inet' })?.(text) ?? ''
    expect(String(toDriver({ kind: 'inet' }, cell))).toBe(shown)
  })
})

function read(field: string, type: CassandraType, driver: unknown): unknown {
  const reader = cellReader(fieldOf(field), type)
  return reader?.(fromDriver(type, driver) as Cell)
}

describe('values that others have stored', () => {
  test.each([
    [-2, '1', '100.00'],
    [5, '-150000', '-1.50'],
    [400, '0', '0.00'],
    [-400, '0', '0.00'],
    [400, '1', undefined],
    // as many zeros would fill the memory
    [2 ** 31 - 1, '1', undefined],
    [-(2 ** 31), '1', undefined],
    [0, '9'.repeat(20_000), undefined],
  ])('a decimal of scale %i is read without writing out its zeros', (scale, unscaled, value) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(scale)
    const digits = types.Integer.toBuffer(types.Integer.fromString(unscaled))
    const decimal = types.BigDecimal.fromBuffer(Buffer.concat([bytes, digits]))
    expect(read('decimal(9,2)', { kind: 'decimal' }, decimal)).toBe(value)
  })

  test.each(['0', '-1', '127', '128', '-128', '-129', '9223372036854775807', '-9223372036854775808'])(
    'the varint %s is read as it is',
    (digits) => {
      expect(read('bigint', { kind: 'varint' }, types.Integer.fromString(digits))).toBe(digits)
    },
  )

  test('a varint beyond 64 bits fits into no field, however long it is', () => {
    expect(read('bigint', { kind: 'varint' }, types.Integer.fromString('9223372036854775808'))).toBe(undefined)
    expect(read('long', { kind: 'varint' }, types.Integer.fromString('9'.repeat(20_000)))).toBe(undefined)
  })

  test('a time that the driver cannot tell, and an empty number in a list, fit into no field', () => {
    expect(read('timestamp', { kind: 'timestamp' }, new Date(Number.NaN))).toBe(undefined)
    expect(read('array<long>', { kind: 'list', items: { kind: 'int' } }, [1, null])).toBe(undefined)
  })

  test('a map has all its keys, also those that every object inherits', () => {
    const stored = new Map([
      ['__proto__', 'a'],
      ['hasOwnProperty', 'b'],
    ])
    expect(JSON.stringify(read('map<string>', map('text'), stored))).toBe('{"__proto__":"a","hasOwnProperty":"b"}')
    expect(toDriver(map('text'), JSON.parse('{"__proto__":"a","hasOwnProperty":"b"}') as Cell)).toEqual(stored)
  })

  test('a map whose keys are no texts has no field', () => {
    expect(cellReader(fieldOf('map<string>'), map('int'))).toBe(undefined)
  })
})
