import { deflateSync, inflateSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { MAX_UNPACKED_BYTES } from '../../model/decoding-limits.ts'
import { unpackLz4Block } from '../kit/lz4-block.ts'
import { recordCodecs } from '../kit/record-codecs.ts'
import { entryCorrupt } from './protocol/frames.ts'

/** CompressionType of PulsarApi.proto. */
const CODEC = { none: 0, lz4: 1, zlib: 2, zstd: 3, snappy: 4 } as const

export type WritableCodec = 'none' | 'zlib' | 'zstd'

/**
 * Synchronous on purpose, as for batches of Kafka. `size` is what the entry says it unpacks to. Throws
 * PULSAR_ENTRY_CORRUPT when it does not, or when that is more than MAX_UNPACKED_BYTES.
 */
export function unpack(codec: number, bytes: Buffer, size: number): Buffer {
  if (codec === CODEC.none) return bytes
  if (size < 0 || size > MAX_UNPACKED_BYTES)
    throw entryCorrupt(`it says it unpacks to ${size} bytes, and ${MAX_UNPACKED_BYTES} are allowed`)
  let unpacked: Uint8Array
  try {
    unpacked = unpackWith(codec, bytes, size)
  } catch (cause) {
    throw entryCorrupt(`it cannot be unpacked to ${size} bytes with codec ${codec}`, cause)
  }
  if (unpacked.length !== size) throw entryCorrupt(`it unpacks to ${unpacked.length} bytes, and says ${size}`)
  return Buffer.from(unpacked.buffer, unpacked.byteOffset, unpacked.byteLength)
}

export function pack(codec: WritableCodec, bytes: Buffer): { readonly codec: number; readonly bytes: Buffer } {
  switch (codec) {
    case 'none':
      return { codec: CODEC.none, bytes }
    case 'zlib':
      return { codec: CODEC.zlib, bytes: deflateSync(bytes) }
    case 'zstd':
      return { codec: CODEC.zstd, bytes: zstdCompressSync(bytes) }
  }
}

function unpackWith(codec: number, bytes: Buffer, size: number): Uint8Array {
  // zlib wants room for one byte at least
  const limit = { maxOutputLength: Math.max(1, size) }
  switch (codec) {
    case CODEC.lz4:
      return unpackLz4Block(bytes, size)
    case CODEC.zlib:
      return inflateSync(bytes, limit)
    case CODEC.zstd:
      return zstdDecompressSync(bytes, limit)
    case CODEC.snappy:
      return recordCodecs().snappyDecompress(bytes, size)
    default:
      throw entryCorrupt(`codec ${codec} is not known, 0 to 4 are`)
  }
}
