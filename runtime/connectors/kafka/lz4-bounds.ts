import { MAX_UNPACKED_BYTES } from '../../model/decoding-limits.ts'
import { unreadable } from './unreadable.ts'

const MAGIC = 0x184d2204
const FIXED_HEADER_BYTES = 7
const BLOCK_CHECKSUM_BIT = 0b10000
const CONTENT_SIZE_BIT = 0b1000
const CONTENT_SIZE_BYTES = 8
/** A block begins with its size; the high bit says that it is not compressed. */
const SIZE_BYTES = 4
const SIZE_BITS = 0x7fffffff
const CHECKSUM_BYTES = 4

/**
 * Called before a frame is unpacked, which has no limit of its own. Throws KAFKA_BATCH_CORRUPT when the bytes are no
 * frame of LZ4, when a block reaches behind them, or when the blocks may hold more than MAX_UNPACKED_BYTES. A block
 * counts with the size that the frame allows its blocks, so nothing has to be unpacked to know it (LZ4 Frame Format
 * 1.6.3).
 */
export function checkLz4Bounds(bytes: Buffer): void {
  if (bytes.length < FIXED_HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) throw unreadable('it is no frame of LZ4')
  const flags = bytes[4] ?? 0
  const blockBytes = blockSize(bytes[5] ?? 0)
  const trailer = (flags & BLOCK_CHECKSUM_BIT) === 0 ? 0 : CHECKSUM_BYTES
  let at = FIXED_HEADER_BYTES + ((flags & CONTENT_SIZE_BIT) === 0 ? 0 : CONTENT_SIZE_BYTES)
  for (let unpacked = 0; ; unpacked += blockBytes) {
    if (unpacked > MAX_UNPACKED_BYTES) throw unreadable(`it unpacks to more than ${MAX_UNPACKED_BYTES} bytes`)
    if (at + SIZE_BYTES > bytes.length) throw unreadable('its LZ4 frame has no end')
    const size = bytes.readUInt32LE(at) & SIZE_BITS
    if (size === 0) return
    at += SIZE_BYTES + size + trailer
  }
}

/** The descriptor's number 4 to 7 → 64 kB to 4 MB. */
function blockSize(descriptor: number): number {
  const code = (descriptor >>> 4) & 0b111
  if (code < 4) throw unreadable(`its LZ4 blocks are of size code ${code}, known are 4 to 7`)
  return 1 << (2 * code + 8)
}
