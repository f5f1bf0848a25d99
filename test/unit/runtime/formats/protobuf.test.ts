import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MillraceError } from '../../../../runtime/model/errors.ts'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import { readFormat } from '../../../../runtime/formats/formats.ts'
import { messageNamed, parseProto } from '../../../../runtime/formats/proto-schema.ts'
import { bytesOf, codecOf, contextOf, formatOf, rowOf, schemaOf } from '../../../harness/formats.ts'
import { boundsOf, registryPorts } from '../../../harness/schema-registry.ts'

const PROTO = `
syntax = "proto3"; // a comment
package nexmark.v1;
import "google/protobuf/timestamp.proto";
option java_package = "x;y{";
/* Bids; and more */
message Bid {
  int64 auction_id = 1 [deprecated = true, (my.option) = { a: 1 }];
  optional double price = 2;
  Kind kind = 3;
  enum Kind { option allow_alias = true; A = 0; B = 1 [deprecated = true]; C = -1; }
  map<string, int32> tags = 4;
  Bid next = 5;
  google.protobuf.Timestamp at = 6;
  bytes hash = 7;
  repeated sint64 deltas = 8;
  repeated string words = 9;
  oneof which { string a = 10; fixed64 b = 11; }
  reserved 12, 15 to 20; reserved "old";
  message Inner { uint32 n = 1; }
  repeated Inner inners = 13;
  float ratio = 14; bool ok = 21; sfixed32 s = 22; uint64 u = 23; int32 i = 24;
}
message Other { string name = 1; }
service Ignored { rpc Call (Bid) returns (Other) { option x = "y"; } }
`
const TYPES = {
  auctionId: 'long',
  price: 'double?',
  kind: 'string',
  tags: 'json',
  next: 'row{auction_id: long}?',
  at: 'timestamp?',
  hash: 'bytes',
  deltas: 'array<long>',
  words: 'array<string>',
  a: 'string?',
  b: 'long?',
  inners: 'array<row{n: long}>',
  ratio: 'double',
  ok: 'boolean',
  s: 'long',
  u: 'long',
  i: 'long',
}
/** Made by protobufjs 8.8.1; see the row below. */
const BY_PROTOBUFJS =
  '0880f491f6e5ffffffff01110000000000000440180122050a01781001220e0a017910feffffffffffffffff012a020805320b0880e2cfaa0610959aef3a3a0201ff420a0201feffffffffffff1f4a03c5be784a00590c000000000000006a0608ffffffff0f6a00750000003fa80101b501fdffffffb801ffffffffffffff0fc001ffffffffffffffffff01'
const ROW = {
  auctionId: -7_000_000_000,
  price: 2.5,
  kind: 'B',
  tags: { x: 1, y: -2 },
  next: { auction_id: 5 },
  at: 1_700_000_000_123,
  hash: '\x01\xff',
  deltas: [1, -1, 9_007_199_254_740_991],
  words: ['žx', ''],
  a: null,
  b: 12,
  inners: [{ n: 4_294_967_295 }, { n: 0 }],
  ratio: 0.5,
  ok: true,
  s: -3,
  u: 9_007_199_254_740_991,
  i: -1,
}
const bid = { protobuf: { schema: PROTO, message: 'Bid' } }
const refusal = (code: string, said: string): Error =>
  expect.objectContaining({ code, message: expect.stringContaining(said) as unknown }) as Error

async function readerOf(
  format: unknown,
  types: Readonly<Record<string, string>>,
): Promise<(bytes: Uint8Array) => unknown> {
  const schema = schemaOf(types)
  const scanner = await formatOf(format).scanner(contextOf(schema), compileRowClass(schema))
  return (bytes) => rowOf(scanner, bytes)
}

