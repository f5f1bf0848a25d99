import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Cell, KUDU_TYPE, type KuduColumn, type KuduType } from '../../../../../runtime/connectors/kudu/columns.ts'
import { hashBucket, murmur2 } from '../../../../../runtime/connectors/kudu/murmur2-64a.ts'
import { partitionKeyer, rangeHolding } from '../../../../../runtime/connectors/kudu/partition-key.ts'
import { requestHeader, scanAnswer } from '../../../../../runtime/connectors/kudu/protocol/messages.ts'
import { decodeMessage, encodeMessage, message, repeated } from '../../../../../runtime/connectors/kit/protobuf.ts'
import { OPERATION, RowOperations } from '../../../../../runtime/connectors/kudu/row-operations.ts'
import { columnarBlock } from '../../../../../runtime/connectors/kudu/scan-block.ts'
import { MAX_ITEMS } from '../../../../../runtime/model/decoding-limits.ts'

function column(name: string, type: KuduType, parts: Partial<KuduColumn> = {}): KuduColumn {
  return { name, type, isKey: false, isNullable: false, precision: 0, scale: 0, length: 0, ...parts }
}

// the vectors of src/kudu/util/hash_util-test.cc
test.each([
  ['ab', 0, 7115271465109541368n],
  ['abcdefg', 0, 2601573339036254301n],
  ['quick brown fox', 42, 3575930248840144026n],
])('the hash of %j with seed %i is that of Kudu', (text, seed, hash) => {
  expect(murmur2(Buffer.from(text), seed)).toBe(hash)
})

test('the hash of any bytes is that of a plain computation with 64-bit integers', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.nat({ max: 2 ** 32 - 1 }),
      fc.integer({ min: 1, max: 1000 }),
      (bytes, seed, buckets) => {
        const hash = plainMurmur(bytes, seed)
        expect(murmur2(bytes, seed)).toBe(hash)
        expect(hashBucket(bytes, bytes.length, seed, buckets)).toBe(Number(hash % BigInt(buckets)))
      },
    ),
  )
})

function plainMurmur(bytes: Uint8Array, seed: number): bigint {
  const m = 0xc6a4a7935bd1e995n
  const wrap = (value: bigint): bigint => BigInt.asUintN(64, value)
  let hash = wrap(BigInt(seed) ^ wrap(BigInt(bytes.length) * m))
  const whole = bytes.length - (bytes.length % 8)
  for (let at = 0; at < whole; at += 8) {
    let k = wrap(Buffer.from(bytes).readBigUInt64LE(at) * m)
    k = wrap((k ^ (k >> 47n)) * m)
    hash = wrap((hash ^ k) * m)
  }
  if (whole < bytes.length) {
    let rest = 0n
    for (let at = bytes.length - 1; at >= whole; at--) rest = (rest << 8n) | BigInt(bytes[at] ?? 0)
    hash = wrap((hash ^ rest) * m)
  }
  hash = wrap((hash ^ (hash >> 47n)) * m)
  return hash ^ (hash >> 47n)
}

describe('a partition key', () => {
  // the vectors of TestKeyEncoding.java
  const columns = [
    column('a', KUDU_TYPE.int32, { isKey: true }),
    column('b', KUDU_TYPE.string, { isKey: true }),
    column('c', KUDU_TYPE.string, { isKey: true }),
  ]
  const keyOf = partitionKeyer(columns, {
    hash: [
      { columns: [0, 1], buckets: 32, seed: 0 },
      { columns: [2], buckets: 32, seed: 42 },
    ],
    range: [0, 1, 2],
  })
  test.each([
    [[0, '', ''], '0000000000000014800000000000'],
    [[1, '', ''], '0000000500000014800000010000'],
    [[0, 'b', 'c'], '0000001a0000001d8000000062000063'],
    [[1, 'b', 'c'], '000000000000001d8000000162000063'],
  ])('of %j is that of Kudu', (cells, key) => {
    expect(keyOf(cells).toString('hex')).toBe(key)
  })

  test('has the order of the numbers and texts it is made of', () => {
    const ranges = partitionKeyer(
      [column('n', KUDU_TYPE.int64), column('t', KUDU_TYPE.string), column('z', KUDU_TYPE.int8)],
      {
        hash: [],
        range: [0, 1, 2],
      },
    )
    const rows = fc.tuple(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.string({ unit: fc.constantFrom('\0', '\u0001', 'a', 'ü') }),
      fc.integer({ min: -128, max: 127 }),
    )
    fc.assert(
      fc.property(rows, rows, (a, b) => {
        const order =
          a[0] !== b[0]
            ? a[0] < b[0]
              ? -1
              : 1
            : a[1] !== b[1]
              ? Buffer.compare(Buffer.from(a[1]), Buffer.from(b[1]))
              : Math.sign(a[2] - b[2])
        expect(Buffer.compare(Buffer.from(ranges(a)), Buffer.from(ranges(b)))).toBe(order)
      }),
    )
  })

  test('is found in the range that covers it, and in none between two', () => {
    const range = (start: string, end: string) => ({ start: Buffer.from(start), end: Buffer.from(end) })
    const ranges = [range('b', 'd'), range('f', 'g'), range('g', '')]
    const found = (key: string) => rangeHolding(ranges, Buffer.from(key))?.start.toString()
    expect(['a', 'b', 'c', 'd', 'f', 'g', 'zz'].map(found)).toEqual([undefined, 'b', 'b', undefined, 'f', 'g', 'g'])
  })
})

