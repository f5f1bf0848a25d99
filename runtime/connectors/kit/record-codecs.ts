import { MillraceError } from '../../model/errors.ts'

/** The native and WebAssembly code that batches of records need. */
interface RecordCodecs {
  crc32c(bytes: Buffer): number
  /** Without a limit: kafka/lz4-bounds.ts comes first. */
  lz4FrameDecompress(bytes: Buffer): Buffer
  /** Throws when the bytes do not unpack to exactly `length`. */
  snappyDecompress(bytes: Buffer, length: number): Buffer
}

let codecs: RecordCodecs | undefined

/**
 * Called by whatever reads or writes batches before its first one. The code is not imported by the modules that use it:
 * it takes 13 MB, and most workers have nothing to do with Kafka or Pulsar.
 */
export async function loadRecordCodecs(): Promise<void> {
  codecs ??= await import('./native-codecs.ts')
}

/** Synchronous, as batches are read and written; throws when nothing has been loaded. */
export function recordCodecs(): RecordCodecs {
  if (codecs === undefined)
    throw new MillraceError('CODECS_MISSING', 'a batch of records was read or written before loadRecordCodecs')
  return codecs
}
