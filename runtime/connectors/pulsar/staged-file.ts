import { checkSeal, fileCorrupt, seal, SEAL_BYTES } from '../kit/sealed-file.ts'
import type { RoutedBatch } from './batching.ts'

/** Before each payload: partition, messages, sequence id of the first, codec, size when unpacked, size of the payload. */
const HEAD_BYTES = 28
const CORRUPT = 'PULSAR_STAGED_CORRUPT'

/**
 * Batches as the file at `path` keeps them until their checkpoint is complete; numbers are big-endian.
 */
export function encodeStaged(batches: readonly RoutedBatch[], path: string): Buffer {
  const size = batches.reduce((sum, { batch }) => sum + HEAD_BYTES + batch.payload.length, SEAL_BYTES)
  const bytes = Buffer.allocUnsafe(size)
  let at = SEAL_BYTES
  for (const { partition, first, batch } of batches) {
    bytes.writeUInt32BE(partition, at)
    bytes.writeUInt32BE(batch.messages, at + 4)
    bytes.writeDoubleBE(first, at + 8)
    bytes.writeUInt32BE(batch.codec, at + 16)
    bytes.writeUInt32BE(batch.unpackedBytes, at + 20)
    bytes.writeUInt32BE(batch.payload.length, at + 24)
    batch.payload.copy(bytes, at + HEAD_BYTES)
    at += HEAD_BYTES + batch.payload.length
  }
  seal(bytes, path)
  return bytes
}

/** The payloads are views. Throws PULSAR_STAGED_CORRUPT, which names the file. */
export function decodeStaged(bytes: Buffer, path: string): RoutedBatch[] {
  checkSeal(bytes, path, CORRUPT)
  const batches: RoutedBatch[] = []
  for (let at = SEAL_BYTES; at < bytes.length; ) {
    const end = at + HEAD_BYTES <= bytes.length ? at + HEAD_BYTES + bytes.readUInt32BE(at + 24) : Infinity
    if (end > bytes.length) throw fileCorrupt(CORRUPT, path, `it is cut off at byte ${at}`)
    batches.push({
      partition: bytes.readUInt32BE(at),
      first: bytes.readDoubleBE(at + 8),
      batch: {
        messages: bytes.readUInt32BE(at + 4),
        codec: bytes.readUInt32BE(at + 16),
        unpackedBytes: bytes.readUInt32BE(at + 20),
        payload: bytes.subarray(at + HEAD_BYTES, end),
      },
    })
    at = end
  }
  return batches
}