describe('messages', () => {
  const all = message({
    int: [1, 'int'],
    bool: [2, 'bool'],
    text: [3, 'text'],
    bytes: [4, 'bytes'],
    fixed: [5, 'fixed64'],
    ints: [6, repeated('int')],
    inner: [7, message({ text: [1, 'text'] })],
    inners: [16, repeated(message({ int: [1, 'int'] }))],
  })

  test('are read as they were written', () => {
    const int = fc.integer({ min: -(2 ** 31), max: 2 ** 53 - 1 })
    fc.assert(
      fc.property(
        fc.record({
          int,
          bool: fc.boolean(),
          text: fc.string(),
          bytes: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
          fixed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
          ints: fc.array(int),
          inner: fc.record({ text: fc.string() }),
          inners: fc.array(fc.record({ int })),
        }),
        (values) => {
          expect(decodeMessage(all, encodeMessage(all, values))).toEqual(values)
        },
      ),
    )
  })

  test('a negotiation header is that of the Java client', () => {
    // a call id of -33 as ten bytes
    expect(encodeMessage(requestHeader, { callId: -33 }).toString('hex')).toBe('18dfffffffffffffffff01')
  })

  test.each([
    ['a list of messages', Buffer.of(0x82, 1, 0)],
    ['a list of numbers', Buffer.of(0x30, 0)],
  ])('with more items than the limit in %s are refused', (_what, item) => {
    const bytes = (items: number): Buffer => Buffer.alloc(items * item.length, item)
    expect(() => decodeMessage(all, bytes(MAX_ITEMS + 1))).toThrow(
      expect.objectContaining({ code: 'PROTOBUF_INVALID', message: expect.stringContaining('items') as unknown }),
    )
    const { inners, ints } = decodeMessage(all, bytes(1000))
    expect((inners?.length ?? 0) + (ints?.length ?? 0)).toBe(1000)
  })

  test('with more packed numbers than the limit are refused', () => {
    const packed = encodeMessage(message({ ints: [6, 'bytes'] }), { ints: Buffer.alloc(MAX_ITEMS + 1) })
    expect(() => decodeMessage(all, packed)).toThrow(expect.objectContaining({ code: 'PROTOBUF_INVALID' }))
  })

  test('of any bytes either are read or are refused as malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeMessage(scanAnswer, Buffer.from(bytes))
        } catch (error) {
          expect(error).toMatchObject({ code: 'PROTOBUF_INVALID' })
        }
      }),
    )
  })
})

test('operations have their type, what is set, what is null, the cells, and the texts apart', () => {
  const columns = [
    column('k', KUDU_TYPE.int32, { isKey: true }),
    column('s', KUDU_TYPE.string, { isNullable: true }),
    column('n', KUDU_TYPE.int16, { isNullable: true }),
  ]
  const operations = new RowOperations(columns)
  operations.add(OPERATION.upsert, [1, 'ab', -1])
  operations.add(OPERATION.deleteIgnore, [2, null, 3])
  expect(Buffer.from(operations.parts.rows).toString('hex')).toBe(
    [
      '05',
      '07',
      '00',
      '01000000',
      '0000000000000000',
      '0200000000000000',
      'ffff',
      '0c',
      '07',
      '02',
      '02000000',
      '0300',
    ].join(''),
  )
  expect(Buffer.from(operations.parts.indirect).toString()).toBe('ab')
  expect(operations.count).toBe(2)
})

describe('a block of rows', () => {
  const text = column('t', KUDU_TYPE.string, { isNullable: true })
  const offsets = Buffer.from(Uint32Array.of(0, 2, 2).buffer)
  const none = Buffer.alloc(0)
  const read = (bytes: object, type: KuduColumn = text, count = 2) => {
    const block = columnarBlock([type], [{ data: none, varlen: undefined, nonNull: undefined, ...bytes }], count, none)
    return Array.from({ length: count }, (_, row): Cell | undefined => block.cell(0, row))
  }

  test('has the bytes of a text that is not UTF-8', () => {
    const [latin1, utf8] = [Buffer.from('Müller', 'latin1'), Buffer.from('Müller')]
    const data = Buffer.from(Uint32Array.of(0, 6, 13).buffer)
    expect(read({ data, varlen: Buffer.concat([latin1, utf8]) })).toEqual([latin1, 'Müller'])
  })

  test('has cells, and none where the bit of a row is not set', () => {
    expect(read({ data: offsets, varlen: Buffer.from('ab'), nonNull: Buffer.of(1) })).toEqual(['ab', undefined])
    expect(read({ data: Buffer.of(255, 127) }, column('n', KUDU_TYPE.int8))).toEqual([-1, 127])
  })

  test.each([
    ['fewer cells than rows', { data: Buffer.alloc(1) }, column('n', KUDU_TYPE.int8)],
    ['fewer offsets than rows', { data: offsets.subarray(0, 8), varlen: Buffer.from('ab') }, text],
    ['an offset behind the texts', { data: offsets, varlen: Buffer.from('a') }, text],
    ['fewer bits than rows', { data: offsets, varlen: Buffer.from('ab'), nonNull: none }, text],
  ])('with %s is refused', (_what, bytes, type) => {
    expect(() => read(bytes, type)).toThrow(expect.objectContaining({ code: 'KUDU_ANSWER' }))
  })
})
