import { MillraceError } from '../../model/errors.ts'

/** What batches need of native and WebAssembly code. */
interface BatchCodecs {
  crc32c(bytes: Buffer): number
  /** Without a limit: lz4-bounds.ts comes first. */
  lz4Decompress(bytes: Buffer): Buffer
  /** Throws when the bytes do not unpack to exactly `length`. */
  snappyDecompress(bytes: Buffer, length: number): Buffer
}

let codecs: BatchCodecs | undefined

/**
 * Called by whatever reads or writes batches before its first one. The code is not imported by the modules that use it:
 * it takes 13 MB, and most workers have nothing to do with Kafka.
 */
export async function loadBatchCodecs(): Promise<void> {
  codecs ??= await import('./native-codecs.ts')
}

/** Synchronous, as batches are read and written; throws when nothing has been loaded. */
export function batchCodecs(): BatchCodecs {
  if (codecs === undefined)
    throw new MillraceError('KAFKA_CODECS_MISSING', 'a record batch was read or written before loadBatchCodecs')
  return codecs
}
