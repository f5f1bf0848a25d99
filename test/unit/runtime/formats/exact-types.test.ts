import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { codecOf, schemaOf } from '../../../harness/formats.ts'

const [LEAST, MOST] = [-(2n ** 63n), 2n ** 63n - 1n]
const refusal = (said: string): Error =>
  expect.objectContaining({ code: 'RECORD_INVALID', message: expect.stringContaining(said) as unknown }) as Error

describe('a bigint', () => {
  test.each(['json', 'csv', 'avro'])('keeps all 64 bits in %s', async (format) => {
    const codec = await codecOf(format, schemaOf({ id: 'bigint', maybe: 'bigint?' }))
    fc.assert(
      fc.property(fc.bigInt({ min: LEAST, max: MOST }), (id) => {
        const row = { id: String(id), maybe: null }
        expect(codec.read(codec.write(new codec.rows(row.id, row.maybe)))).toEqual(row)
      }),
    )
  })

  test.each(['int64', 'sint64', 'sfixed64', 'uint64', 'fixed64'])('keeps all 64 bits in a %s', async (scalar) => {
    const schema = `syntax = "proto3"; message M { ${scalar} id = 1; repeated ${scalar} more = 2; map<string, ${scalar}> by = 3; }`
    const codec = await codecOf(
      { protobuf: { schema } },
      schemaOf({ id: 'bigint', more: 'array<bigint>', by: 'map<bigint>' }),
    )
    const least = scalar.startsWith('u') || scalar.startsWith('fixed') ? 0n : LEAST
    fc.assert(
      fc.property(fc.bigInt({ min: least, max: MOST }), fc.bigInt({ min: least, max: MOST }), (id, other) => {
        const row = { id: String(id), more: [String(other), '0'], by: { a: String(other), b: '0', '': String(id) } }
        expect(codec.read(codec.write(new codec.rows(row.id, row.more, row.by)))).toEqual(row)
      }),
    )
    expect(codec.read(Buffer.alloc(0))).toEqual({ id: '0', more: [], by: {} })
  })

  test('is a number in JSON, of any form that says a whole one, and in Avro the long that others write', async () => {
    const json = await codecOf('json', schemaOf({ id: 'bigint' }))
    expect(json.write(new json.rows('-9223372036854775808')).toString()).toBe('{"id":-9223372036854775808}')
    for (const digits of ['9007199254740993', '"9007199254740993"', '9007199254740993.0', '900719925474099300e-2'])
      expect(json.read(`{"id":${digits}}`)).toEqual({ id: '9007199254740993' })
    const avro = await codecOf('avro', schemaOf({ id: 'bigint' }))
    // zigzag of -2^63 is 2^64 - 1
    expect(avro.write(new avro.rows('-9223372036854775808'))).toEqual(
      Buffer.from([...Array<number>(9).fill(0xff), 0x01]),
    )
  })

  test.each(['9223372036854775808', '-9223372036854775809', '1.5', '"x"', '1e19', 'true', '{}'])(
    'is not what JSON says as %s',
    async (digits) => {
      const codec = await codecOf('json', schemaOf({ id: 'bigint' }))
      expect(() => codec.read(`{"id":${digits}}`)).toThrow(
        refusal("field 'id' (bigint) must be a whole number of 64 bits"),
      )
    },
  )

  test('beyond 2^63 - 1 of an unsigned integer is an error that names a type which holds it', async () => {
    const schema = 'syntax = "proto3"; message M { uint64 id = 1; }'
    const codec = await codecOf({ protobuf: { schema } }, schemaOf({ id: 'bigint' }))
    expect(() => codec.read(Buffer.from([0x08, ...Array<number>(9).fill(0xff), 0x01]))).toThrow(
      refusal("field 'id' (bigint): 18446744073709551615 lies beyond 2^63 - 1; decimal(20,0)"),
    )
  })
})

describe('a time', () => {
  test.each([
    ['"12:34:56.789"', 45_296_789],
    ['"12:34:56.789123"', 45_296_789],
    ['"12:34:56"', 45_296_000],
    ['"12:34"', 45_240_000],
    ['"00:00:00.000"', 0],
    ['86399999', 86_399_999],
  ])('is %s in JSON', async (text, ms) => {
    const codec = await codecOf('json', schemaOf({ at: 'time' }))
    expect(codec.read(`{"at":${text}}`)).toEqual({ at: ms })
    expect(codec.read(codec.write(new codec.rows(ms)))).toEqual({ at: ms })
  })

  test.each(['"24:00:00"', '"12:60"', '"1:00"', '"noon"', '86400000', '-1', '1.5'])('is not %s', async (text) => {
    const codec = await codecOf('json', schemaOf({ at: 'time' }))
    expect(() => codec.read(`{"at":${text}}`)).toThrow(refusal("field 'at' (time) must be a time of day"))
  })

  test("is written as HH:MM:SS.sss, and is Avro's time-millis", async () => {
    const json = await codecOf('json', schemaOf({ at: 'time' }))
    expect(json.write(new json.rows(45_296_789)).toString()).toBe('{"at":"12:34:56.789"}')
    const avro = await codecOf('avro', schemaOf({ at: 'time' }))
    expect(avro.read(avro.write(new avro.rows(86_399_999)))).toEqual({ at: 86_399_999 })
    expect(() => avro.read(Buffer.from([1]))).toThrow(refusal("field 'at' (time)"))
  })
})

describe('a map', () => {
  test('keeps its keys whatever they are, and refuses values of another type', async () => {
    const codec = await codecOf('json', schemaOf({ by: 'map<long?>' }))
    const text = '{"by":{"a b":1,"__proto__":2,"":null}}'
    expect(codec.write(new codec.rows(codec.read(text)['by'])).toString()).toBe(text)
    expect(() => codec.read('{"by":{"a":"x"}}')).toThrow(refusal("field 'by' (map<long?>)"))
    expect(() => codec.read('{"by":[1]}')).toThrow(refusal("field 'by' (map<long?>)"))
  })
})
