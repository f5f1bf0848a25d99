import type { Clock } from '../../../ports/clock.ts'
import type { KuduLocation } from '../../../ports/kudu-location.ts'
import type { Rng } from '../../../ports/rng.ts'
import type { Store } from '../../../ports/store.ts'
import { patientCalls } from '../../kit/row-store/patient-calls.ts'
import { RowStore } from '../../kit/row-store/row-store.ts'
import type { KuduClient } from '../client.ts'
import { asMillraceError, isRetriable } from '../errors.ts'
import { StoreRows } from './store-rows.ts'

/** A store that calls the cluster again while it cannot answer; then STORE_UNAVAILABLE says why. */
export function openKuduStore(
  { table, prefix }: Pick<KuduLocation, 'table' | 'prefix'>,
  client: KuduClient,
  environment: { readonly clock: Clock; readonly rng: Rng },
): Store {
  const patiently = patientCalls(environment, {
    isRetriable,
    describe: (what, error) => asMillraceError(what, client.masters, error),
    closedCode: 'KUDU_CLOSED',
  })
  const rows = new StoreRows((doing, call) => patiently(doing, () => call(client)), table)
  return new RowStore(rows, prefix, environment.rng)
}
