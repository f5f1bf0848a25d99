import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MillraceError } from '../../../../runtime/model/errors.ts'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import { readFormat } from '../../../../runtime/formats/formats.ts'
import { arbitraryTypedRows } from '../../../harness/plain/random-rows.ts'
import { bytesOf, codecOf, contextOf, formatOf, rowOf, schemaOf } from '../../../harness/formats.ts'
import { boundsOf, registryPorts } from '../../../harness/schema-registry.ts'

const BID = {
  type: 'record',
  name: 'Bid',
  namespace: 'nexmark',
  fields: [
    { name: 'auction', type: 'long' },
    { name: 'price', type: ['null', 'double'], default: null },
    { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['A', 'B'] } },
    { name: 'tags', type: { type: 'map', values: 'int' } },
    { name: 'next', type: ['null', 'Bid'] },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-micros' } },
    { name: 'hash', type: { type: 'fixed', name: 'Hash', size: 3 } },
    { name: 'u', type: ['string', 'long', 'null'] },
  ],
}
/**
 * Made by avsc 5.7.9 of { auction: -7000000000, price: 2.5, kind: 'B', tags: { x: 1, y: -2 }, at: 1700000000123456
 * µs, hash: 01ff03, u: 'žx' } in which next is the same with u and next null.
 */
const BY_AVSC = Buffer.from(
  'ff97dc933402000000000000044002040278020279030002ff97dc933402000000000000044002040278020279030000808981828389850601ff0304808981828389850601ff030006c5be78',
  'hex',
)

const refusal = (code: string, said: string): Error =>
  expect.objectContaining({ code, message: expect.stringContaining(said) as unknown }) as Error

/** No bytes at all may do more harm than RECORD_INVALID. */
function outcome(act: () => unknown): string {
  try {
    act()
    return 'RECORD_INVALID'
  } catch (error) {
    return error instanceof MillraceError ? error.code : String(error)
  }
}

test('without a schema of its own, a record is the same whatever the order of the fields', async () => {
  const written = await codecOf('avro', schemaOf({ b: 'string', a: 'long' }))
  const sorted = await codecOf('avro', schemaOf({ a: 'long', b: 'string' }))
  expect(sorted.read(written.write({ b: 'x', a: 7 }))).toEqual({ a: 7, b: 'x' })
})

