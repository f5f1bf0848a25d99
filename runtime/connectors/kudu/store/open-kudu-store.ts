import type { Clock } from '../../../ports/clock.ts'
import type { KuduLocation } from '../../../ports/kudu-location.ts'
import type { Rng } from '../../../ports/rng.ts'
import type { Store } from '../../../ports/store.ts'
import { retrying } from '../../kit/retry.ts'
import { TroubleReporter } from '../../kit/trouble-reporter.ts'
import type { KuduClient } from '../client.ts'
import { asMillraceError, isRetriable } from '../errors.ts'
import { KuduStore } from './kudu-store.ts'
import { StoreRows, type AskKudu } from './store-rows.ts'

/** A tablet whose leader died has another one within a few seconds. */
const PATIENCE_MS = 10_000
const NEVER = new AbortController().signal

/** A store that calls the cluster again while it cannot answer; then STORE_UNAVAILABLE says why. */
export function openKuduStore(
  { table, prefix }: Pick<KuduLocation, 'table' | 'prefix'>,
  client: KuduClient,
  { clock, rng }: { readonly clock: Clock; readonly rng: Rng },
): Store {
  // the caller of the store reports what it rejects with
  const trouble = new TroubleReporter(clock, { reportTrouble: () => undefined })
  const policy = {
    isRetriable,
    describe: (what: string, error: unknown) => asMillraceError(what, client.masters, error),
    closedCode: 'KUDU_CLOSED',
  }
  const ask: AskKudu = async (doing, call) => {
    try {
      const environment = { clock, rng, trouble, policy, signal: NEVER }
      return await retrying(environment, doing, PATIENCE_MS, () => call(client))
    } catch (error) {
      throw asMillraceError(doing, client.masters, error)
    }
  }
  return new KuduStore(new StoreRows(ask, table), prefix, rng)
}
