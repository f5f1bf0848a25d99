import type { Reach } from '../../model/reach.ts'
import type { HttpClient } from '../http-client.ts'
import { storeOn } from '../objects-store.ts'
import { schemeOf, type Store, type StoreScheme } from '../store.ts'
import { checkStoreUrl } from '../store-url.ts'
import { openFileStore } from './file-store.ts'
import { AddressGuard } from './guarded-lookup.ts'
import { RealHttpClient } from './http-client.ts'
import { objectsEnvironment, openObjects, type ObjectsEnvironment } from './open-objects.ts'

/** The world as far as a job may reach it. */
export interface StoreEnvironment extends ObjectsEnvironment {
  readonly httpClient: HttpClient
}

type OpenStore = (url: string, environment: StoreEnvironment) => Store

/** Stores that are written with the client of a connector: loaded by processes whose job keeps its state there. */
export type LoadedStores = Readonly<Record<LoadedScheme, () => Promise<{ readonly openStore: OpenStore }>>>
type LoadedScheme = Exclude<StoreScheme, keyof typeof STORES>

/** The real world as far as a job may reach it; without a bound all of it. */
export function storeEnvironment(reach: Reach | undefined): StoreEnvironment {
  const storages = objectsEnvironment(reach)
  const guard = reach === undefined ? undefined : new AddressGuard(reach.addresses)
  return { ...storages, httpClient: new RealHttpClient({ guard, secrets: storages.secretFiles }) }
}

/** Stores that are opened without loading anything. */
const STORES = {
  file: openFileStore,
  s3: (url: string, environment: StoreEnvironment) => storeOn(openObjects(url, environment)),
  hdfs: (url: string, environment: StoreEnvironment) => storeOn(openObjects(url, environment)),
} satisfies Partial<Record<StoreScheme, OpenStore>>

/**
 * Opens the store at a URL; a plain path is a folder. Throws as `checkStoreUrl`.
 */
export function openStore(url: string, environment: StoreEnvironment, loaded: LoadedStores): Store {
  checkStoreUrl(url)
  const scheme = schemeOf(url) as StoreScheme
  if (scheme in STORES) return STORES[scheme as keyof typeof STORES](url, environment)
  const load = loaded[scheme as LoadedScheme]
  let opening: Promise<Store> | undefined
  return lateStore(() => (opening ??= load().then((module) => module.openStore(url, environment))))
}

function lateStore(opened: () => Promise<Store>): Store {
  return {
    get: async (path) => (await opened()).get(path),
    put: async (path, bytes) => (await opened()).put(path, bytes),
    createIfAbsent: async (path, bytes) => (await opened()).createIfAbsent(path, bytes),
    list: async (prefix) => (await opened()).list(prefix),
    unfinished: async (prefix) => (await opened()).unfinished(prefix),
    delete: async (path) => (await opened()).delete(path),
  }
}