describe('Avro', () => {
  test('rows of random schemas read back as they were written', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryTypedRows, async ({ schema, rows }) => {
        const avro = await codecOf('avro', schema)
        for (const values of rows) {
          if (/\\ud[89a-f]/.test(JSON.stringify(values))) continue
          const row = new avro.rows(...values)
          expect(avro.read(avro.write(row))).toEqual({ ...row })
        }
      }),
      { numRuns: 200 },
    )
  })

  test('what an independent writer made is read, by name, into the types that are wanted', async () => {
    const schema = schemaOf({
      u: 'string?',
      auction: 'long',
      kind: 'string',
      price: 'double?',
      at: 'timestamp',
      hash: 'bytes',
      tags: 'json',
      next: 'row{auction: long, u: string?}?',
      absent: 'long?',
    })
    const avro = await codecOf({ avro: { schema: BID } }, schema, {}).catch(() => undefined)
    expect(avro).toBe(undefined) // a sink lacks the absent field; the source below does not mind
    const scanner = await formatOf({ avro: { schema: JSON.stringify(BID) } }).scanner(
      contextOf(schema),
      compileRowClass(schema),
    )
    expect(rowOf(scanner, BY_AVSC)).toEqual({
      u: 'žx',
      auction: -7_000_000_000,
      kind: 'B',
      price: 2.5,
      at: 1_700_000_000_123,
      hash: '\x01\xff\x03',
      tags: { x: 1, y: -2 },
      next: { auction: -7_000_000_000, u: null },
      absent: null,
    })
  })

  test.each([
    ['long', 'ffffffffffffffffff01', 'beyond'],
    ['long', '80', 'ends'],
    ['long', '', 'ends'],
    ['long', '0202', 'left behind'],
    ['long', 'ffffffffffffffffffff01', 'ten bytes'],
    ['string', '02', 'before the end'],
    ['string', '01', 'bytes begins'],
    ['boolean', '02', 'boolean'],
    ['double', '000000000000f07f', 'Infinity'],
    ['double', '000000000000f87f', 'NaN'],
    ['array<long>', '808080808001', 'items'],
    ['long?', '04', 'union'],
  ])('as %s the bytes %s are RECORD_INVALID: %s', async (type, hex, said) => {
    const avro = await codecOf('avro', schemaOf({ field: type }))
    expect(() => avro.read(Buffer.from(hex, 'hex'))).toThrow(refusal('RECORD_INVALID', said))
  })

  test('bytes at random, and good records with a byte changed, give rows or RECORD_INVALID and nothing else', async () => {
    const schema = schemaOf({ all: 'json', auction: 'long', next: 'json?', tags: 'json' })
    const recursive = formatOf({
      avro: {
        schema: { ...BID, fields: [...BID.fields, { name: 'all', type: { type: 'array', items: 'nexmark.Bid' } }] },
      },
    })
    const scanner = await recursive.scanner(contextOf(schema), compileRowClass(schema))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(BY_AVSC.length), fc.nat(255), (bytes, at, byte) => {
        expect(outcome(() => rowOf(scanner, bytes))).toBe('RECORD_INVALID')
        const changed = Buffer.concat([BY_AVSC, Buffer.of(0)])
        changed[at] = byte
        expect(outcome(() => rowOf(scanner, changed))).toBe('RECORD_INVALID')
      }),
      { numRuns: 500 },
    )
    // a list of a list of a list …, as deep as it is long
    expect(outcome(() => rowOf(scanner, Buffer.from('0000000002'.repeat(20_000), 'hex')))).toBe('RECORD_INVALID')
  })

  test.each([
    ['registry', { registry: 'kafka:9092' }],
    ['registry', { registry: 'http://user:secret@registry' }],
    ['subject', { subject: 'x' }],
    ['schema', { schema: '{' }],
    ['schema', { schema: { type: 'long' } }],
    ['schema', { schema: { type: 'record', name: 'R', fields: [{ name: 'a', type: 'lonk' }] } }],
    [
      'schema',
      { schema: { type: 'record', name: 'R', fields: [{ name: 'a', type: { type: 'fixed', name: 'F', size: -1 } }] } },
    ],
    ['shema', { shema: {} }],
  ])('options with a wrong %s are refused', (path, options) => {
    const { problems } = readFormat({ avro: options })
    expect(problems.map((problem) => problem.path)).toEqual([`avro.${path}`])
    expect(JSON.stringify(problems)).not.toContain('secret')
  })

  test.each([[{ auction: 'string' }], [{ missing: 'long' }], [{ tags: 'array<long>' }], [{ at: 'date' }]] as Record<
    string,
    string
  >[][])('lint says that %j does not fit the schema', (types) => {
    expect(formatOf({ avro: { schema: BID } }).check(schemaOf(types), 'read')).toHaveLength(1)
  })

  test.each([
    [{ n: 'long' }, { n: 2 ** 31 }, 'int'],
    [{ s: 'string' }, { s: 'C' }, { type: 'enum', name: 'E', symbols: ['A'] }],
    [{ b: 'bytes' }, { b: 'xx' }, { type: 'fixed', name: 'F', size: 3 }],
    [{ d: 'double' }, { d: NaN }, 'double'],
    [
      { m: 'decimal(9,2)' },
      { m: '1234567.89' },
      { type: 'fixed', name: 'D', size: 2, logicalType: 'decimal', precision: 4, scale: 2 },
    ],
  ] as [Record<string, string>, Record<string, unknown>, unknown][])(
    'of %j the value %j is VALUE_INVALID as Avro %j',
    async (types, row, type) => {
      const name = Object.keys(types)[0]
      const avro = await codecOf(
        { avro: { schema: { type: 'record', name: 'R', fields: [{ name, type }] } } },
        schemaOf(types),
      )
      expect(() => avro.write(row)).toThrow(refusal('VALUE_INVALID', String(name)))
    },
  )

  test('a sink refuses fields that the schema has no place for, and fills with null what rows lack', async () => {
    const record = {
      type: 'record',
      name: 'R',
      fields: [
        { name: 'a', type: 'long' },
        { name: 'b', type: ['string', 'null'] },
      ],
    }
    const avro = await codecOf({ avro: { schema: record } }, schemaOf({ a: 'long' }))
    expect(avro.write({ a: 3 }).toString('hex')).toBe('0602')
    await expect(codecOf({ avro: { schema: record } }, schemaOf({ a: 'long', c: 'long' }))).rejects.toThrow(
      refusal('AVRO_SCHEMA_MISMATCH', '"c"'),
    )
    await expect(codecOf({ avro: { schema: record } }, schemaOf({ b: 'string' }))).rejects.toThrow(
      refusal('AVRO_SCHEMA_MISMATCH', '"a"'),
    )
  })
})

