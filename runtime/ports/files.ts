/** Files as the file source and sink see them: local or mounted folders. */
export interface Files {
  /** Files matching a glob (`dir/*.jsonl`) or the path itself when it is a file; sorted. Folders are left out. */
  glob(pattern: string): Promise<string[]>
  sizeBytes(path: string): Promise<number>
  /** At most `length` bytes from `offset`; fewer only at the end of the file. */
  read(path: string, offset: number, length: number): Promise<Uint8Array>
  /** Creates folders as needed; replaces what stands there; durable when resolved. */
  write(path: string, bytes: Uint8Array): Promise<void>
  append(path: string, bytes: Uint8Array): Promise<void>
  /** Flushes a file written by append to the disk. */
  sync(path: string): Promise<void>
  /** Atomic within a folder. Rejects with code ENOENT when `from` is absent. */
  rename(from: string, to: string): Promise<void>
  exists(path: string): Promise<boolean>
  delete(path: string): Promise<void>
}
