import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keyBytes } from '../../../../runtime/connectors/kit/message-fields.ts'
import { ParquetWriter } from '../../../../runtime/formats/parquet/parquet-writer.ts'
import { RowBatch } from '../../../../runtime/memory/batch.ts'
import type { Row } from '../../../../runtime/model/schema.ts'
import { codecOf, schemaOf } from '../../../harness/formats.ts'

const refusal = (said: string): Error =>
  expect.objectContaining({ code: 'RECORD_INVALID', message: expect.stringContaining(said) as unknown }) as Error

const BOM = Buffer.from('\uFEFF')
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

describe('a record that is not UTF-8 is an error', () => {
  test.each([
    ['json', latin1('{"name":"Müller","rest":1}')],
    ['csv', latin1('Müller,1')],
    ['csv', latin1('"Müller",1')],
  ])('in %s', async (format, record) => {
    const codec = await codecOf(format, schemaOf({ name: 'string', rest: 'long' }))
    expect(() => codec.read(record)).toThrow(refusal('not UTF-8'))
    expect(codec.read(format === 'csv' ? 'Müller,1' : '{"name":"Müller","rest":1}')).toEqual({
      name: 'Müller',
      rest: 1,
    })
  })

  test('in JSON also once the layout of the records is known, in fields that are read and in others', async () => {
    const codec = await codecOf('json', schemaOf({ name: 'string' }))
    const record = (name: string, other: string): string => `{"name":"${name}","other":"${other}"}`
    for (let i = 0; i < 20; i++) expect(codec.read(record(`n${i}`, 'x'))).toEqual({ name: `n${i}` })
    for (const bad of [record('Müller', 'x'), record('Möller', 'x'), record('x', 'Müller')])
      expect(() => codec.read(latin1(bad))).toThrow(refusal('not UTF-8'))
    expect(codec.read(record('Müller', 'Möller'))).toEqual({ name: 'Müller' })
    expect(codec.read(record('\uFFFD', '\uFFFD'))).toEqual({ name: '\uFFFD' })
  })

  test('in JSON exactly where no decoder takes it, once the layout is known', async () => {
    const read = await codecOf('json', schemaOf({ name: 'string' }))
    const skipped = await codecOf('json', schemaOf({ id: 'long' }))
    const record = (bytes: Uint8Array): Buffer =>
      Buffer.concat([Buffer.from('{"id":1,"name":"'), bytes, Buffer.from('"}')])
    const outcome = (act: () => Row): unknown => {
      try {
        return act()
      } catch (error) {
        return (error as { code?: string }).code
      }
    }
    const bytes = fc.oneof(
      fc.uint8Array({ min: 0x80, maxLength: 6 }),
      fc.string({ unit: 'grapheme', maxLength: 4 }).map((text) => Buffer.from(text.replaceAll(/["\\\0-\x1f]/g, ''))),
    )
    fc.assert(
      fc.property(bytes, bytes, (one, two) => {
        const name = Buffer.concat([one, two])
        for (const codec of [read, skipped]) codec.read('{"id":1,"name":"x"}')
        expect(outcome(() => read.read(record(name)))).toEqual(
          isUtf8(name) ? { name: name.toString() } : 'RECORD_INVALID',
        )
        expect(outcome(() => skipped.read(record(name)))).toEqual(isUtf8(name) ? { id: 1 } : 'RECORD_INVALID')
      }),
      { numRuns: 2000 },
    )
  })

  test('in raw records', async () => {
    const codec = await codecOf('raw', schemaOf({ line: 'string' }))
    expect(() => codec.read(latin1('Müller'))).toThrow(refusal('not UTF-8'))
    expect(codec.read('\uFFFD Müller')).toEqual({ line: '\uFFFD Müller' })
  })

  test('in a string of Avro, which names its field', async () => {
    const codec = await codecOf('avro', schemaOf({ id: 'long', name: 'string' }))
    const record = codec.write(new codec.rows(1, 'Mu'))
    record[record.length - 1] = 0xfc
    expect(() => codec.read(record)).toThrow(refusal("field 'name' (string)"))
    expect(codec.read(codec.write(new codec.rows(1, 'Müller')))).toEqual({ id: 1, name: 'Müller' })
  })

  test('in a string of Protobuf, which names its field', async () => {
    const schema = 'syntax = "proto3"; message M { string name = 1; }'
    const codec = await codecOf({ protobuf: { schema } }, schemaOf({ name: 'string' }))
    const record = codec.write(new codec.rows('Mu'))
    record[record.length - 1] = 0xfc
    expect(() => codec.read(record)).toThrow(refusal("field 'name' (string)"))
    expect(codec.read(codec.write(new codec.rows('Müller')))).toEqual({ name: 'Müller' })
  })
})

describe('a byte order mark before a record is skipped', () => {
  test.each([
    ['json', '{"name":"a","rest":1}'],
    ['csv', 'a,1'],
    ['csv', '"a",1'],
  ])('in %s', async (format, record) => {
    const codec = await codecOf(format, schemaOf({ name: 'string', rest: 'long' }))
    expect(codec.read(Buffer.concat([BOM, Buffer.from(record)]))).toEqual({ name: 'a', rest: 1 })
  })

  test('in JSON the records after it are read as fast as ever, and the next ones with one too', async () => {
    const codec = await codecOf('json', schemaOf({ id: 'long' }))
    const read = (text: string): unknown => codec.read(text)
    expect([read('\uFEFF{"id":1}'), read('{"id":2}'), read('\uFEFF{"id":3}')]).toEqual([
      { id: 1 },
      { id: 2 },
      { id: 3 },
    ])
  })
})

describe('a Protobuf record', () => {
  test.each([
    ['the field number 0', [0x00, 0x01]],
    ['the field number 0 with a length', [0x02, 0x00]],
    ['a tag beyond 32 bits', [0x88, 0x80, 0x80, 0x80, 0x10, 0x01]],
  ])('with %s is refused', async (_what, bytes) => {
    const schema = 'syntax = "proto3"; message M { int64 a = 1; }'
    const codec = await codecOf({ protobuf: { schema } }, schemaOf({ a: 'long' }))
    expect(() => codec.read(Buffer.from(bytes))).toThrow(refusal('field number'))
  })

  test('names field, type and value of an integer beyond 2^53', async () => {
    const schema = 'syntax = "proto3"; message M { int64 a = 1; uint64 b = 2; }'
    const codec = await codecOf({ protobuf: { schema } }, schemaOf({ a: 'long', b: 'long' }))
    // 2^63 - 1 in nine bytes, 2^64 - 1 in ten
    expect(() => codec.read(Buffer.from([0x08, ...Array<number>(8).fill(0xff), 0x7f]))).toThrow(
      refusal("field 'a' (long): 9223372036854775807 lies beyond 2^53"),
    )
    expect(() => codec.read(Buffer.from([0x10, ...Array<number>(9).fill(0xff), 0x01]))).toThrow(
      refusal("field 'b' (long): 18446744073709551615 lies beyond 2^53"),
    )
  })
})

test('an Avro record names field, type and value of a long beyond 2^53', async () => {
  const codec = await codecOf('avro', schemaOf({ id: 'long' }))
  // the zigzag form of -2^63 is 2^64 - 1
  expect(() => codec.read(Buffer.from([...Array<number>(9).fill(0xff), 0x01]))).toThrow(
    refusal("field 'id' (long): -9223372036854775808 lies beyond 2^53"),
  )
})

const HALF = 'x\ud800y'
const PROTO = { protobuf: { schema: 'syntax = "proto3"; message R { string text = 1; }' } }

describe('a text with half of a character', () => {
  test.each(['csv', 'raw', 'avro', PROTO])('is refused by a sink of %j, which would write U+FFFD', async (format) => {
    const codec = await codecOf(format, schemaOf({ text: 'string' }))
    expect(() => codec.write(new codec.rows(HALF))).toThrow(expect.objectContaining({ code: 'VALUE_INVALID' }))
    expect(codec.read(codec.write(new codec.rows('x\ud83d\ude00y')))).toEqual({ text: 'x\ud83d\ude00y' })
  })

  test('is refused by a sink of Parquet', () => {
    const writer = new ParquetWriter(schemaOf({ text: 'string' }), { compression: 'zstd', jsonAs: 'json' })
    expect(() => writer.add(new RowBatch([{ text: HALF }]))).toThrow(expect.objectContaining({ code: 'VALUE_INVALID' }))
  })

  test('is written by a sink of JSON as it was read', async () => {
    const codec = await codecOf('json', schemaOf({ text: 'string' }))
    expect(codec.read(codec.write(codec.read('{"text":"x\\ud800y"}') as never))).toEqual({ text: HALF })
  })

  test('is refused as the key of a message', () => {
    expect(() => keyBytes(HALF)).toThrow(expect.objectContaining({ code: 'VALUE_INVALID' }))
    expect(keyBytes('ü')).toEqual(Buffer.from('ü'))
  })
})
