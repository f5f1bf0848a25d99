/**
 * Imported by record-codecs.ts when it is needed: a bundle gives packages in CommonJS their names for static imports
 * only.
 */
import { compressors } from 'hyparquet-compressors'
import { MillraceError } from '../../model/errors.ts'

export { crc32c } from '@node-rs/crc32'
export { lz4Decompress as lz4FrameDecompress } from '@platformatic/wasm-utils'

/** The length is given, so unlike that of wasm-utils it allocates what is allowed, and nothing is lost when it fails. */
export function snappyDecompress(bytes: Buffer, length: number): Buffer {
  const unpacked = compressors.SNAPPY?.(bytes, length)
  if (unpacked === undefined) throw new MillraceError('CODECS_MISSING', 'hyparquet-compressors has no snappy')
  return Buffer.from(unpacked.buffer, unpacked.byteOffset, unpacked.byteLength)
}
