/**
 * Files as object stores know them, wherever they lie: in a folder, in S3, in HDFS. The file connector, Delta tables and
 * the checkpoint store are written against this, so that each works on every storage.
 *
 * Paths are relative to the root that the URL named, `/`-separated, and never begin with `/` or contain `..`. `list`
 * and `head` show whole objects only: an object that is being written is visible once it is complete.
 *
 * Every method may reject with OBJECTS_UNAVAILABLE (domain dependency, retriable) while the storage cannot be reached,
 * and with OBJECTS_REFUSED (domain user) when it will not serve: a missing bucket, a wrong credential, no permission.
 * Both name the storage, the path and the reason in the storage's own words.
 */
export interface Objects {
  /** All objects under a prefix, which may end inside of a name, in the order of the bytes of their paths. */
  list(prefix: string, after?: string): AsyncIterable<StoredObject>
  head(path: string): Promise<StoredObject | undefined>
  /**
   * At most `length` bytes from `offset`; fewer only at the end. Rejects with OBJECT_MISSING when there is no such object,
   * and with OBJECT_CHANGED when a version is given and the object no longer has it.
   */
  read(path: string, offset: number, length: number, version?: string): Promise<Uint8Array>
  /** Replaces whatever is there; durable and whole when resolved. */
  put(path: string, bytes: Uint8Array): Promise<void>
  /** Atomic: exactly one of any number of callers gets 'created'. */
  createIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'>
  /** Begins an object that nobody sees before `complete`. */
  begin(path: string): Promise<Upload>
  /**
   * Makes a prepared upload visible under its path. May be called again, by any process, also when it was completed
   * long ago. Rejects with OBJECT_LOST when neither the upload nor the object is there.
   */
  complete(upload: PreparedUpload): Promise<void>
  /** Removes an upload that will not be completed; no error when it is gone. */
  discard(upload: PreparedUpload): Promise<void>
  /** Uploads under a prefix that were begun and neither completed nor discarded. */
  unfinished(prefix: string): AsyncIterable<PreparedUpload>
  /** No error when there is no such object. */
  delete(path: string): Promise<void>
}

export interface StoredObject {
  readonly path: string
  readonly sizeBytes: number
  /** Epoch milliseconds by the storage's clock. */
  readonly modifiedMs: number
  /** Changes whenever the object does: the ETag of S3. Texts of one path are compared, and mean nothing else. */
  readonly version: string
}

/** One object while it is written. Never called concurrently. */
export interface Upload {
  /** The bytes are the upload's until it resolves. */
  write(bytes: Uint8Array): Promise<void>
  /** Everything written so far is durable, and the object complete but for `complete`. Nothing can be written after. */
  prepare(): Promise<PreparedUpload>
  /** Ends without an object. */
  discard(): Promise<void>
}

/** A checkpoint keeps this for `complete`: a JSON value. Read back from a checkpoint it is input, and is checked. */
export interface PreparedUpload {
  readonly path: string
  readonly sizeBytes: number
  /** Known to the storage alone: a temporary name, the id and the parts of a multipart upload. */
  readonly token: string
}