describe('Avro with a schema registry', () => {
  const schema = schemaOf({ id: 'long', name: 'string?' })
  const avro = formatOf({ avro: { registry: 'http://registry:8081/' } })

  test('the sink registers the schema under the topic, and its records are read back by their schema id', async () => {
    const registry = registryPorts()
    const writer = await avro.writer(contextOf(schema, { topic: 'bids', ports: registry.ports }))
    const record = bytesOf(writer, { id: 5, name: 'x' })
    expect(record.subarray(0, 5).toString('hex')).toBe('0000000001')
    expect(registry.subjects.get('bids-value')).toEqual([1])
    const scanner = await avro.scanner(contextOf(schema, { ports: registry.ports }), compileRowClass(schema))
    await scanner.prepare?.(boundsOf([record]))
    expect(rowOf(scanner, record)).toEqual({ id: 5, name: 'x' })
    expect(scanner.prepare?.(boundsOf([record, record]))).toBe(undefined)
  })

  test('records of an older and of a newer schema are read with fields matched by name', async () => {
    const registry = registryPorts()
    const older = { type: 'record', name: 'R', fields: [{ name: 'id', type: 'int' }] }
    const newer = {
      type: 'record',
      name: 'R',
      fields: [
        { name: 'more', type: { type: 'array', items: 'string' } },
        { name: 'name', type: 'string' },
        { name: 'id', type: 'long' },
      ],
    }
    const ids = [older, newer].map((text) => registry.add('AVRO', JSON.stringify(text)))
    const records = [
      Buffer.concat([Buffer.of(0, 0, 0, 0, ids[0] ?? 0), Buffer.from('0a', 'hex')]),
      Buffer.concat([Buffer.of(0, 0, 0, 0, ids[1] ?? 0), Buffer.from('020278000279' + '0a', 'hex')]),
    ]
    const scanner = await avro.scanner(contextOf(schema, { ports: registry.ports }), compileRowClass(schema))
    await scanner.prepare?.(boundsOf(records))
    expect(records.map((record) => rowOf(scanner, record))).toEqual([
      { id: 5, name: null },
      { id: 5, name: 'y' },
    ])
  })

  test('records without the header, of no schema, or of one that does not fit are RECORD_INVALID one by one', async () => {
    const registry = registryPorts()
    const bad = registry.add(
      'AVRO',
      JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'id', type: 'string' }] }),
    )
    const other = registry.add('PROTOBUF', 'syntax = "proto3";')
    const records = [
      Buffer.from('{}'),
      Buffer.of(0, 0, 0, 0, 99, 1),
      Buffer.of(0, 0, 0, 0, bad, 2, 65),
      Buffer.of(0, 0, 0, 0, other, 2),
    ]
    const scanner = await avro.scanner(contextOf(schema, { ports: registry.ports }), compileRowClass(schema))
    await scanner.prepare?.(boundsOf(records))
    for (const record of records) expect(() => rowOf(scanner, record)).toThrow(refusal('RECORD_INVALID', ''))
  })

  test('a registry that is down is not a fault of the records: REGISTRY_UNAVAILABLE, to be tried again', async () => {
    const registry = registryPorts()
    registry.isDown = true
    const scanner = await avro.scanner(contextOf(schema, { ports: registry.ports }), compileRowClass(schema))
    await expect(scanner.prepare?.(boundsOf([Buffer.of(0, 0, 0, 0, 1, 2)]))).rejects.toMatchObject({
      code: 'REGISTRY_UNAVAILABLE',
      retriable: true,
    })
    await expect(
      Promise.resolve(avro.writer(contextOf(schema, { topic: 't', ports: registry.ports }))),
    ).rejects.toMatchObject({ code: 'REGISTRY_UNAVAILABLE' })
  })

  test.each([
    [401, '{"error_code":40101}', 'REGISTRY_REFUSED', false],
    [403, '{"error_code":40301}', 'REGISTRY_REFUSED', false],
    [404, '{"error_code":404,"message":"HTTP 404 Not Found"}', 'REGISTRY_REFUSED', false],
    [404, '<html>', 'REGISTRY_REFUSED', false],
    [302, '', 'REGISTRY_REFUSED', false],
    [200, '{}', 'REGISTRY_REFUSED', false],
    [429, 'slowly', 'REGISTRY_UNAVAILABLE', true],
    [503, '', 'REGISTRY_UNAVAILABLE', true],
  ])('when the registry answers %i %s, it is not a fault of the records: %s', async (status, body, code, retriable) => {
    const registry = registryPorts()
    registry.refusal = { status, body }
    const scanner = await avro.scanner(contextOf(schema, { ports: registry.ports }), compileRowClass(schema))
    await expect(scanner.prepare?.(boundsOf([Buffer.of(0, 0, 0, 0, 1, 2)]))).rejects.toMatchObject({
      code,
      retriable,
      domain: 'dependency',
    })
  })

  test('when the registry does not know a schema yet, it is asked again some time later', async () => {
    const registry = registryPorts()
    const record = Buffer.of(0, 0, 0, 0, 1, 10)
    const scanner = await avro.scanner(contextOf(schema, { ports: registry.ports }), compileRowClass(schema))
    await scanner.prepare?.(boundsOf([record]))
    expect(() => rowOf(scanner, record)).toThrow(refusal('RECORD_INVALID', 'has no schema 1'))
    registry.add('AVRO', JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'id', type: 'int' }] }))
    expect(scanner.prepare?.(boundsOf([record]))).toBe(undefined)
    registry.nowMs += 60_000
    await scanner.prepare?.(boundsOf([record]))
    expect(rowOf(scanner, record)).toEqual({ id: 5, name: null })
    registry.nowMs += 60_000
    expect(scanner.prepare?.(boundsOf([record]))).toBe(undefined)
  })

  test('a schema that the registry refuses fails the sink with what the registry said', async () => {
    const registry = registryPorts()
    registry.refusal = { status: 409, body: '{"error_code":409,"message":"incompatible"}' }
    await expect(
      Promise.resolve(avro.writer(contextOf(schema, { topic: 't', ports: registry.ports }))),
    ).rejects.toThrow(refusal('REGISTRY_REFUSED', 'incompatible'))
  })
})
