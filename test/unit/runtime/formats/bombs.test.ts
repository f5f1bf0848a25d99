import { describe, expect, test } from 'vitest'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import { MAX_DEPTH, MAX_ITEMS } from '../../../../runtime/model/decoding-limits.ts'
import { contextOf, formatOf, rowOf, schemaOf } from '../../../harness/formats.ts'
import type { Row } from '../../../../runtime/model/schema.ts'

const refusal = (said: string): Error =>
  expect.objectContaining({ code: 'RECORD_INVALID', message: expect.stringContaining(said) as unknown }) as Error

async function reader(
  format: unknown,
  types: Readonly<Record<string, string>>,
): Promise<(record: Uint8Array | string) => Row> {
  const schema = schemaOf(types)
  const scanner = await formatOf(format).scanner(contextOf(schema), compileRowClass(schema))
  return (record) => rowOf(scanner, Buffer.from(record))
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]
}

/** A list of lists of nulls: no byte for an item. */
const NULLS = {
  type: 'record',
  name: 'R',
  fields: [{ name: 'x', type: { type: 'array', items: { type: 'array', items: 'null' } } }],
}

/** So many lists of so many nulls each. */
function listsOfNulls(lists: number, nulls: number): Buffer {
  const one = [...varint(nulls * 2), 0]
  return Buffer.from([...varint(lists * 2), ...Array.from({ length: lists }, () => one).flat(), 0])
}

/** Messages of the field number 1, with so many bytes in each. */
const repeated = (count: number, each: readonly number[]): Buffer =>
  Buffer.concat(Array.from({ length: count }, () => Buffer.from([10, ...each])))

describe('records that would cost more than they are worth', () => {
  test('when lists of Avro hold more items together than the limit, in 242 bytes, the record is refused', async () => {
    const bomb = listsOfNulls(60, MAX_ITEMS)
    expect(bomb.length).toBeLessThan(310)
    const avro = await reader({ avro: { schema: NULLS } }, { x: 'json' })
    expect(() => avro(bomb)).toThrow(refusal(`more than ${MAX_ITEMS} items`))
    expect(avro(listsOfNulls(10, 5)).x).toEqual(Array.from({ length: 10 }, () => [null, null, null, null, null]))
  })

  test('when a record is refused for its items, the next one is read from the start', async () => {
    const avro = await reader({ avro: { schema: NULLS } }, { x: 'json' })
    for (let again = 0; again < 3; again++) expect(avro(listsOfNulls(9, 100_000)).x).toHaveLength(9)
  })

  test.each([
    ['strings', 'repeated string a = 1;', [0], 'array<string>'],
    ['messages', 'message M {} repeated M a = 1;', [0], 'json'],
    ['entries of a map', 'map<string, string> a = 1;', [4, 10, 0, 18, 0], 'map<string>'],
  ])('when Protobuf repeats %s more often than the limit, the record is refused', async (_what, field, each, type) => {
    const protobuf = await reader({ protobuf: { schema: `syntax = "proto3"; message R { ${field} }` } }, { a: type })
    expect(() => protobuf(repeated(MAX_ITEMS + 1, each))).toThrow(refusal(`more than ${MAX_ITEMS} items`))
    expect(protobuf(repeated(2, each)).a).toBeDefined()
  })

  test('when Protobuf packs more numbers than the limit, the record is refused', async () => {
    const schema = 'syntax = "proto3"; message R { repeated int32 a = 1; }'
    const protobuf = await reader({ protobuf: { schema } }, { a: 'array<long>' })
    const packed = (count: number): Buffer => Buffer.concat([Buffer.from([10, ...varint(count)]), Buffer.alloc(count)])
    expect(() => protobuf(packed(MAX_ITEMS + 1))).toThrow(refusal(`more than ${MAX_ITEMS} items`))
    expect(protobuf(packed(MAX_ITEMS)).a).toHaveLength(MAX_ITEMS)
  })

  const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`

  test.each([
    ['json', (text: string) => `{"x":${text}}`],
    ['csv', (text: string) => text],
    [
      {
        avro: {
          schema: { type: 'record', name: 'R', fields: [{ name: 'x', type: { type: 'string', logicalType: 'json' } }] },
        },
      },
      (text: string) => Buffer.from([...varint(text.length * 2), ...Buffer.from(text)]),
    ],
  ])('when JSON in %j is nested deeper than the limit, the record is refused', async (format, record) => {
    const read = await reader(format, { x: 'json' })
    for (const depth of [MAX_DEPTH + 1, 5000, 200_000])
      expect(() => read(record(nested(depth)))).toThrow(refusal(`nested more than ${MAX_DEPTH} deep`))
    expect(JSON.stringify(read(record(nested(MAX_DEPTH - 1))).x)).toBe(nested(MAX_DEPTH - 1))
  })

  test('when brackets of JSON stand in texts, they are no nesting', async () => {
    const read = await reader('json', { x: 'json' })
    const text = `\\"${'['.repeat(5000)}`
    expect(read(`{"x":["${text}",{}]}`).x).toEqual([`"${'['.repeat(5000)}`, {}])
  })

  test('when JSON has more items than the limit, the record is refused', async () => {
    const read = await reader('json', { x: 'json' })
    const items = (count: number): string => `{"x":[${'0,'.repeat(count - 1)}0]}`
    expect(() => read(items(MAX_ITEMS + 2))).toThrow(refusal(`more than ${MAX_ITEMS} items`))
    expect(read(items(MAX_ITEMS - 2)).x).toHaveLength(MAX_ITEMS - 2)
  })

  test.each(['', '"'])(
    'when CSV has more cells than the limit, the record is refused (begins with %j)',
    async (quote) => {
      const read = await reader('csv', { x: 'string' })
      expect(() => read(`${quote}a${quote}${','.repeat(3 * MAX_ITEMS)}`)).toThrow(
        refusal(`${MAX_ITEMS + 1} cells, not 1`),
      )
    },
  )
})
