import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { MillraceError } from '../../model/errors.ts'
import { batchCodecs } from './batch-codecs.ts'

/** Codec numbers in the attributes of a record batch. */
export const CODEC = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const
export type WritableCodec = 'none' | 'gzip' | 'zstd'

/** A batch is at most some MB; what unpacks to more than this is broken or hostile. */
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024
/** Java writes snappy in blocks behind this header (xerial), others in one block without. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const XERIAL_HEADER_BYTES = 16

/** Synchronous on purpose: a batch takes well under a millisecond, and order stays deterministic. */
export function decompress(codec: number, bytes: Buffer): Buffer {
  switch (codec) {
    case CODEC.gzip:
      return gunzipSync(bytes, { maxOutputLength: MAX_UNPACKED_BYTES })
    case CODEC.snappy:
      return unpackSnappy(bytes)
    case CODEC.lz4:
      return batchCodecs().lz4Decompress(bytes)
    case CODEC.zstd:
      return zstdDecompressSync(bytes, { maxOutputLength: MAX_UNPACKED_BYTES })
    default:
      throw new MillraceError(
        'KAFKA_CODEC_UNKNOWN',
        `a record batch is compressed with codec ${codec}, known are 0 to 4`,
        { domain: 'dependency' },
      )
  }
}

export function compress(codec: WritableCodec, bytes: Buffer): Buffer {
  switch (codec) {
    case 'gzip':
      return gzipSync(bytes)
    case 'zstd':
      return zstdCompressSync(bytes)
    case 'none':
      return bytes
  }
}

function unpackSnappy(bytes: Buffer): Buffer {
  const { snappyDecompress } = batchCodecs()
  if (!bytes.subarray(0, XERIAL.length).equals(XERIAL)) return snappyDecompress(bytes)
  const blocks: Buffer[] = []
  for (let at = XERIAL_HEADER_BYTES; at + 4 <= bytes.length; ) {
    const length = bytes.readInt32BE(at)
    at += 4
    blocks.push(snappyDecompress(bytes.subarray(at, at + length)))
    at += length
  }
  return blocks.length === 1 && blocks[0] !== undefined ? blocks[0] : Buffer.concat(blocks)
}
