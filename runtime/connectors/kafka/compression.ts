import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { MAX_UNPACKED_BYTES } from '../../model/decoding-limits.ts'
import { MillraceError } from '../../model/errors.ts'
import { recordCodecs } from '../kit/record-codecs.ts'
import { checkLz4Bounds } from './lz4-bounds.ts'
import { unreadable } from './unreadable.ts'

/** Codec numbers in the attributes of a record batch. */
export const CODEC = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const
export type WritableCodec = 'none' | 'gzip' | 'zstd'

/** Java writes snappy in blocks behind this header (xerial), others in one block without. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const XERIAL_HEADER_BYTES = 16
/** A 32-bit number takes at most this many. */
const MAX_VARINT_BYTES = 5

/**
 * Synchronous on purpose: a batch takes well under a millisecond, and order stays deterministic. Throws
 * KAFKA_BATCH_CORRUPT for bytes that cannot be unpacked or would be more than MAX_UNPACKED_BYTES.
 */
export function decompress(codec: number, bytes: Buffer): Buffer {
  try {
    return unpack(codec, bytes)
  } catch (error) {
    if (error instanceof MillraceError) throw error
    const isTooLong = error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
    throw unreadable(isTooLong ? `it unpacks to more than ${MAX_UNPACKED_BYTES} bytes` : 'it cannot be unpacked', error)
  }
}

function unpack(codec: number, bytes: Buffer): Buffer {
  switch (codec) {
    case CODEC.gzip:
      return gunzipSync(bytes, { maxOutputLength: MAX_UNPACKED_BYTES })
    case CODEC.snappy:
      return unpackSnappy(bytes)
    case CODEC.lz4:
      checkLz4Bounds(bytes)
      return recordCodecs().lz4FrameDecompress(bytes)
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
  if (!bytes.subarray(0, XERIAL.length).equals(XERIAL)) return unpackBlock(bytes, MAX_UNPACKED_BYTES)
  const blocks: Buffer[] = []
  let left = MAX_UNPACKED_BYTES
  for (let at = XERIAL_HEADER_BYTES; at + 4 <= bytes.length; ) {
    const length = bytes.readInt32BE(at)
    at += 4
    if (length <= 0 || length > bytes.length - at)
      throw unreadable(`a snappy block of ${length} bytes begins ${bytes.length - at} bytes before its end`)
    const block = unpackBlock(bytes.subarray(at, at + length), left)
    blocks.push(block)
    left -= block.length
    at += length
  }
  return blocks.length === 1 && blocks[0] !== undefined ? blocks[0] : Buffer.concat(blocks)
}

/** A block begins with the length it unpacks to, a varint (Snappy, "Format description"). */
function unpackBlock(bytes: Buffer, limit: number): Buffer {
  let length = 0
  let at = 0
  for (let scale = 1; at < MAX_VARINT_BYTES; scale *= 128) {
    const byte = bytes[at++] ?? 0
    length += (byte & 127) * scale
    if (byte < 128) break
  }
  if (length > limit)
    throw unreadable(`it unpacks to more than ${MAX_UNPACKED_BYTES} bytes: a snappy block says ${length}`)
  return recordCodecs().snappyDecompress(bytes, length)
}
