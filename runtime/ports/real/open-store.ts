import { MillraceError } from '../../model/errors.ts'
import { storeOn } from '../objects-store.ts'
import { isStoreScheme, schemeOf, STORE_SCHEMES, type Store, type StoreScheme } from '../store.ts'
import { openFileStore } from './file-store.ts'
import { objectsEnvironment, openObjects, type ObjectsEnvironment } from './open-objects.ts'

/** What opens the stores of each scheme. */
const STORES: Readonly<Record<StoreScheme, (url: string, environment: ObjectsEnvironment) => Store>> = {
  file: openFileStore,
  s3: (url, environment) => storeOn(openObjects(url, environment)),
  hdfs: (url, environment) => storeOn(openObjects(url, environment)),
}

/**
 * Opens the store at a URL; a plain path is a folder. Throws STORE_UNSUPPORTED for an unknown scheme and
 * OBJECTS_URL_INVALID for a URL that cannot be read.
 */
export function openStore(url: string, environment: ObjectsEnvironment = objectsEnvironment(undefined)): Store {
  const scheme = schemeOf(url)
  if (isStoreScheme(scheme)) return STORES[scheme](url, environment)
  throw new MillraceError(
    'STORE_UNSUPPORTED',
    `checkpoint store ${JSON.stringify(url)} has scheme ${JSON.stringify(scheme)}; known are ${STORE_SCHEMES.join(', ')}`,
    { domain: 'user', hint: 'use file:///folder, a plain path, s3://bucket/prefix or hdfs://namenode:9870/folder' },
  )
}