describe('Protobuf', () => {
  test('what an independent writer made is read, by name, into the types that are wanted', async () => {
    const read = await readerOf(bid, TYPES)
    expect(read(Buffer.from(BY_PROTOBUFJS, 'hex'))).toEqual(ROW)
  })

  test('of an empty record fields have their defaults, null where presence can be told', async () => {
    const read = await readerOf(bid, TYPES)
    expect(read(Buffer.alloc(0))).toEqual({
      auctionId: 0,
      price: null,
      kind: 'A',
      tags: {},
      next: null,
      at: null,
      hash: '',
      deltas: [],
      words: [],
      a: null,
      b: null,
      inners: [],
      ratio: 0,
      ok: false,
      s: 0,
      u: 0,
      i: 0,
    })
  })

  test('what is written is read back', async () => {
    const { tags: _tags, ...types } = TYPES
    const codec = await codecOf(bid, schemaOf(types))
    const long = fc.maxSafeInteger()
    const int32 = fc.integer()
    const text = fc.string({ maxLength: 40 })
    const row = fc.record({
      auctionId: long,
      price: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0)),
      kind: fc.constantFrom('A', 'B', 'C'),
      next: fc.option(fc.record({ auction_id: long }).map((inner) => ({ ...inner }))),
      at: fc.option(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 })),
      hash: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
      deltas: fc.array(long),
      words: fc.array(text),
      a: fc.option(text),
      b: fc.option(fc.maxSafeNat()),
      inners: fc.array(fc.record({ n: fc.integer({ min: 0, max: 2 ** 32 - 1 }) }).map((inner) => ({ ...inner }))),
      ratio: fc.float({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
      ok: fc.boolean(),
      s: int32,
      u: fc.maxSafeNat(),
      i: int32,
    })
    fc.assert(
      fc.property(row, (values) => {
        expect(codec.read(codec.write({ ...values }))).toEqual({ ...values })
      }),
      { numRuns: 300 },
    )
  })

  test('packed and unpacked lists are both read, of a field that comes twice the last counts, unknown fields are passed over', async () => {
    const read = await readerOf(
      { protobuf: { schema: 'syntax = "proto2"; message M { repeated int32 n = 1; optional string s = 2; }' } },
      { n: 'array<long>', s: 'string?' },
    )
    expect(
      read(
        Buffer.from(
          '0a020102' + '0803' + '120161' + '120162' + '1a0100' + '2001' + '2d00000000' + '310000000000000000',
          'hex',
        ),
      ),
    ).toEqual({ n: [1, 2, 3], s: 'b' })
  })

  test.each([
    ['u', 'b801ffffffffffffffffff01', 'beyond'],
    ['auctionId', '0880808080808080808001', 'beyond'],
    ['ratio', '750000807f', 'Infinity'],
    ['price', '11000000000000f87f', 'NaN'],
    ['kind', '1863', 'no name for 99'],
    ['auctionId', '0d01', 'wire type'],
    ['hash', '3a05ff', 'bytes begins'],
    ['auctionId', '08', 'ends'],
    ['inners', '6a03088001ff', ''],
    ['at', '3209088080808080808010', 'beyond'],
    ['at', '320808808080808080200a', ''],
    ['hash', '3b', 'wire type 3'],
  ])('of field %s the bytes %s are RECORD_INVALID', async (name, hex, said) => {
    const read = await readerOf(bid, { [name]: TYPES[name as keyof typeof TYPES] })
    expect(() => read(Buffer.from(hex, 'hex'))).toThrow(refusal('RECORD_INVALID', said))
  })

  test('bytes at random, and good records with a byte changed, give rows or RECORD_INVALID and nothing else', async () => {
    const read = await readerOf(bid, { ...TYPES, next: 'json?' })
    const good = Buffer.from(BY_PROTOBUFJS, 'hex')
    const outcome = (bytes: Uint8Array): string => {
      try {
        read(bytes)
        return 'RECORD_INVALID'
      } catch (error) {
        return error instanceof MillraceError ? error.code : String(error)
      }
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(good.length - 1), fc.nat(255), (bytes, at, byte) => {
        expect(outcome(bytes)).toBe('RECORD_INVALID')
        const changed = Buffer.from(good)
        changed[at] = byte
        expect(outcome(changed)).toBe('RECORD_INVALID')
      }),
      { numRuns: 500 },
    )
    let nested = Buffer.alloc(0)
    for (let depth = 0; depth < 200; depth++)
      nested = Buffer.concat([
        Buffer.of(0x2a, ...(nested.length < 128 ? [nested.length] : [(nested.length & 127) | 128, nested.length >> 7])),
        nested,
      ])
    expect(outcome(nested)).toBe('RECORD_INVALID')
  })

  test.each([
    ['i', 2 ** 31, 'int32'],
    ['inners', [{ n: -1 }], 'uint32'],
    ['u', -1, 'uint64'],
    ['kind', 'X', 'enum'],
    ['price', Infinity, 'finite'],
    ['words', [null], 'null'],
  ])('of field %s the value %j is VALUE_INVALID', async (name, value, said) => {
    const codec = await codecOf(
      bid,
      schemaOf({ [name]: name === 'words' ? 'array<string?>' : TYPES[name as keyof typeof TYPES] }),
    )
    expect(() => codec.write({ [name]: value })).toThrow(refusal('VALUE_INVALID', said))
  })

  test.each([
    ['schema', {}],
    ['schema', { schema: 'message {' }],
    ['schema', { schema: 'message M { Foo f = 1; }' }],
    ['schema', { schema: PROTO, message: 'None' }],
    ['schema', { schema: 'message M { int32 a = 1; int32 b = 1; }' }],
    ['schema', { schema: 'message M { int32 a = 0; }' }],
    ['schema', { schema: 'enum E { A = 0; }' }],
    ['file', { schema: PROTO, file: 'x.proto' }],
    ['registry', { registry: 'ftp://x' }],
    ['proto', { schema: PROTO, proto: 1 }],
    ['schema', { schema: 'message M { group G = 1 { } }' }],
    ['schema', { schema: 'message M { string s = 1; \u0007 }' }],
  ])('options with a wrong %s are refused: %#', (path, options) => {
    expect(readFormat({ protobuf: options }).problems.map((problem) => problem.path)).toEqual([`protobuf.${path}`])
  })

  test.each([
    [{ missing: 'long' }],
    [{ auctionId: 'string' }],
    [{ words: 'string' }],
    [{ deltas: 'array<string>' }],
    [{ next: 'string?' }],
    [{ hash: 'string' }],
  ] as Record<string, string>[][])('lint says that %j does not fit', (types) => {
    expect(formatOf(bid).check(schemaOf(types), 'read')).toHaveLength(1)
  })

  test.each([
    ['a field with the number 0', '0200', 'a field number is 0'],
    ['a varint with the number 0', '0001', 'a field number is 0'],
    ['a group that nobody reads', '130014', 'wire type 3'],
  ])('a record with %s is an error of that record', async (_what, hex, said) => {
    const schema = { protobuf: { schema: 'syntax = "proto3"; message R { string s = 1; }' } }
    const codec = await codecOf(schema, schemaOf({ s: 'string' }))
    expect(codec.read(Buffer.from('0a0161', 'hex'))).toEqual({ s: 'a' })
    expect(() => codec.read(Buffer.from(`0a0161${hex}`, 'hex'))).toThrow(
      expect.objectContaining({ code: 'RECORD_INVALID', message: expect.stringContaining(said) as unknown }),
    )
  })

  test('names are resolved from the inside out, a message may come before what it uses', () => {
    const proto = parseProto(
      'package p; message A { B b = 1; message B { string inner = 1; } .p.B outer = 2; C c = 3; } message B { string outer = 1; } enum C { X = 0; }',
    )
    expect(
      messageNamed(proto, 'p.A').fields.map(({ type }) => (type.kind === 'message' ? type.message.name : type.kind)),
    ).toEqual(['p.A.B', 'p.B', 'enum'])
  })

  test.each(['proto2', 'proto3'])(
    'a map of %s that is written out, as registries give back what was compiled, is read as one written as map',
    async (syntax) => {
      const message = (tags: string): string => `syntax = "${syntax}"; message M { ${tags} }`
      const texts = [
        message('map<string, int32> tags = 1;'),
        message(
          'repeated .M.TagsEntry tags = 1; message TagsEntry { option map_entry = true; optional string key = 1; optional int32 value = 2; }',
        ),
      ]
      const rows = await Promise.all(
        texts.map(async (schema) =>
          (await readerOf({ protobuf: { schema } }, { tags: 'json' }))(Buffer.from('0a050a016110070a030a0162', 'hex')),
        ),
      )
      expect(rows).toEqual([{ tags: { a: 7, b: 0 } }, { tags: { a: 7, b: 0 } }])
    },
  )
})

describe('Protobuf with a schema registry', () => {
  const schema = schemaOf({ name: 'string' })

  test('the sink registers its text and names its message, the source reads records by both', async () => {
    for (const message of ['Bid', 'Other']) {
      const registry = registryPorts()
      const own = message === 'Bid' ? schemaOf({ auction_id: 'long' }) : schema
      const row = message === 'Bid' ? { auction_id: 3 } : { name: 'x' }
      const writer = await formatOf({ protobuf: { schema: PROTO, message, registry: 'http://registry:8081' } }).writer(
        contextOf(own, { topic: 't', ports: registry.ports }),
      )
      const record = bytesOf(writer, row)
      expect(record.toString('hex')).toBe(
        message === 'Bid' ? '0000000001' + '00' + '0803' : '0000000001' + '0202' + '0a0178',
      )
      expect(registry.subjects.get('t-value')).toEqual([1])
      const scanner = await formatOf({ protobuf: { registry: 'http://registry:8081' } }).scanner(
        contextOf(own, { ports: registry.ports }),
        compileRowClass(own),
      )
      await scanner.prepare?.(boundsOf([record]))
      expect(rowOf(scanner, record)).toEqual(row)
    }
  })
})
