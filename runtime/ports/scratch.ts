/**
 * A file of this process alone on a local disk, for what does not fit its memory. It never outlives the process,
 * however that ends, and is not flushed: nothing in it is needed again. Calls block until they are done, since they
 * stand in the middle of an operator's work on a row.
 */
export interface ScratchFile {
  /** All of `bytes`, at byte `at` of the file. Throws what the file system says, ENOSPC among it. */
  write(bytes: Uint8Array, at: number): void
  /** Fills all of `into` with what was written at byte `at`. Throws what the file system says. */
  read(into: Uint8Array, at: number): void
  /** Gives its space back. */
  close(): void
}

/** Makes an empty file in a folder, which is created as needed; absent: the system's folder for temporary files. */
export type OpenScratchFile = (folder?: string) => ScratchFile
