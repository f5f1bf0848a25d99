/** The one kind of store there is, as a URL begins; a plain path is of that kind too. */
const STORE_SCHEME = 'file'

/** The scheme of a store's URL when there is no such store; undefined when it can be opened. */
export function unsupportedScheme(url: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase()
  return scheme === STORE_SCHEME ? undefined : scheme
}

/**
 * Object storage as the checkpoint protocol needs it. Paths are relative, `/`-separated, never start with `/`.
 *
 * The one law: `createIfAbsent` is atomic, of two callers exactly one gets 'created'. A put is visible whole or
 * not at all. Everything else may be slow, repeated or fail (MillraceError STORE_UNAVAILABLE, retriable).
 * No safety decision is made here; see runtime/checkpoint.
 */
export interface Store {
  get(path: string): Promise<Uint8Array | undefined>
  put(path: string, bytes: Uint8Array): Promise<void>
  createIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'>
  /** All paths under a prefix, sorted. */
  list(prefix: string): Promise<string[]>
  /**
   * Paths under a prefix of what puts have left that were cut short by the end of their process, and of those still
   * under way;
   * `list` and `get` know nothing of them, `delete` takes them. A put whose path here is deleted fails.
   */
  unfinished(prefix: string): Promise<string[]>
  /** Deleting what is absent is no error. */
  delete(path: string): Promise<void>
}
