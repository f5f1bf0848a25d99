import type { CassandraLocation } from '../../../ports/cassandra-location.ts'
import type { Clock } from '../../../ports/clock.ts'
import type { Rng } from '../../../ports/rng.ts'
import type { Store } from '../../../ports/store.ts'
import { patientCalls } from '../../kit/row-store/patient-calls.ts'
import { RowStore } from '../../kit/row-store/row-store.ts'
import { RETRIES } from '../access.ts'
import type { CassandraClient } from '../client.ts'
import { CassandraRows } from './cassandra-rows.ts'
import { StoreTable } from './store-table.ts'

/** A store that calls the cluster again while it cannot answer; then STORE_UNAVAILABLE says why. */
export function openCassandraStore(
  location: Pick<CassandraLocation, 'keyspace' | 'table' | 'prefix' | 'consistency'>,
  client: CassandraClient,
  environment: { readonly clock: Clock; readonly rng: Rng },
): Store {
  const table = new StoreTable(location, client, patientCalls(environment, RETRIES))
  return new RowStore(
    new CassandraRows(table, location.consistency, environment.clock),
    location.prefix,
    environment.rng,
  )
}
