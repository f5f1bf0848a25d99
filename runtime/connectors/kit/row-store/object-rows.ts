/** One write of the bytes of an object. Its name tells it from every other one, of any path and at any time. */
export interface Generation {
  readonly path: string
  readonly name: string
}

/** Bytes of an object: all parts have `partBytes`, but for the last one. */
export interface Part {
  readonly number: number
  readonly bytes: Uint8Array
}

/** The row that makes an object visible, as `encodeHead` writes it. */
export interface HeadRow {
  readonly generation: string
  readonly bytes: Uint8Array
}

/**
 * The table of a `RowStore`. A read sees every write that was answered before it began. Calls are repeated while the
 * servers cannot answer: then a write may have been carried out although the call rejects.
 */
export interface ObjectRows {
  /** Shorter objects stand in the row of their head. */
  readonly inlineBytes: number
  readonly partBytes: number

  head(path: string): Promise<Uint8Array | undefined>
  /**
   * True unless the path has a head already: of any number of callers, one. A lost answer may make it false for what this
   * very call has written.
   */
  insertHead(path: string, head: HeadRow): Promise<boolean>
  putHead(path: string, head: HeadRow): Promise<void>
  deleteHead(path: string): Promise<void>
  /** Paths that have a head and begin so, in any order. */
  heads(prefix: string): Promise<readonly string[]>

  /** `generations` finds them from the first part on, also when the call rejects or its process ends. */
  writeParts(of: Generation, parts: readonly Uint8Array[]): Promise<void>
  /** The parts that are there, in any order. */
  parts(of: Generation, count: number): Promise<readonly Part[]>
  /** Generations that have rows, whether or not a head names them. */
  generations(prefix: string): Promise<readonly Generation[]>
  generationsOf(path: string): Promise<readonly Generation[]>
  /** The parts, and after them all that says that there is such a generation, `condemn` included. */
  deleteGeneration(of: Generation): Promise<void>

  /** Announces `deleteGeneration`. */
  condemn(of: Generation): Promise<void>
  absolve(of: Generation): Promise<void>
  /** True when all parts are there, and nobody had condemned the generation when this was called. */
  isKept(of: Generation, count: number): Promise<boolean>
}
