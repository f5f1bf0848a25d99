import { hbaseLocationOf } from '../../../ports/hbase-location.ts'
import type { StoreEnvironment } from '../../../ports/real/open-store.ts'
import type { Store } from '../../../ports/store.ts'
import { openHbaseStore } from '../store/open-hbase-store.ts'

/** `checkpoints: { store: hbase://… }`. Throws STORE_URL_INVALID. */
export function openStore(url: string, environment: StoreEnvironment): Store {
  return openHbaseStore(hbaseLocationOf(url), environment)
}
