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
  /** Moves a file or a folder; atomic where both names are in one folder. Rejects with code ENOENT when `from` is absent. */
  rename(from: string, to: string): Promise<void>
  exists(path: string): Promise<boolean>
  /**
   * Creates a file to be written from its beginning, in a folder that exists. Rejects with code ENOENT without the
   * folder, EEXIST where something stands.
   */
  createLog(path: string): Promise<LogFile>
  /** Removes a folder and what is in it. Resolves where there is none. */
  deleteFolder(path: string): Promise<void>
  delete(path: string): Promise<void>
  /**
   * Where an absolute or relative path leads when all links are followed. Of what does not exist, the part that does is
   * followed. Rejects with code ELOOP for a link that leads nowhere: writing there would make its target.
   */
  realPath(path: string): Promise<string>
}

/** A file that one process appends to and others read. Calls do not overlap. */
export interface LogFile {
  append(bytes: Uint8Array): Promise<void>
  /** Makes what was appended before survive a crash of the machine. After a rejection nobody knows what does. */
  sync(): Promise<void>
  /** Whether its path still leads to this file: neither it nor its folder was moved or deleted. */
  isInPlace(): Promise<boolean>
  close(): Promise<void>
}

/** Passwords, keys and certificates: files of mounted Secrets. */
export interface SecretFiles {
  /** The text of a file, read anew each time: a Secret may be rotated. Rejects as Files does, or with FILE_FORBIDDEN. */
  read(path: string): Promise<string>
}
