import { MillraceError } from '../../model/errors.ts'
import { isStoreScheme, schemeOf, STORE_SCHEMES, type Store, type StoreScheme } from '../store.ts'
import { openFileStore } from './file-store.ts'

/** What opens the stores of each scheme. */
const STORES: Readonly<Record<StoreScheme, (url: string) => Store>> = { file: openFileStore }

/** Opens the store at a URL; a plain path is a folder. Throws STORE_UNSUPPORTED for an unknown scheme. */
export function openStore(url: string): Store {
  const scheme = schemeOf(url)
  if (isStoreScheme(scheme)) return STORES[scheme](url)
  throw new MillraceError(
    'STORE_UNSUPPORTED',
    `checkpoint store ${JSON.stringify(url)} has scheme ${JSON.stringify(scheme)}; known are ${STORE_SCHEMES.join(', ')}`,
    { domain: 'user', hint: 'use file:///folder or a plain path' },
  )
}
