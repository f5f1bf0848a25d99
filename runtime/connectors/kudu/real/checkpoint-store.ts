import { kuduLocationOf } from '../../../ports/kudu-location.ts'
import type { StoreEnvironment } from '../../../ports/real/open-store.ts'
import type { Store } from '../../../ports/store.ts'
import { readTlsMaterial } from '../../../ports/tls-material.ts'
import { openKuduStore } from '../store/open-kudu-store.ts'
import { connectKudu } from './client.ts'

/** `checkpoints: { store: kudu://… }`. Throws STORE_URL_INVALID. */
export function openStore(url: string, environment: StoreEnvironment): Store {
  const { clock, rng, secretFiles } = environment
  const location = kuduLocationOf(url)
  const { masters, user, tls } = location
  const client = connectKudu({
    masters,
    user,
    tls:
      tls === undefined
        ? undefined
        : async () => ({ material: await readTlsMaterial(tls, secretFiles), certificates: 'check' }),
    clock,
    idleConnections: 'let it end',
    clientId: rng.id(),
  })
  return openKuduStore(location, client, environment)
}
