/** The kinds of stores, as their URLs begin. `real/open-store.ts` opens each. */
export const STORE_SCHEMES = ['file', 's3', 'hdfs', 'kudu', 'cassandra', 'hbase'] as const
export type StoreScheme = (typeof STORE_SCHEMES)[number]

/** The scheme of a store's URL; a plain path is a folder, as `file:` is. */
export function schemeOf(url: string): string {
  return /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase() ?? 'file'
}

/**
 * The place of a folder in a store, as `openStore` opens it. A URL with options keeps them in the middle: the folder
 * follows `#`, so that the place still ends with the folder.
 */
export function placeInStore(url: string, folder: string): string {
  return url.includes('?') ? `${url}#/${folder}` : `${url.replace(/\/+$/, '')}/${folder}`
}

export function isStoreScheme(scheme: string): scheme is StoreScheme {
  return STORE_SCHEMES.some((known) => known === scheme)
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
  /** Once it has resolved the caller may use the memory of `bytes` again. */
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
  /** Deleting an absent path is not an error. */
  delete(path: string): Promise<void>
}
