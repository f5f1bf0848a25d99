import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loadRecordCodecs } from '../../../../../runtime/connectors/kit/record-codecs.ts'
import { RecordBatchReader } from '../../../../../runtime/connectors/kafka/record-batch-reader.ts'
import { RecordBatchWriter } from '../../../../../runtime/connectors/kafka/record-batch-writer.ts'
import { plainWriter } from '../../../../harness/kafka/connector-contexts.ts'
import { RecordColumns } from '../../../../../runtime/connectors/kafka/record-columns.ts'

await loadRecordCodecs()

/** Made by kafkajs 2.2.4: producer 7, epoch 3, sequence 5, transactional; keys k1, null, k3. */
const BY_KAFKAJS =
  '0000000000000000000000a20000000002a23b75f70010000000020000018bcfe568000000018bcfe568c80000000000000007000300000005000000031e000000046b310e7b226e223a317d001c00c80102010e7b226e223a327d00a00100900304046b338c017878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787800'
const BY_KAFKAJS_GZIP =
  '00000000000000000000006f0000000002266738e10011000000020000018bcfe568000000018bcfe568c80000000000000007000300000005000000031f8b08000000000000039363606060c936e4ab56ca53b232ac65906138c1c8c408e11ad5322c606498c0ccc2926ddcc3584115c0000023d6f53971000000'
const VALUES = ['{"n":1}', '{"n":2}', 'x'.repeat(70)]
const OWNER = { producerId: 7n, epoch: 3, sequence: 5, transactional: true }

function valuesOf(bytes: Buffer, from = 0): { offset: number; value: string }[] {
  const reader = new RecordBatchReader(bytes, from, null, 't/0')
  const columns = new RecordColumns()
  const values: { offset: number; value: string }[] = []
  while (reader.next(columns)) {
    for (let i = 0; i < columns.count; i++)
      values.push({
        offset: columns.offsets[i] ?? -1,
        value: columns.bytes.toString('utf8', columns.valueStarts[i], columns.valueEnds[i]),
      })
  }
  return values
}

describe('record batches', () => {
  test('when the same records are written, the bytes are those of an independent client', () => {
    const writer = new RecordBatchWriter(16)
    writer.append(Buffer.from('k1'), Buffer.from(VALUES[0] ?? ''), 1_700_000_000_000)
    writer.append(null, Buffer.from(VALUES[1] ?? ''), 1_700_000_000_100)
    writer.append(Buffer.from('k3'), Buffer.from(VALUES[2] ?? ''), 1_700_000_000_200)
    const expected = Buffer.from(BY_KAFKAJS, 'hex')
    expected.writeInt32BE(-1, 12) // the leader's epoch, which the broker sets and the checksum leaves out
    expect(writer.finish(OWNER, 'none').toString('hex')).toBe(expected.toString('hex'))
  })

  test.each([
    ['uncompressed', BY_KAFKAJS],
    ['gzip', BY_KAFKAJS_GZIP],
  ])('when an independent client wrote them %s, they are read', (_codec, hex) => {
    expect(valuesOf(Buffer.from(hex, 'hex')).map(({ value }) => value)).toEqual(VALUES)
  })

  test('when reading starts in the middle of a batch, records before it are left out', () => {
    expect(valuesOf(Buffer.from(BY_KAFKAJS, 'hex'), 2)).toEqual([{ offset: 2, value: VALUES[2] }])
  })

  test('when a batch is cut off, nothing of it is read and the next offset stays', () => {
    const whole = Buffer.from(BY_KAFKAJS, 'hex')
    for (let length = 0; length < whole.length; length++) {
      const reader = new RecordBatchReader(whole.subarray(0, length), 0, null, 't/0')
      expect(reader.next(new RecordColumns())).toBe(false)
      expect(reader.nextOffset).toBe(0)
    }
  })

  test('when a byte under the checksum is changed, the batch is refused with its place', () => {
    const broken = Buffer.from(BY_KAFKAJS, 'hex')
    broken[100] = (broken[100] ?? 0) ^ 1
    expect(() => valuesOf(broken)).toThrow(
      expect.objectContaining({
        code: 'KAFKA_BATCH_CORRUPT',
        message: expect.stringContaining('t/0') as unknown,
      }) as Error,
    )
  })

  test('when any records are written with any codec, they are read back', () => {
    const record = fc.record({
      key: fc.option(fc.uint8Array({ maxLength: 300 })),
      value: fc.uint8Array({ maxLength: 20_000 }),
      at: fc.integer({ min: -100_000, max: 2 ** 30 }),
    })
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 200 }),
        fc.constantFrom('none' as const, 'gzip' as const, 'zstd' as const),
        (records, codec) => {
          const writer = new RecordBatchWriter(8)
          for (const { key, value, at } of records)
            writer.append(key === null ? null : Buffer.from(key), Buffer.from(value), 1_700_000_000_000 + at)
          const reader = new RecordBatchReader(writer.finish(OWNER, codec), 0, null, 't/0')
          const columns = new RecordColumns()
          expect(reader.next(columns)).toBe(true)
          expect(columns.count).toBe(records.length)
          records.forEach(({ value }, i) => {
            expect(
              Buffer.compare(columns.bytes.subarray(columns.valueStarts[i], columns.valueEnds[i]), Buffer.from(value)),
            ).toBe(0)
          })
          expect(reader.nextOffset).toBe(records.length)
        },
      ),
      { numRuns: 50 },
    )
  })

  test('when rows are written straight into the batch, the bytes are those of the same values appended', () => {
    const row = fc.record({
      key: fc.option(fc.uint8Array({ maxLength: 300 })),
      text: fc.oneof(
        fc.string({ maxLength: 60 }),
        fc.integer({ min: 0, max: 20_000 }).map((length) => 'x'.repeat(length)),
      ),
      at: fc.integer({ min: -100_000, max: 2 ** 30 }),
    })
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 200 }), (rows) => {
        const [appended, written] = [new RecordBatchWriter(8), new RecordBatchWriter(8)]
        for (const { key, text, at } of rows) {
          const keyBytes = key === null ? null : Buffer.from(key)
          appended.append(keyBytes, Buffer.from(JSON.stringify({ text })), 1_700_000_000_000 + at)
          expect(written.appendRow(keyBytes, { text }, plainWriter(), 1_700_000_000_000 + at, Infinity)).toBe(true)
        }
        expect(written.finish(OWNER, 'none').equals(appended.finish(OWNER, 'none'))).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  test('when a row would make a batch too long, it is left out, but one row always fits', () => {
    const batch = new RecordBatchWriter(8)
    expect(batch.appendRow(null, { text: 'x'.repeat(500) }, plainWriter(), 1, 400)).toBe(true)
    expect(batch.appendRow(null, { text: 'y' }, plainWriter(), 1, 585)).toBe(false)
    expect(batch.appendRow(null, { text: 'z' }, plainWriter(), 1, 700)).toBe(true)
    expect(valuesOf(batch.finish(OWNER, 'none')).map(({ value }) => value.at(-3))).toEqual(['x', 'z'])
  })
})
