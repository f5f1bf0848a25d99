import { openStore, storeEnvironment, type LoadedStores } from './ports/real/open-store.ts'
import type { Store } from './ports/store.ts'

/** Every store of the runtime image that is written with the client of a connector. */
export const builtinStores: LoadedStores = {
  kudu: () => import('./connectors/kudu/real/checkpoint-store.ts'),
  hbase: () => import('./connectors/hbase/real/checkpoint-store.ts'),
  cassandra: () => import('./connectors/cassandra/real/checkpoint-store.ts'),
}

/** Opens the store at a URL, without a bound on what it may reach. Throws as `openStore`. */
export function openAnyStore(url: string): Store {
  return openStore(url, storeEnvironment(undefined), builtinStores)
}
