import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { codecOf, schemaOf } from '../../../../harness/formats.ts'
import type { Row } from '../../../../../runtime/model/schema.ts'

async function read(types: Readonly<Record<string, string>>, text: string): Promise<Row> {
  return (await codecOf('json', schemaOf(types))).read(text)
}

const refusal = (said: string): Error =>
  expect.objectContaining({ code: 'RECORD_INVALID', message: expect.stringContaining(said) as unknown }) as Error

/** The canonical text of digits without an exponent, by moving the point with BigInt alone. */
function plainDecimal(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  return `${unscaled < 0n ? '-' : ''}${scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`}`
}

describe('a number of JSON that is read as a decimal', () => {
  test.each([
    ['12345678901234567.89', '12345678901234567.89'],
    ['-12345678901234567.89', '-12345678901234567.89'],
    ['1e3', '1000.00'],
    ['10.0', '10.00'],
    ['1234567890123456789e-2', '12345678901234567.89'],
    ['1.5e-1', '0.15'],
    ['1e-2', '0.01'],
    ['-0', '0.00'],
    ['-0.00e5', '0.00'],
    ['0.1', '0.10'],
  ])('%s is %s', async (digits, text) => {
    expect(await read({ price: 'decimal(20,2)' }, `{"price":${digits}}`)).toEqual({ price: text })
    expect(await read({ price: 'decimal(20,2)' }, `{"price":"${digits}"}`)).toEqual({ price: text })
    expect(
      await read({ list: 'array<row{price: decimal(20,2), more: json}>' }, `{"list":[{"price":${digits},"more":[1]}]}`),
    ).toEqual({ list: [{ price: text, more: [1] }] })
  })

  test.each(['0.001', '123456789012345678.901', '1000000000000000000', '1e400', '1e-400', '1e999999999'])(
    '%s is refused with its digits',
    async (digits) => {
      await expect(read({ price: 'decimal(20,2)' }, `{"price":${digits}}`)).rejects.toThrow(refusal(digits))
    },
  )

  test('is the same once the layout of the records is known', async () => {
    const types = { name: 'string', price: 'decimal(20,2)?', id: 'bigint', n: 'long' }
    const [fresh, learned] = [await codecOf('json', schemaOf(types)), await codecOf('json', schemaOf(types))]
    const record = (name: string, price: string, id: string): string =>
      `{"name":"${name}","price":${price},"id":${id},"n":1}`
    for (let i = 0; i < 20; i++) learned.read(record('x', '1.5', '7'))
    const digits = fc.constantFrom(
      '1',
      '-0',
      '12345678901234567.89',
      '"1.5"',
      '"x"',
      '1e3',
      '1.005',
      'null',
      'true',
      '9223372036854775807',
      '9223372036854775808',
      '"ž"',
      '[]',
      '""',
    )
    const outcome = (read: () => Row): unknown => {
      try {
        return read()
      } catch (error) {
        return (error as Error).message
      }
    }
    fc.assert(
      fc.property(fc.constantFrom('a', 'žluť', '\\n'), digits, digits, (name, price, id) => {
        const text = record(name, price, id)
        expect(outcome(() => learned.read(text))).toEqual(outcome(() => fresh.read(` ${text}`)))
      }),
      { numRuns: 500 },
    )
  })

  test('keeps each of up to 38 digits', async () => {
    const codec = await codecOf('json', schemaOf({ price: 'decimal(38,9)', id: 'long' }))
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }), fc.integer(), (unscaled, id) => {
        const text = plainDecimal(unscaled, 9)
        expect(codec.read(`{"price":${text},"id":${id}}`)).toEqual({ price: text, id })
      }),
    )
  })

  test('leaves the numbers of other fields as JSON.parse has them', async () => {
    const types = { price: 'decimal(20,2)', ratio: 'double', any: 'json', id: 'long', at: 'timestamp' }
    const text =
      '{"price":12345678901234567.89,"ratio":0.30000000000000004,"any":{"x":[12345678901234567.89]},"id":10.0,"at":1700000000000.0}'
    expect(await read(types, text)).toEqual({
      price: '12345678901234567.89',
      ratio: 0.1 + 0.2,
      any: { x: [12345678901234568] },
      id: 10,
      at: 1_700_000_000_000,
    })
  })
})

describe('a number of JSON that is read as a long', () => {
  test.each(['9007199254740993', '-9007199254740992', '12345678901234567890', '9.007199254740993e15'])(
    '%s is refused with its digits, and bigint is named',
    async (digits) => {
      await expect(read({ id: 'long' }, `{"id":${digits}}`)).rejects.toThrow(refusal(digits))
      await expect(read({ id: 'long' }, `{"id":${digits}}`)).rejects.toThrow(refusal('bigint'))
    },
  )

  test.each([
    '9007199254740990.6',
    '1.00000000000000000001',
    '0.99999999999999999999',
    '90071992547409906e-1',
    '1e-400',
  ])('%s is not rounded to a whole number', async (digits) => {
    await expect(read({ id: 'long' }, `{"id":${digits}}`)).rejects.toThrow(refusal(digits))
    await expect(read({ id: 'array<long>' }, `{"id":[${digits}]}`)).rejects.toThrow(refusal('long'))
  })

  test.each([
    ['1e3', 1000],
    ['10.0', 10],
    ['10.00000000000000000000', 10],
    ['9007199254740991', 9_007_199_254_740_991],
    ['90071992547409910e-1', 9_007_199_254_740_991],
    ['-0', 0],
  ])('%s is %s', async (digits, value) => {
    expect(await read({ id: 'long' }, `{"id":${digits}}`)).toEqual({ id: value })
    expect(await read({ id: 'array<long>' }, `{"id":[${digits}]}`)).toEqual({ id: [value] })
  })
})
