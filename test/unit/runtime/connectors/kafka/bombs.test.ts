import { crc32c } from '@node-rs/crc32'
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { loadRecordCodecs } from '../../../../../runtime/connectors/kit/record-codecs.ts'
import { CODEC, decompress } from '../../../../../runtime/connectors/kafka/compression.ts'
import { RecordBatchReader } from '../../../../../runtime/connectors/kafka/record-batch-reader.ts'
import { RecordBatchWriter } from '../../../../../runtime/connectors/kafka/record-batch-writer.ts'
import { RecordColumns } from '../../../../../runtime/connectors/kafka/record-columns.ts'
import { MAX_UNPACKED_BYTES } from '../../../../../runtime/model/decoding-limits.ts'

await loadRecordCodecs()

const OWNER = { producerId: 7n, epoch: 3, sequence: 5, transactional: false }
const TOO_MUCH = Buffer.alloc(MAX_UNPACKED_BYTES + 1024 * 1024)
const PACK = {
  gzip: (bytes: Buffer) => gzipSync(bytes),
  snappy: snappyCompress,
  lz4: lz4Compress,
  zstd: (bytes: Buffer) => zstdCompressSync(bytes),
}
const NAMES = ['gzip', 'snappy', 'lz4', 'zstd'] as const
const XERIAL = Buffer.from('82534e41505059000000000100000001', 'hex')

const refusal = (said: string): Error =>
  expect.objectContaining({ code: 'KAFKA_BATCH_CORRUPT', message: expect.stringContaining(said) as unknown }) as Error

function batch(): Buffer {
  const writer = new RecordBatchWriter(16)
  writer.append(null, Buffer.from('{"n":1}'), 1_700_000_000_000)
  return Buffer.from(writer.finish(OWNER, 'none'))
}

/** The batch under its right checksum: what a hostile producer sends, a broker stores. */
function sealed(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}

const read = (bytes: Buffer): boolean => new RecordBatchReader(bytes, 0, null, 't/0').next(new RecordColumns())

describe('batches that would cost more than they are worth', () => {
  test.each([-12, -13, 0, 48, -2_147_483_648])(
    'when a batch says that it is %i bytes long, it is refused with its place',
    (length) => {
      const bytes = batch()
      bytes.writeInt32BE(length, 8)
      expect(() => read(bytes)).toThrow(refusal('t/0 has a record batch at offset 0 that cannot be read'))
    },
  )

  test('when a batch ends before it begins, it is refused', () => {
    const bytes = batch()
    bytes.writeInt32BE(-1, 23)
    expect(() => read(sealed(bytes))).toThrow(refusal('its last offset, -1, is before its first'))
  })

  test.each([
    ['the value is said to have -3 bytes', 5, 0x05],
    ['the key is said to reach behind the record', 4, 0x40],
  ])('when %s, the batch is refused', (_what, at, byte) => {
    const bytes = batch()
    bytes[61 + at] = byte
    expect(() => read(sealed(bytes))).toThrow(refusal('the value of record 0'))
  })

  test.each(NAMES)('when %s unpacks to more than the limit, it is refused', (name) => {
    expect(() => decompress(CODEC[name], Buffer.from(PACK[name](TOO_MUCH)))).toThrow(
      refusal(`more than ${MAX_UNPACKED_BYTES} bytes`),
    )
  })

  test.each(NAMES)('when %s unpacks to less than the limit, all of it is there', (name) => {
    const bytes = TOO_MUCH.subarray(0, MAX_UNPACKED_BYTES - 1024 * 1024)
    expect(decompress(CODEC[name], Buffer.from(PACK[name](bytes))).equals(bytes)).toBe(true)
  })

  test('when seven bytes of snappy say that they are 2 GB, nothing is allocated for them', () => {
    expect(() => decompress(CODEC.snappy, Buffer.from('ffffffff070000', 'hex'))).toThrow(
      refusal('a snappy block says 2147483647'),
    )
  })

  test('when blocks of snappy are within the limit and all of them are not, they are refused', () => {
    const block = snappyCompress(TOO_MUCH.subarray(0, 40 * 1024 * 1024))
    const size = Buffer.alloc(4)
    size.writeInt32BE(block.length)
    expect(() => decompress(CODEC.snappy, Buffer.concat([XERIAL, size, block, size, block]))).toThrow(
      refusal('more than'),
    )
  })

  test.each([-4, 0, 1000])('when a block of snappy says that it has %i bytes, it is refused', (length) => {
    const size = Buffer.alloc(4)
    size.writeInt32BE(length)
    expect(() => decompress(CODEC.snappy, Buffer.concat([XERIAL, size, Buffer.alloc(8)]))).toThrow(
      refusal(`a snappy block of ${length} bytes`),
    )
  })

  test.each(NAMES)('when the bytes are no %s, the error says that they cannot be unpacked', (name) => {
    expect(() => decompress(CODEC[name], Buffer.from('not packed at all, by nobody'))).toThrow(refusal(''))
  })
})
