import { MillraceError } from '../../model/errors.ts'
import type { RoutedBatch } from './batching.ts'

/** Before each payload: partition, messages, sequence id of the first, codec, size when unpacked, size of the payload. */
const HEAD_BYTES = 28

/** Batches as a file keeps them until their checkpoint is complete; numbers are big-endian. */
export function encodeStaged(batches: readonly RoutedBatch[]): Buffer {
  const size = batches.reduce((sum, { batch }) => sum + HEAD_BYTES + batch.payload.length, 0)
  const bytes = Buffer.allocUnsafe(size)
  let at = 0
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
  return bytes
}

/** The payloads are views. Throws PULSAR_STAGED_CORRUPT, which names the file. */
export function decodeStaged(bytes: Buffer, file: string): RoutedBatch[] {
  const batches: RoutedBatch[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + HEAD_BYTES <= bytes.length ? at + HEAD_BYTES + bytes.readUInt32BE(at + 24) : Infinity
    if (end > bytes.length)
      throw new MillraceError('PULSAR_STAGED_CORRUPT', `${file} is no file of this sink: it is cut off at byte ${at}`, {
        domain: 'platform',
      })
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
